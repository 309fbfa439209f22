//! The proxy variables, each case in a process of its own since the environment is the process's.

use std::process::Command;

use otlp_testing::Server;

use super::*;

/// What the child exports to; no resolver knows it.
const ENDPOINT: &str = "http://collector.invalid:4318";

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

fn child_delivers(variables: &[(&str, &str)]) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["proxy::child", "--exact", "--ignored"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        child.env_remove(name).env_remove(name.to_lowercase());
    }
    // Otherwise HTTP_PROXY is taken for a header of a CGI request.
    child.env_remove("REQUEST_METHOD");
    child.envs(variables.iter().copied());
    child.output().unwrap().status.success()
}

#[tokio::test]
#[ignore = "the child of the tests above"]
async fn child() {
    let outcome = export(&exporter(ENDPOINT)).await;
    assert!(is_delivered(&outcome), "{outcome:?}");
}
