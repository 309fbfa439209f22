//! The proxy variables, each case in a process of its own since the environment is the process's.

use std::process::Command;

use otlp_testing::{RawAnswer, RawServer, Reply, Server};

use super::*;

/// What the child exports to; no resolver knows it.
const ENDPOINT: &str = "http://collector.invalid:4318";

/// Another endpoint for the child.
const ENDPOINT_VARIABLE: &str = "OTLP_TEST_ENDPOINT";

/// What the child prints when it has delivered.
const DELIVERED: &str = "all was delivered";

#[test]
fn a_proxy_from_the_environment_is_used() {
    // The server does not mind being asked for another host.
    let proxy = Server::start();
    assert!(child_delivers(&[("HTTP_PROXY", &proxy.http_endpoint())]));
    let requests = proxy.requests();
    assert_eq!(requests[0].header("host"), Some("collector.invalid:4318"));
}

#[test]
fn hosts_in_no_proxy_are_asked_directly() {
    let proxy = Server::start();
    let endpoint = proxy.http_endpoint();
    assert!(!child_delivers(&[("HTTP_PROXY", &endpoint), ("NO_PROXY", "collector.invalid")]));
    assert!(child_delivers(&[("HTTP_PROXY", &endpoint), ("NO_PROXY", "another.invalid")]));
    assert_eq!(proxy.counts().arrived, 1);
}

#[tokio::test]
async fn a_proxy_that_is_set_is_used_for_everything() {
    let (proxy, server) = (Server::start(), Server::start());
    let set = || proxy.http_endpoint().replace("http://", "http://user:hunter2@");
    for endpoint in [ENDPOINT.to_owned(), server.http_endpoint()] {
        let builder = builder(endpoint).with_proxy(set());
        assert!(!format!("{builder:?}").contains("hunter2"), "{builder:?}");
        let exporter = built(builder);
        assert!(!format!("{exporter:?}").contains("hunter2"), "{exporter:?}");
        let outcome = export(&exporter).await;
        assert!(is_delivered(&outcome), "{outcome:?}");
    }
    assert_eq!((proxy.counts().arrived, server.counts().arrived), (2, 0));
    assert_eq!(proxy.requests()[0].header("host"), Some("collector.invalid:4318"));
}

#[test]
fn what_is_set_and_is_no_proxy_is_refused_without_its_password() {
    for url in ["http://user:hunter2@proxy:notaport", "ftp://user:hunter2@proxy", "http://", ""] {
        let error = builder(ENDPOINT).with_proxy(url).build_with(&Env::empty()).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("proxy") && text.contains("accepted: http://host:port"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn a_proxy_that_cannot_be_reached_is_named_without_its_password() {
    let proxy = RawServer::start(RawAnswer::CloseAtOnce).addr();
    let url = format!("http://user:hunter2@{proxy}");
    let text = child_says(&[("HTTP_PROXY", &url)]);
    assert!(text.contains(&format!("{ENDPOINT}/v1/traces through the proxy http://{proxy} ")));
    assert!(text.contains("refused") && text.contains("HTTP_PROXY"), "{text}");
    assert!(!text.contains("hunter2"), "{text}");
}

#[test]
fn a_server_on_this_machine_is_reached_without_a_proxy() {
    let server = Server::start();
    let nobody = RawServer::start(RawAnswer::CloseAtOnce).endpoint("http");
    let variables = [("HTTP_PROXY", nobody.as_str()), ("ALL_PROXY", &nobody)];
    let endpoint = server.http_endpoint();
    assert!(child_delivers(&[variables[0], variables[1], (ENDPOINT_VARIABLE, &endpoint)]));
    assert_eq!(server.counts().items, 1);
}

#[test]
fn a_proxy_that_does_not_answer_is_named() {
    let proxy = RawServer::start(RawAnswer::Silent);
    let text = child_says(&[("ALL_PROXY", &proxy.endpoint("http"))]);
    let named = format!("{ENDPOINT}/v1/traces through the proxy {}: ", proxy.endpoint("http"));
    assert!(text.contains(&named) && text.contains("deadline"), "{text}");
}

#[test]
fn a_proxy_that_sends_its_password_back_does_not_reveal_it() {
    let proxy = Server::start();
    let said = "no hunter2, no Basic dXNlcjpodW50ZXIy";
    proxy.respond_with(Reply::http(407).with_body(said));
    let url = format!("http://user:hunter2@{}", proxy.http_addr());
    let text = child_says(&[("HTTP_PROXY", &url)]);
    assert_eq!(proxy.requests()[0].header("proxy-authorization"), Some("Basic dXNlcjpodW50ZXIy"));
    assert!(text.contains("no ***, no ***") && text.contains("407"), "{text}");
    assert!(!text.contains("hunter2") && !text.contains("dXNlcj"), "{text}");
}

#[test]
fn hosts_in_no_proxy_are_not_said_to_be_behind_one() {
    let gone = RawServer::start(RawAnswer::CloseAtOnce).endpoint("http");
    let proxy = [("HTTP_PROXY", gone.as_str()), ("NO_PROXY", "127.0.0.1")];
    let text = child_says(&[proxy[0], proxy[1], (ENDPOINT_VARIABLE, &gone)]);
    assert!(text.contains("refused") && !text.contains("through the proxy"), "{text}");
}

fn child_delivers(variables: &[(&str, &str)]) -> bool {
    child(variables).contains(DELIVERED)
}

/// The message of the child's export, which fails.
fn child_says(variables: &[(&str, &str)]) -> String {
    let text = child(variables);
    assert!(text.contains("POST") && !text.contains(DELIVERED), "{text}");
    text
}

/// What the child prints.
fn child(variables: &[(&str, &str)]) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["proxy::exporting_child", "--exact", "--ignored", "--nocapture"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        child.env_remove(name).env_remove(name.to_lowercase());
    }
    // Otherwise HTTP_PROXY is taken for a header of a CGI request.
    child.env_remove("REQUEST_METHOD");
    child.envs(variables.iter().copied());
    let output = child.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
#[ignore = "the child of the tests above"]
async fn exporting_child() {
    let endpoint = std::env::var(ENDPOINT_VARIABLE).unwrap_or_else(|_| ENDPOINT.to_owned());
    let exporter = exporter(endpoint);
    let deadline = Deadline::after(Instant::now(), Duration::from_secs(1));
    let outcome = exporter.export(payload(&["one"]), deadline).await;
    if is_delivered(&outcome) {
        println!("{DELIVERED}");
    } else {
        println!("{exporter:?} {outcome:?} {}", message(&outcome));
    }
}
