//! What is printed of a configuration reads as what was printed, and neither that nor an error has a secret in it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are not seen as tests")]

use otlp_collector::config::{Config, Secrets, Source};
use otlp_collector::engine::Blueprint;
use otlp_collector::registry::Registry;
use otlp_collector::telemetry::TelemetrySettings;
use proptest::prelude::*;

const YAML: &str = r#"
receivers:
  otlp:
    protocols:
      grpc: {endpoint: "0.0.0.0:4317"}
      http:
processors:
  attributes:
    actions:
      - {key: password, action: delete}
      - key: "a: b"
        value: "multi\nline # no comment"
        action: insert
exporters:
  otlp:
    endpoint: https://ann:hunter2@backend:4317/x@y?key=sesame8
    headers: {x-api: sesame1, authorization: Bearer sesame2}
    tls: {key_file: /etc/key.pem, key_pem: sesame3}
  nop:
extensions:
  bearertokenauth: {token: sesame4, filename: /run/token}
  basicauth:
    htpasswd: {inline: "ann:sesame5"}
    client_auth: {username: ann, password: sesame6}
service:
  extensions: [bearertokenauth, basicauth]
  telemetry:
    metrics:
      readers:
        - periodic: {exporter: {otlp: {headers: [{name: x-api, value: sesame7}]}}}
  pipelines:
    traces: {receivers: [otlp], processors: [attributes], exporters: [otlp, nop]}
"#;

fn load(yaml: &str) -> Config {
    let loaded = Config::load_with(&[Source::Yaml(yaml.to_owned())], &|_| None);
    loaded.unwrap()
}

#[test]
fn secrets_are_hidden_and_everything_else_is_there() {
    let printed = load(YAML).to_yaml(Secrets::Hidden);
    assert!(!printed.contains("sesame") && !printed.contains("hunter2"), "{printed}");
    for there in [
        "endpoint: \"0.0.0.0:4317\"",
        "http: null",
        "https://[REDACTED]@backend:4317/x@y?[REDACTED]",
        "key_file: /etc/key.pem",
        "filename: /run/token",
        "name: x-api",
        "-   key: password",
    ] {
        assert!(printed.contains(there), "{there}: {printed}");
    }
    // It is a configuration still.
    load(&printed);
}

#[test]
fn what_is_shown_reads_as_the_same_again() {
    let printed = load(YAML).to_yaml(Secrets::Shown);
    assert!(printed.contains("sesame7") && printed.contains("hunter2"), "{printed}");
    assert_eq!(load(&printed).to_yaml(Secrets::Shown), printed);
}

const PLAIN: &str = "
receivers: {otlp: {protocols: {http: }}}
exporters: {otlp_http: {endpoint: 'http://a'}}
service:
  pipelines: {traces: {receivers: [otlp], exporters: [otlp_http]}}
";

/// What is wrong with a configuration in which this is set; nothing where it is taken.
fn refused(key: &str, value: &str) -> Option<String> {
    let set = Source::set(&format!("{key}={value}"));
    let extension = key.strip_prefix("extensions.").and_then(|rest| rest.split('.').next());
    let used = format!("service::extensions: [{}]", extension.unwrap_or_default());
    let sources = set.map(|set| [Source::Yaml(PLAIN.to_owned()), Source::Yaml(used), set]);
    let variable = |name: &str| (name == "X").then(|| "u:hunter2".to_owned());
    let read = sources.and_then(|sources| {
        let config = Config::load_with(&sources, &variable)?;
        TelemetrySettings::read(config.settings.service.telemetry.as_ref())?;
        Blueprint::new(&config.settings, &Registry::standard())
    });
    read.err().map(|error| error.to_string())
}

#[test]
fn an_error_never_shows_what_may_be_a_secret_whatever_its_shape() {
    let keys = [
        "extensions.basicauth",
        "extensions.basicauth.client_auth",
        "extensions.basicauth.htpasswd",
        "extensions.basicauth.htpasswd.inline",
        "extensions.basicauth.client_auth.password",
        "extensions.bearertokenauth",
        "extensions.bearertokenauth.token",
        "extensions.bearertokenauth.tokens",
        "exporters.otlp_http.headers",
        "exporters.otlp_http.headers.x-key",
        "exporters.otlp_http.tls.key_pem",
        "exporters.otlp_http.auth",
        "service.telemetry.metrics.readers",
        "service.telemetry.metrics.readers.headers",
    ];
    let shapes = [
        "u:hunter2",
        "'u:hunter2'",
        "${env:X}",
        "${X}",
        "p${env:X}",
        "[u:hunter2]",
        "[[u:hunter2]]",
        "[{u:hunter2}]",
        "[{name: a, value: [u:hunter2]}]",
        "[{name: hunter2}]",
        "{u:hunter2}",
        "{a: [u:hunter2]}",
        "{a: {b: u:hunter2}}",
        "{a: {u:hunter2}}",
    ];
    let mut seen = 0;
    for key in keys {
        for shape in shapes {
            // A text is taken where a text belongs.
            let Some(error) = refused(key, shape) else { continue };
            assert!(!error.contains("hunter2"), "{key}={shape}: {error}");
            seen += 1;
        }
    }
    assert!(seen > 150, "{seen} of {}", keys.len() * shapes.len());
}

#[test]
fn an_error_beside_a_secret_says_still_what_is_wrong() {
    for (key, value, said) in [
        ("extensions.basicauth.client_auth", "u:x", "client_auth: a single value is not a mapping"),
        ("extensions.basicauth.client_auth.password", "[a]", "password: a list is not a string"),
        ("extensions.basicauth.client_auth.pasword", "a", "did you mean \"password\"?"),
        ("extensions.basicauth.client_auth", "{u:x}", "unknown key; accepted: username"),
        ("extensions.basicauth.client_auth.aws_secrets_manager", "{a: b}", "not supported here"),
        ("exporters.otlp_http.headers", "a", "headers: text is not a mapping of header names"),
        ("exporters.otlp_http.timeout", "soon", "\"soon\" is not a time such as 200ms"),
        ("exporters.otlp_http.endpoint", "ftp://u:p@a/?k=x", "endpoint: "),
    ] {
        let error = refused(key, value).unwrap();
        assert!(error.contains(said), "{key}={value}: {error}");
    }
    let error = Source::set("extensions.basicauth.client_auth.password:hunter2").unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_comes_back(text in any::<String>(), key in "[a-z][a-z_]{0,8}|[ -~]{1,12}") {
        let quoted = serde_json::Value::from(text.as_str());
        let key = serde_json::Value::from(key.as_str());
        let yaml = format!(
            "receivers: {{otlp: {{{key}: {quoted}, n: [1, {quoted}, {{a: {quoted}}}]}}}}\nexporters: {{nop: }}\n\
             service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}}}"
        );
        // Text that a reference or a character makes unreadable is no matter of printing.
        if let Ok(config) = Config::load_with(&[Source::Yaml(yaml)], &|_| None) {
            let printed = config.to_yaml(Secrets::Shown);
            prop_assert_eq!(load(&printed).to_yaml(Secrets::Shown), printed);
        }
    }
}
