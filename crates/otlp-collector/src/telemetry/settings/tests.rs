use super::*;
use crate::config::{Config, Source};

fn read(telemetry: &str) -> Result<TelemetrySettings, ConfigError> {
    let yaml = format!(
        "
receivers: {{otlp: }}
exporters: {{nop: }}
service:
  telemetry: {telemetry}
  pipelines: {{traces: {{receivers: [otlp], exporters: [nop]}}}}
"
    );
    let config = Config::load_with(&[Source::Yaml(yaml)], &|_| None).unwrap();
    TelemetrySettings::read(config.settings.service.telemetry.as_ref())
}

fn wrong(telemetry: &str) -> String {
    read(telemetry).unwrap_err().to_string()
}

#[test]
fn without_a_word_there_is_prometheus_text_on_8888_and_messages_from_info_on() {
    for settings in [TelemetrySettings::read(None).unwrap(), read("").unwrap(), read("{}").unwrap()]
    {
        let pulls = settings.metrics.pulls();
        assert_eq!(pulls[0].0, "localhost:8888");
        assert_eq!((pulls.len(), settings.metrics.pushes().count()), (1, 0));
        assert_eq!(settings.logs.level, LogLevel::Info);
        assert_eq!(settings.logs.encoding, LogEncoding::Console);
        assert_eq!(settings.logs.sampling, SamplingSettings::default());
        assert!(settings.warnings().is_empty(), "{:?}", settings.warnings());
    }
}

#[test]
fn the_keys_of_the_go_collector_are_read() {
    let settings = read(
        "{logs: {level: DEBUG, encoding: json, sampling: {enabled: true, tick: 5s, initial: 1, thereafter: 2}, \
         output_paths: [stdout, /tmp/x], initial_fields: {a: b, n: 1}, disable_caller: true}, \
         traces: {level: none, processors: []}, resource: {service.name: edge, service.version: null}, \
         metrics: {level: Detailed, readers: [{pull: {exporter: {prometheus: {host: '::1', port: 1}}}}, \
         {periodic: {interval: 1000, exporter: {otlp: {protocol: http/protobuf, endpoint: 'x:4318', \
         insecure: true, headers_list: 'c=d', headers: [{name: a, value: b}], temporality_preference: cumulative}}}}]}}",
    )
    .unwrap();
    assert_eq!(settings.logs.level, LogLevel::Debug);
    assert_eq!(settings.logs.output_paths, ["stdout", "/tmp/x"]);
    assert_eq!(settings.logs.initial_fields["n"], "1");
    let attributes = [
        ("service.name".to_owned(), Some("edge".to_owned())),
        ("service.version".to_owned(), None),
    ];
    assert_eq!(settings.resource.attributes, attributes);
    assert_eq!(settings.metrics.pulls()[0].0, "[::1]:1");
    let push = settings.metrics.pushes().next().unwrap();
    let otlp = &push.exporter.otlp;
    assert_eq!((push.interval.as_secs(), push.timeout.as_secs()), (1, 30));
    assert_eq!(otlp.url(), "http://x:4318");
    assert_eq!(otlp.all_headers().unwrap().len(), 2);
    assert!(settings.warnings().is_empty(), "{:?}", settings.warnings());
}

#[test]
fn forms_of_earlier_versions_are_read_too() {
    let settings = read(
        "{metrics: {address: '127.0.0.1:7', readers: [{periodic: {exporter: {otlp: \
         {protocol: grpc/protobuf, endpoint: 'https://x', headers: {a: b}}}}}]}, \
         resource: {attributes: [{name: k, value: v, type: string}]}}",
    )
    .unwrap();
    assert_eq!(settings.metrics.pulls()[0].0, "127.0.0.1:7");
    assert_eq!(settings.metrics.pulls().len(), 1);
    let push = settings.metrics.pushes().next().unwrap();
    assert_eq!(push.exporter.otlp.all_headers().unwrap().get("a").unwrap().expose(), "b");
    assert_eq!(settings.resource.attributes, [("k".to_owned(), Some("v".to_owned()))]);
    assert_eq!(settings.warnings().len(), 1);
}

#[test]
fn what_is_wrong_has_its_place_and_what_is_accepted() {
    assert!(
        wrong("{metric: {}}").contains("service::telemetry: unknown key \"metric\"; did you mean")
    );
    assert!(wrong("{logs: {level: loud}}").contains("logs::level: unknown level; accepted: debug"));
    let empty = wrong("{metrics: {readers: []}}");
    assert!(empty.contains("service::telemetry::metrics::readers: the list is empty"), "{empty}");
    assert!(wrong("{metrics: {readers: [{}]}}").contains("one of pull and periodic"));
    assert!(
        wrong("{metrics: {readers: [{pull: {exporter: {}}}]}}")
            .contains("\"prometheus\" is missing")
    );
    let otlp = |keys: &str| {
        wrong(&format!(
            "{{metrics: {{readers: [{{periodic: {{exporter: {{otlp: {{{keys}}}}}}}}}]}}}}"
        ))
    };
    assert!(otlp("protocol: udp, endpoint: x").contains("unknown value \"udp\""));
    assert!(otlp("protocol: grpc").contains("\"endpoint\" is missing"));
    assert!(otlp("protocol: grpc, endpoint: ''").contains("it must name a host"));
    assert!(otlp("protocol: grpc, endpoint: x, client_key: k").contains("go together"));
    assert!(otlp("protocol: grpc, endpoint: x, temporality_preference: delta").contains("delta"));
    let secret = otlp("protocol: grpc, endpoint: x, headers: {host: S3CRET}");
    assert!(secret.contains("\"host\"") && !secret.contains("S3CRET"), "{secret}");
    let secret = otlp("protocol: grpc, endpoint: x, headers: 'a=S3CRET'");
    assert!(secret.contains("a list of name and value") && !secret.contains("S3CRET"), "{secret}");
    assert!(wrong("{resource: {detectors: {}}}").contains("not supported here"));
    assert!(wrong("{resource: {a: [1]}}").contains("text or null"));
    // None at all is no mistake where none are wanted.
    read("{metrics: {level: none, readers: []}}").unwrap();
}

#[test]
fn what_has_no_effect_is_said() {
    let settings = read(
        "{traces: {level: basic, processors: []}, metrics: {views: []}, logs: {processors: []}}",
    );
    let warnings = settings.unwrap().warnings();
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings.iter().all(|it| it.starts_with("service::telemetry::")));
}
