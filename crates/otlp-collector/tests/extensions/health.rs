//! `health_check`.

use std::time::Duration;

use serde_json::json;

use crate::support::{
    Site, back_end_is_away, back_end_is_back, blueprint, get, with_pipeline, yaml,
};

const LOCAL: &str = "health_check: {endpoint: '127.0.0.1:0'}";

#[tokio::test]
async fn a_collector_that_runs_says_so_in_the_words_of_the_go_collector() {
    let site = Site::start(&yaml(LOCAL, "health_check")).await;
    let health = site.extension("health_check");
    let answer = get(health, "/").await;
    assert_eq!(answer.status, 200);
    assert!(answer.head.contains("content-type: application/json"), "{}", answer.head);
    let body = answer.json();
    assert_eq!(body["status"], "Server available");
    assert!(body["upSince"].as_str().unwrap().ends_with('Z'));
    assert!(body["uptime"].as_str().unwrap().ends_with('s'));
    // Its default path stands for all paths, as in Go.
    assert_eq!(get(health, "/whatever").await.status, 200);
    assert_eq!(get(health, "/livez").await.json(), json!({"status": "alive"}));
    assert_eq!(site.stop().await.unaccounted(), 0);
}

#[tokio::test]
async fn the_path_and_what_is_answered_there_can_be_chosen() {
    let settings = "health_check: {endpoint: '127.0.0.1:0', path: /health/status, \
                    response_body: {healthy: fine, unhealthy: ill}}";
    let site = Site::start(&yaml(settings, "health_check")).await;
    let health = site.extension("health_check");
    assert_eq!(get(health, "/health/status").await.body, "fine");
    assert_eq!(get(health, "/").await.status, 404);
    assert_eq!(get(health, "/health/status/more").await.status, 404);
}

#[tokio::test]
async fn a_pipeline_whose_back_end_has_been_away_is_not_ready_and_says_why() {
    let settings = "health_check: {endpoint: '127.0.0.1:0'}, \
                    health_check/all: {endpoint: '127.0.0.1:0', check_collector_pipeline: {enabled: true}}";
    let names = "health_check, health_check/all";
    let site = Site::start(&with_pipeline(settings, names, "", "scripted")).await;
    let (health, all) = (site.extension("health_check"), site.extension("health_check/all"));
    let ready = get(health, "/readyz").await;
    assert_eq!(ready.status, 200);
    let expected =
        json!({"status": "ready", "phase": "running", "pipelines": {"traces/x": {"ready": true}}});
    assert_eq!(ready.json(), expected);
    back_end_is_away();
    assert_eq!(site.send_span("").await.status, 503);
    assert_eq!(get(health, "/readyz").await.status, 200, "once is no outage");

    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(31)).await;
    tokio::time::resume();
    let answer = get(health, "/readyz").await;
    assert_eq!(answer.status, 503);
    let problem = answer.json()["pipelines"]["traces/x"]["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("scripted") && problem.contains("31 s"), "{problem}");
    assert_eq!(get(health, "/readyz?pipeline=traces%2Fx").await.status, 503);
    assert_eq!(get(health, "/readyz?pipeline=logs").await.status, 404);
    // To end a process because a back end is away would cost what it holds.
    assert_eq!(get(health, "/livez").await.status, 200);
    assert_eq!(get(health, "/").await.status, 200);
    assert_eq!(get(all, "/").await.status, 503);
    assert_eq!(get(all, "/").await.json()["status"], "Server not available");

    back_end_is_back();
    assert_eq!(site.send_span("").await.status, 200);
    assert_eq!(get(health, "/readyz").await.status, 200);
    assert_eq!(get(all, "/").await.status, 200);
    assert_eq!(site.stop().await.unaccounted(), 0);
}

#[test]
fn what_is_wrong_is_said_with_its_place_and_what_would_be_accepted() {
    let wrong = |settings: &str| {
        blueprint(&yaml(&format!("health_check: {{{settings}}}"), "health_check"))
            .unwrap_err()
            .to_string()
    };
    assert!(wrong("endpont: x").ends_with("unknown key \"endpont\"; did you mean \"endpoint\"?"));
    assert!(wrong("path: health").contains("path: \"health\" does not start with \"/\""));
    assert!(wrong("endpoint: ''").contains("endpoint: it must name host and port"));
    assert!(wrong("tls: {cert_file: a}").contains("not supported here"));
    assert!(wrong("use_v2: true").contains("not supported here"));
    assert!(wrong("response_headers: {'a b': c}").contains("the name of the header \"a b\""));
    assert!(wrong("response_body: {healthi: x}").contains("did you mean \"healthy\"?"));
    // And what is right is taken, also where it has no effect.
    let all = "endpoint: 'localhost:0', read_timeout: 5s, keep_alives_enabled: false, \
               check_collector_pipeline: {enabled: false, interval: 5m, exporter_failure_threshold: 5}";
    blueprint(&yaml(&format!("health_check: {{{all}}}"), "health_check")).unwrap();
    blueprint(&yaml("health_check: ", "health_check")).unwrap();
}

#[tokio::test]
async fn an_address_that_is_taken_is_named_with_the_extension() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let settings = format!("health_check: {{endpoint: '{address}'}}");
    let error = Site::try_start(&yaml(&settings, "health_check")).await.unwrap_err().to_string();
    assert!(error.starts_with("extension \"health_check\" does not start: endpoint:"), "{error}");
    assert!(error.contains(&address.to_string()));
}
