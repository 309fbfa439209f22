//! The keys of the exporters: what is read, and what is refused at its place.

use std::time::Duration;

use otlp_collector::component::Host;
use otlp_collector::sending::{BatchSizer, QueueSizer};
use otlp_core::Signal;

use crate::support::{destination, read};

fn refused(name: &str, settings: &str) -> String {
    match destination(name, settings) {
        Err(error) => error,
        Ok(read) => panic!("{name}: {settings} is taken: {read:?}"),
    }
}

#[test]
fn the_defaults_are_those_of_the_go_collector() {
    let sending = destination("otlp_grpc", "{endpoint: 'backend:4317'}").unwrap().sending();
    assert_eq!(sending.timeout, Duration::from_secs(5));
    assert!(sending.queue.enabled && sending.retry.enabled);
    assert_eq!((sending.queue.num_consumers.get(), sending.queue.queue_size.get()), (10, 1000));
    let sending = destination("otlp_http", "{endpoint: 'http://backend'}").unwrap().sending();
    assert_eq!(sending.timeout, Duration::from_secs(30));
}

#[test]
fn the_keys_of_the_go_collector_are_read() {
    let all = read(
        "
receivers: {otlp: {protocols: {http: }}}
exporters:
  otlp:
    endpoint: otelcol2:4317
    compression: zstd
    tls: {insecure: true, reload_interval: 1h}
    headers: {x-tenant: 7, authorization: Bearer abc}
    timeout: 8s
    keepalive: {time: 20s, timeout: 5s, permit_without_stream: true}
    balancer_name: pick_first
    wait_for_ready: true
    write_buffer_size: 524288
    read_buffer_size: 32768
    user_agent: acme/1
    sending_queue: {num_consumers: 4, queue_size: 50000, sizer: bytes, batch: {min_size: 10000}}
    retry_on_failure: {initial_interval: 3s, max_interval: 1m}
  otlp_grpc/unqueued:
    endpoint: dns:///backend:4317
    sending_queue: {enabled: false}
    retry_on_failure: {enabled: false}
  otlphttp:
    endpoint: https://example.com:4318/otlp
    traces_endpoint: https://traces.example.com/v1/traces
    encoding: json
    compression: gzip
    compression_params: {level: 6}
    proxy_url: http://user:hunter2@proxy:3128
    max_idle_conns: 100
    max_idle_conns_per_host: 3
    max_conns_per_host: 7
    idle_conn_timeout: 90s
    disable_keep_alives: false
    http2_read_idle_timeout: 10s
    http2_ping_timeout: 5s
    force_attempt_http2: true
    sending_queue: {queue_size: 500, block_on_overflow: true, wait_for_result: true}
    timeout: 10s
service: {pipelines: {traces: {receivers: [otlp], exporters: [otlp, otlp_grpc/unqueued, otlphttp]}}}
",
    )
    .unwrap();
    assert!(!format!("{all:?}").contains("hunter2") && !format!("{all:?}").contains("abc"));
    let sending = all[0].1.sending();
    assert_eq!(sending.timeout, Duration::from_secs(8));
    assert_eq!((sending.queue.num_consumers.get(), sending.queue.sizer), (4, QueueSizer::Bytes));
    // As the Go collector has it, a batch is counted as its queue is.
    let batch = sending.queue.batch.unwrap();
    assert_eq!((batch.sizer, batch.min_size), (BatchSizer::Bytes, 10000));
    assert_eq!(sending.retry.max_interval, Duration::from_secs(60));
    assert!(!all[1].1.sending().queue.enabled && !all[1].1.sending().retry.enabled);
    assert!(all[2].1.sending().queue.wait_for_result);
    let plain = [&all[0], &all[2]];
    for (name, exporter) in plain {
        let opened = exporter.open(&Host::alone(name.parse().unwrap()), Signal::Traces);
        if let Err(error) = &opened {
            // A machine without certificates.
            assert!(error.to_string().contains("certificates"), "{error}");
        }
    }
}

/// From the documentation of the Go collector's exporters.
#[test]
fn the_examples_of_the_go_collector_load_or_say_what_is_not_supported() {
    for (name, settings, said) in [
        (
            "otlp_grpc",
            "{endpoint: 'otelcol2:4317', tls: {cert_file: file.cert, key_file: file.key}}",
            "",
        ),
        ("otlp_grpc", "{endpoint: 'otelcol2:4317', tls: {insecure: true}}", ""),
        ("otlp_grpc", "{endpoint: 'localhost:4317', compression: none}", ""),
        ("otlp_grpc", "{endpoint: 'passthrough:///backend:4317'}", ""),
        ("otlp_grpc", "{endpoint: 'unix:///tmp/otlp.sock'}", "\"unix://\" is not supported"),
        (
            "otlp_grpc",
            "{endpoint: 'localhost:4317', tls: {cipher_suites: [A]}}",
            "not supported here",
        ),
        ("otlp_grpc", "{endpoint: 'localhost:4317', authority: other}", "not supported here"),
        (
            "otlp_grpc",
            "{endpoint: 'a:1', sending_queue: {storage: file_storage}}",
            "not supported here",
        ),
        ("otlp_http", "{endpoint: 'https://example.com:4318'}", ""),
        ("otlp_http", "{endpoint: 'https://example.com:4318', encoding: json}", ""),
        ("otlp_http", "{endpoint: 'https://example.com:4318', compression: none}", ""),
        ("otlp_http", "{endpoint: 'http://a', cookies: {enabled: true}}", "not supported here"),
        ("otlp_http", "{endpoint: 'http://a', middlewares: [{id: m}]}", "not supported here"),
        ("otlp_http", "{endpoint: 'http://a', compression: snappy}", "gzip, zstd, none"),
    ] {
        match destination(name, settings) {
            Ok(_) => assert_eq!(said, "", "{settings}"),
            Err(error) => assert!(!said.is_empty() && error.contains(said), "{settings}: {error}"),
        }
    }
}

#[test]
fn a_mistake_is_named_with_its_place_and_what_is_accepted() {
    for (name, settings, said) in [
        ("otlp_grpc", "{}", "endpoint: it is empty; accepted: host:port"),
        ("otlp_grpc", "{endpoint: localhost}", "has no port"),
        ("otlp_grpc", "{endpoint: 'http://user:hunter2@ho st:1'}", "endpoint: "),
        ("otlp_grpc", "{endpoint: 'localhost:http'}", "endpoint: "),
        ("otlp_grpc", "{endpoint: 'https://localhost:4317/path'}", "something behind the port"),
        ("otlp_grpc", "{endpoint: 'http://localhost:4317/'}", "something behind the port"),
        ("otlp_grpc", "{endpoint: 'localhost:4317/hunter2'}", "something behind the port"),
        ("otlp_grpc", "{endpoint: 'https://a:1?token=hunter2'}", "something behind the port"),
        ("otlp_http", "{endpoint: 'ftp://a/b?token=hunter2'}", "endpoint: "),
        ("otlp_http", "{endpoint: 'http://a b/?token=hunter2'}", "endpoint: "),
        ("otlp_grpc", "{endpoint: 'a:1', compresion: gzip}", "did you mean \"compression\"?"),
        ("otlp_grpc", "{endpoint: 'a:1', compression: gzp}", "did you mean \"gzip\"?"),
        ("otlp_grpc", "{endpoint: 'a:1', compression_params: {level: 11}}", "accepted: 1 to 9"),
        (
            "otlp_grpc",
            "{endpoint: 'a:1', compression: none, compression_params: {level: 1}}",
            "level",
        ),
        ("otlp_grpc", "{endpoint: 'a:1', headers: {'a b': c}}", "header name \"a b\" is not valid"),
        (
            "otlp_grpc",
            "{endpoint: 'a:1', headers: {content-type: hunter2}}",
            "cannot be overridden",
        ),
        ("otlp_grpc", "{endpoint: 'a:1', headers: [{name: a}]}", "\"value\" is missing"),
        ("otlp_grpc", "{endpoint: 'a:1', headers: 7}", "a mapping of header names"),
        ("otlp_grpc", "{endpoint: 'a:1', tls: {cert_file: c}}", "without key_file"),
        ("otlp_grpc", "{endpoint: 'a:1', tls: {ca_file: c, ca_pem: d}}", "one of them is accepted"),
        ("otlp_grpc", "{endpoint: 'a:1', tls: {insecur: true}}", "did you mean \"insecure\"?"),
        ("otlp_grpc", "{endpoint: 'a:1', balancer_name: xds}", "unknown value \"xds\""),
        ("otlp_grpc", "{endpoint: 'a:1', timeout: soon}", "timeout"),
        ("otlp_grpc", "{endpoint: 'a:1', retry_on_failure: {multiplier: 0}}", "multiplier"),
        ("otlp_grpc", "{endpoint: 'a:1', sending_queue: {queue_size: 0}}", "queue_size"),
        ("otlp_http", "{}", "endpoint: it is empty"),
        ("otlp_http", "{endpoint: 'localhost:4318'}", "endpoint: "),
        ("otlp_http", "{endpoint: 'http://a', logs_endpoint: 'ftp://a'}", "logs_endpoint: "),
        ("otlp_http", "{endpoint: 'http://a', encoding: xml}", "unknown value \"xml\""),
        (
            "otlp_http",
            "{endpoint: 'http://a', compression: zstd, compression_params: {level: 99}}",
            "-7 to 22",
        ),
    ] {
        let error = refused(name, settings);
        // The exporters stand in the second line.
        assert!(error.contains(said) && error.contains(":2:"), "{settings}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}
