//! Prometheus text.

use std::collections::BTreeMap;

use otlp_collector::config::{Config, Source};
use otlp_collector::telemetry::{Telemetry, TelemetrySettings, start};
use otlp_core::export::Deadline;

use crate::support::{Site, back_end_is_away, get, raw, with_pipeline};

/// The telemetry of a collector, of these settings.
async fn telemetry(site: &Site, settings: &str) -> Telemetry {
    start(&settings_of(settings), site.0.board()).await.unwrap()
}

fn settings_of(settings: &str) -> TelemetrySettings {
    let yaml = format!("{}  telemetry: {settings}\n", with_pipeline("", "", "", "nop"));
    let config = Config::load_with(&[Source::Yaml(yaml)], &|_| None).unwrap();
    TelemetrySettings::read(config.settings.service.telemetry.as_ref()).unwrap()
}

/// Whether Prometheus takes the name of a metric or of a label.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// The names of the labels; no value in these tests has a comma or a quote.
fn label_names(series: &str) -> Vec<&str> {
    let labels = series.split_once('{').map(|(_, rest)| rest.strip_suffix('}').unwrap());
    let labels = labels.into_iter().flat_map(|labels| labels.split(','));
    labels.map(|label| label.split_once("=\"").unwrap().0).collect()
}

/// Samples by name and labels, read by the rules of the format.
fn samples(text: &str) -> BTreeMap<String, f64> {
    let mut typed = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert!(matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
            assert!(is_name(name), "{line}");
            assert!(typed.insert(name.to_owned(), kind).is_none(), "{name} stands twice");
        } else if !line.starts_with("# HELP ") {
            let (series, value) = line.rsplit_once(' ').unwrap();
            let name = series.split('{').next().unwrap();
            assert!(typed.contains_key(name), "{line} has no type");
            assert!(label_names(series).iter().all(|name| is_name(name)), "{line}");
            let value: f64 = value.parse().unwrap();
            assert!(samples.insert(series.to_owned(), value).is_none(), "{series} stands twice");
        }
    }
    samples
}

const FREE: &str = "{metrics: {readers: [{pull: {exporter: {prometheus: {host: 127.0.0.1, port: 0}}}}]}, \
                    resource: {service.instance.id: '7', service.version: v}}";

#[tokio::test]
async fn what_passes_is_counted_under_the_names_of_the_go_collector() {
    let site = Site::start(&with_pipeline("", "", "", "scripted")).await;
    let telemetry = telemetry(&site, FREE).await;
    let address = telemetry.addresses()[0];
    assert_eq!(site.send_span("").await.status, 200);
    back_end_is_away();
    assert_eq!(site.send_span("").await.status, 503);
    let bad = b"POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                content-type: application/x-protobuf\r\ncontent-length: 1\r\n\r\n\xff";
    assert_eq!(raw(site.otlp(), bad).await.status, 400);

    let answer = get(address, "/metrics").await;
    assert_eq!(answer.status, 200);
    let content = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(answer.head.contains(content), "{}", answer.head);
    let samples = samples(&answer.body);
    // Names and labels as the Go collector 0.158 writes them by default.
    for (series, value) in [
        ("otelcol_receiver_accepted_spans{receiver=\"otlp\",transport=\"http\"}", 1.0),
        ("otelcol_receiver_refused_spans{receiver=\"otlp\",transport=\"http\"}", 1.0),
        ("otelcol_receiver_failed_spans{receiver=\"otlp\",transport=\"http\"}", 0.0),
        ("otelcol_exporter_sent_spans{exporter=\"scripted\"}", 1.0),
        ("otelcol_exporter_send_failed_spans{exporter=\"scripted\"}", 1.0),
        (
            "target_info{service_instance_id=\"7\",service_name=\"otlp-collector\",service_version=\"v\"}",
            1.0,
        ),
        // And ours.
        (
            "otelcol_receiver_requests{otel_signal=\"traces\",outcome=\"failure\",receiver=\"otlp\",transport=\"http\"}",
            1.0,
        ),
        ("otelcol_pipeline_received_items{pipeline=\"traces/x\"}", 2.0),
        ("otelcol_pipeline_refused_items{pipeline=\"traces/x\"}", 1.0),
        ("otelcol_pipeline_ready{pipeline=\"traces/x\"}", 1.0),
        ("otelcol_budget_used_bytes", 0.0),
    ] {
        assert_eq!(samples.get(series), Some(&value), "{series} in {:#?}", samples);
    }
    assert!(samples["otelcol_process_uptime"] > 0.0);
    #[cfg(target_os = "linux")]
    assert!(samples["otelcol_process_memory_rss"] > 1e6);
    assert_eq!(get(address, "/").await.status, 404);
    telemetry.stop(Deadline::NEVER).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn processors_and_queues_are_counted_each_with_its_labels() {
    let yaml = "
receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:0'}}}}
processors:
  attributes: {actions: [{key: a, value: b, action: upsert}]}
exporters: {nop: }
service:
  pipelines:
    traces: {receivers: [otlp], processors: [attributes], exporters: [nop]}
    logs: {receivers: [otlp], processors: [attributes], exporters: [nop]}
";
    let site = Site::start(yaml).await;
    let telemetry = telemetry(&site, FREE).await;
    assert_eq!(site.send_span("").await.status, 200);
    let samples = samples(&get(telemetry.addresses()[0], "/metrics").await.body);
    for name in ["incoming", "outgoing"] {
        let series = |signal: &str| {
            let labels =
                format!("otel_signal=\"{signal}\",pipeline=\"{signal}\",processor=\"attributes\"");
            format!("otelcol_processor_{name}_items{{{labels}}}")
        };
        assert_eq!(samples.get(&series("traces")), Some(&1.0), "{samples:#?}");
        assert_eq!(samples.get(&series("logs")), Some(&0.0));
    }
}

#[tokio::test]
async fn what_a_filter_drops_is_counted_as_the_go_collector_does() {
    let yaml = "
receivers: {otlp: {protocols: {http: {endpoint: '127.0.0.1:0'}}}}
processors:
  filter/x: {spans: {include: {match_type: strict, span_names: [no span has this name]}}}
exporters: {nop: }
service:
  pipelines:
    traces: {receivers: [otlp], processors: [filter/x], exporters: [nop]}
    metrics: {receivers: [otlp], processors: [filter/x], exporters: [nop]}
    logs: {receivers: [otlp], processors: [filter/x], exporters: [nop]}
";
    let site = Site::start(yaml).await;
    let telemetry = telemetry(&site, FREE).await;
    assert_eq!(site.send_span("").await.status, 200);
    let samples = samples(&get(telemetry.addresses()[0], "/metrics").await.body);
    for (items, signal, dropped) in
        [("spans", "traces", 1.0), ("datapoints", "metrics", 0.0), ("logs", "logs", 0.0)]
    {
        // The Go collector has the first label alone.
        let series = format!(
            "otelcol_processor_filter_{items}_filtered{{filter=\"filter/x\",otel_signal=\"{signal}\",\
             pipeline=\"{signal}\",processor=\"filter/x\"}}"
        );
        assert_eq!(samples.get(&series), Some(&dropped), "{series} in {samples:#?}");
    }
}

#[tokio::test]
async fn no_level_means_no_port_and_a_port_that_is_taken_is_named() {
    let site = Site::start(&with_pipeline("", "", "", "nop")).await;
    let none = telemetry(&site, "{metrics: {level: none}}").await;
    assert!(none.addresses().is_empty());
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let settings = settings_of(&format!("{{metrics: {{address: '{address}'}}}}"));
    let error = start(&settings, site.0.board()).await.unwrap_err().to_string();
    assert!(error.starts_with("service::telemetry::metrics: endpoint:"), "{error}");
    assert!(error.contains(&address));
}
