//! `bearertokenauth` and `basicauth`, in front of a receiver and on the way to a server.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use otlp_collector::component::{Extension, Host, Running};
use otlp_collector::config::{Config, Source};
use otlp_collector::registry::Registry;
use otlp_core::export::HeaderProvider;

use crate::support::{Site, ask, blueprint, with_pipeline, yaml};

/// A collector whose receiver asks an extension.
async fn guarded(name: &str, settings: &str) -> Site {
    let auth = format!(", auth: {{authenticator: {name}}}");
    Site::start(&with_pipeline(&format!("{name}: {settings}"), name, &auth, "nop")).await
}

async fn status(site: &Site, header: &str) -> u16 {
    let header = if header.is_empty() { String::new() } else { format!("{header}\r\n") };
    site.send_span(&header).await.status
}

fn basic(pair: &str) -> String {
    format!("authorization: Basic {}", STANDARD.encode(pair))
}

/// An extension by itself.
fn extension(settings: &str) -> Box<dyn Extension> {
    let config =
        Config::load_with(&[Source::Yaml(yaml(settings, ""))], &|_| None).unwrap().settings;
    let it = &config.extensions[0];
    let factories = Registry::standard().extensions;
    let factory = factories.iter().find(|factory| factory.types()[0] == it.id.component_type());
    factory.unwrap().create(&it.id, &it.settings).unwrap()
}

async fn started(extension: &dyn Extension) -> Box<dyn Running> {
    let host = Host::alone("test".parse().unwrap());
    extension.start(&host).await.unwrap()
}

async fn sent(provider: &HeaderProvider, header: &str) -> String {
    provider.headers().await.unwrap().get(header).unwrap().expose().to_owned()
}

fn wrong(settings: &str) -> String {
    blueprint(&yaml(settings, settings.split(':').next().unwrap())).unwrap_err().to_string()
}

async fn ten_seconds_later() {
    // The task that reads the file sleeps by now.
    tokio::task::yield_now().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(11)).await;
    tokio::time::resume();
}

#[tokio::test]
async fn a_receiver_takes_requests_with_one_of_the_tokens() {
    let site = guarded("bearertokenauth", "{tokens: [one, two]}").await;
    assert_eq!(status(&site, "authorization: Bearer one").await, 200);
    assert_eq!(status(&site, "Authorization: bearer two").await, 200);
    for header in ["", "authorization: Bearer three", "authorization: one", "x: Bearer one"] {
        assert_eq!(status(&site, header).await, 401, "{header}");
    }
    let site = guarded("bearertokenauth/own", "{tokens: s3, scheme: '', header: x-key}").await;
    assert_eq!(status(&site, "x-key: s3").await, 200);
    assert_eq!(status(&site, "x-key: Bearer s3").await, 401);
}

#[tokio::test]
async fn tokens_of_a_file_are_read_again() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "one\n\n  two \n").unwrap();
    let settings = format!("{{filename: '{}'}}", file.path().display());
    let site = guarded("bearertokenauth", &settings).await;
    assert_eq!(status(&site, "authorization: Bearer two").await, 200);
    assert_eq!(status(&site, "authorization: Bearer ").await, 401);
    std::fs::write(file.path(), "three").unwrap();
    ten_seconds_later().await;
    while status(&site, "authorization: Bearer three").await != 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status(&site, "authorization: Bearer one").await, 401);
    // What cannot be taken leaves what was.
    std::fs::write(file.path(), "").unwrap();
    ten_seconds_later().await;
    assert_eq!(status(&site, "authorization: Bearer three").await, 200);
}

#[tokio::test]
async fn an_exporter_sends_the_first_token_or_name_and_password() {
    let bearer = extension("bearertokenauth: {tokens: [one, two]}");
    let _running = started(bearer.as_ref()).await;
    assert_eq!(sent(&bearer.credentials().unwrap(), "authorization").await, "Bearer one");
    let own = extension("bearertokenauth: {token: t, scheme: Key, header: x-key}");
    assert_eq!(sent(&own.credentials().unwrap(), "x-key").await, "Key t");

    let password = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(password.path(), "p:w\n").unwrap();
    let settings = format!(
        "basicauth: {{client_auth: {{username: ann, password_file: '{}'}}}}",
        password.path().display()
    );
    let client = extension(&settings);
    assert!(client.authenticator().is_none());
    let _running = started(client.as_ref()).await;
    let expected = format!("Basic {}", STANDARD.encode("ann:p:w"));
    assert_eq!(sent(&client.credentials().unwrap(), "authorization").await, expected);
    assert!(!format!("{client:?}").contains("p:w"));
}

#[tokio::test]
async fn a_receiver_takes_requests_of_users_by_password_and_by_hash() {
    // Passwords are a-plain, s3cret and s3cret; the last two hashes are OpenSSL's and the C library's.
    let site = guarded(
        "basicauth",
        "{htpasswd: {inline: \"ann:a-plain\\nbob:$$apr1$$ab12cd34$$VGyaX05LjdnTOp0Kpx.Yd.\\n\
         eve:$$2b$$05$$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK\"}}",
    )
    .await;
    for pair in ["ann:a-plain", "bob:s3cret", "eve:s3cret", "eve:s3cret"] {
        assert_eq!(status(&site, &basic(pair)).await, 200, "{pair}");
    }
    for pair in ["ann:s3cret", "bob:", "eve:a-plain", "eve:", "carl:x", "ann", ":"] {
        assert_eq!(status(&site, &basic(pair)).await, 401, "{pair}");
    }
    assert_eq!(status(&site, "").await, 401);
}

#[tokio::test]
async fn many_who_guess_at_a_slow_hash_are_told_to_come_again_and_keep_no_one_out_who_is_known() {
    let site = Arc::new(
        guarded(
            "basicauth",
            "{htpasswd: {inline: 'eve:$$2b$$05$$abcdefghijklmnopqrstuuLK7U1u6pVRmL7L1BBM2aS35PSZnDXlK'}}",
        )
        .await,
    );
    assert_eq!(status(&site, &basic("eve:s3cret")).await, 200);
    let guesses = (0..200).map(|guess| {
        let site = Arc::clone(&site);
        async move { status(&site, &basic(&format!("eve:{guess}"))).await }
    });
    let guesses = futures_util::future::join_all(guesses);
    let right = basic("eve:s3cret");
    let (answers, known) = tokio::join!(guesses, status(&site, &right));
    assert_eq!(known, 200);
    assert!(answers.iter().all(|status| matches!(status, 401 | 503)), "{answers:?}");
    assert!(answers.contains(&401));
}

#[tokio::test]
async fn users_of_a_file_are_read_again_and_those_inline_go_above() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "ann:one\nbob:one\n").unwrap();
    let settings =
        format!("{{htpasswd: {{file: '{}', inline: 'bob:two'}}}}", file.path().display());
    let site = guarded("basicauth", &settings).await;
    assert_eq!(status(&site, &basic("ann:one")).await, 200);
    assert_eq!(status(&site, &basic("bob:one")).await, 401);
    assert_eq!(status(&site, &basic("bob:two")).await, 200);
    std::fs::write(file.path(), "carl:three\n").unwrap();
    ten_seconds_later().await;
    while status(&site, &basic("carl:three")).await != 200 {
        tokio::task::yield_now().await;
    }
    assert_eq!(status(&site, &basic("ann:one")).await, 401);
    assert_eq!(status(&site, &basic("bob:two")).await, 200);
}

#[tokio::test]
async fn pages_are_guarded_too() {
    let extensions = "basicauth: {htpasswd: {inline: 'ann:one'}}, \
                      zpages: {endpoint: '127.0.0.1:0', auth: {authenticator: basicauth}}";
    let site = Site::start(&yaml(extensions, "basicauth, zpages")).await;
    let zpages = site.extension("zpages");
    let denied = ask(zpages, "GET", "/", "").await;
    assert_eq!(denied.status, 401);
    assert!(denied.head.contains("www-authenticate: basic realm="), "{}", denied.head);
    let header = format!("{}\r\n", basic("ann:one"));
    assert_eq!(ask(zpages, "GET", "/", &header).await.status, 200);
}

#[test]
fn what_is_wrong_is_said_without_a_secret() {
    for (settings, text) in [
        ("bearertokenauth: {}", "no token is set; accepted: token, tokens, filename"),
        ("bearertokenauth: {token: S3CRET, tokens: [S3CRET]}", "one of them is needed"),
        ("bearertokenauth: {token: \"S3CRET\\n\"}", "a header cannot carry"),
        ("bearertokenauth: {token: S3CRET, header: 'a b'}", "header name \"a b\" is not valid"),
        ("bearertokenauth: {token: S3CRET, header: host}", "cannot be overridden"),
        ("bearertokenauth: {tokens: 123123}", "a number is not a list of tokens, each in quotes"),
        ("bearertokenauth: {tken: S3CRET}", "did you mean \"token\"?"),
        ("basicauth: {}", "no credentials are set; accepted: htpasswd, client_auth"),
        ("basicauth: {htpasswd: {}}", "nobody is named; accepted: file, inline"),
        ("basicauth: {htpasswd: {inline: S3CRET}}", "htpasswd::inline: line 1: there is no colon"),
        ("basicauth: {client_auth: {username: 'a:b'}}", "a name has no colon in it"),
        ("basicauth: {client_auth: {aws_secrets_manager: {}}}", "not supported here"),
        ("basicauth: {htpasswd: {inline: 'a:b'}, client_auth: {}}", "for one of them"),
    ] {
        let error = wrong(settings);
        assert!(
            error.contains(text) && !error.contains("S3CRET") && !error.contains("123123"),
            "{settings}: {error}"
        );
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_is_named_at_the_start() {
    for settings in
        ["bearertokenauth: {filename: /nowhere/x}", "basicauth: {htpasswd: {file: /nowhere/x}}"]
    {
        let name = settings.split(':').next().unwrap();
        let error = Site::try_start(&yaml(settings, name)).await.unwrap_err().to_string();
        let start = format!("extension \"{name}\" does not start: \"/nowhere/x\": ");
        assert!(error.starts_with(&start), "{error}");
    }
}
