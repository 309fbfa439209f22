//! Metrics over OTLP.

use std::time::{Duration, Instant};

use otlp_collector::config::{Config, Source};
use otlp_collector::telemetry::{TelemetrySettings, start};
use otlp_core::Signal;
use otlp_core::export::Deadline;
use otlp_testing::Server;

use crate::support::{Site, with_pipeline};

fn settings(otlp: &str, interval: u64) -> TelemetrySettings {
    let telemetry = format!(
        "{{metrics: {{readers: [{{periodic: {{interval: {interval}, exporter: {{otlp: {{{otlp}}}}}}}}}]}}}}"
    );
    let yaml = format!("{}  telemetry: {telemetry}\n", with_pipeline("", "", "", "nop"));
    let config = Config::load_with(&[Source::Yaml(yaml)], &|_| None).unwrap();
    TelemetrySettings::read(config.settings.service.telemetry.as_ref()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_reach_a_server_over_each_protocol_now_and_then_and_at_the_end() {
    let server = Server::start();
    for (protocol, endpoint) in [
        ("grpc", server.grpc_addr().to_string()),
        ("http/protobuf", server.http_addr().to_string()),
        ("http/json", format!("{}/v1/metrics", server.http_endpoint())),
    ] {
        server.clear();
        let site = Site::start(&with_pipeline("", "", "", "nop")).await;
        assert_eq!(site.send_span("").await.status, 200);
        let otlp = format!(
            "protocol: {protocol}, endpoint: '{endpoint}', insecure: true, compression: gzip, \
             headers: [{{name: x-tenant, value: blue}}]"
        );
        let telemetry = start(&settings(&otlp, 100), site.0.board()).await.unwrap();
        assert!(telemetry.addresses().is_empty(), "nobody pulls unless that is asked for");
        server.wait_for_items(Signal::Metrics, 1, Duration::from_secs(10)).unwrap();
        // What is sent last are the numbers of the end, also where the collector is gone.
        assert_eq!(site.stop().await.unaccounted(), 0);
        let before = server.requests().len();
        telemetry.stop(Deadline::after(Instant::now(), Duration::from_secs(5))).await;
        let requests = server.requests();
        assert!(requests.len() > before, "{protocol}: the last numbers are sent at the end");
        let last = requests.last().unwrap();
        assert_eq!(last.header("x-tenant"), Some("blue"));
        let text = format!("{:?}", last.message);
        for word in
            ["otelcol_receiver_accepted_spans", "otelcol_process_uptime", "service.instance.id"]
        {
            assert!(text.contains(word), "{protocol}: {word}");
        }
        assert!(server.problems().is_empty(), "{:?}", server.problems());
    }
}

#[tokio::test]
async fn a_server_that_is_away_costs_the_end_no_more_than_its_deadline() {
    let silent = otlp_testing::RawServer::start(otlp_testing::RawAnswer::Silent);
    let site = Site::start(&with_pipeline("", "", "", "nop")).await;
    let otlp = format!("protocol: http/protobuf, endpoint: '{}', insecure: true", silent.addr());
    let telemetry = start(&settings(&otlp, 100), site.0.board()).await.unwrap();
    let connected = tokio::task::spawn_blocking(move || {
        assert!(silent.wait_for_connections(1, Duration::from_secs(10)));
        silent
    });
    let _silent = connected.await.unwrap();
    telemetry.stop(Deadline::after(Instant::now(), Duration::from_millis(200))).await;
}

#[tokio::test]
async fn what_cannot_be_opened_is_named_at_the_start() {
    let site = Site::start(&with_pipeline("", "", "", "nop")).await;
    let otlp = "protocol: grpc, endpoint: 'https://x:1', certificate: /nowhere/ca.pem";
    let error = start(&settings(otlp, 100), site.0.board()).await.unwrap_err().to_string();
    let place = "service::telemetry::metrics::readers::periodic::exporter::otlp: ";
    assert!(error.starts_with(place) && error.contains("/nowhere/ca.pem"), "{error}");
}
