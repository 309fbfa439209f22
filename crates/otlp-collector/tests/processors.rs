//! A collector with all processors, between the official SDK and a server.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use opentelemetry::trace::{Span as _, TraceContextExt as _, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_collector::admission::Budget;
use otlp_collector::config::{Config, Source};
use otlp_collector::engine::{Blueprint, Collector};
use otlp_collector::registry::Registry;
use otlp_core::export::Deadline;
use otlp_testing::Server;

const TRACES: usize = 300;

async fn collector(server: &Server) -> Collector {
    let yaml = format!(
        "
        receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}
        processors:
          memory_limiter: {{check_interval: 1s, limit_percentage: 90}}
          resourcedetection: {{detectors: [system, process]}}
          resource: {{attributes: [{{key: env, value: test, action: insert}}]}}
          filter: {{spans: {{exclude: {{match_type: strict, span_names: [health]}}}}}}
          attributes: {{actions: [{{key: user, action: hash}}]}}
          probabilistic_sampler: {{mode: proportional, sampling_percentage: 50}}
          batch: {{send_batch_size: 100, send_batch_max_size: 100}}
        exporters: {{otlp_grpc: {{endpoint: '{}', tls: {{insecure: true}}}}}}
        service:
          pipelines:
            traces:
              receivers: [otlp]
              processors: [memory_limiter, resourcedetection, resource, filter, attributes, probabilistic_sampler, batch]
              exporters: [otlp_grpc]
        ",
        server.grpc_addr()
    );
    let config = Config::load_with(&[Source::Yaml(yaml)], &|_| None).unwrap();
    let blueprint = Blueprint::new(&config.settings, &Registry::standard()).unwrap();
    blueprint.start(Budget::new(64 << 20)).await.unwrap()
}

/// Traces of two spans each, and one more of a health check.
fn emit(provider: &SdkTracerProvider) {
    let tracer = provider.tracer("test");
    for _ in 0..TRACES {
        let mut parent = tracer.start("buy");
        parent.set_attribute(opentelemetry::KeyValue::new("user", "jane"));
        let context = opentelemetry::Context::new().with_span(parent);
        tracer.start_with_context("pay", &context).end();
        tracer.start_with_context("health", &context).end();
        context.span().end();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn spans_of_the_official_sdk_pass_all_processors_and_all_are_accounted_for() {
    let server = Server::start();
    let collector = collector(&server).await;
    let endpoint = format!("http://{}", collector.listener("otlp", "grpc").unwrap());
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build().unwrap();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    emit(&provider);
    tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap().unwrap();
    let measured = collector.board().measurements();
    let ledger = collector.stop(Deadline::after(Instant::now(), Duration::from_secs(20))).await;
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");

    let dropped: BTreeMap<_, _> = ledger.pipelines[0].dropped.iter().cloned().collect();
    assert_eq!(dropped["filter: filtered"], TRACES as u64, "{ledger}");
    let not_sampled = dropped["probabilistic_sampler: not_sampled"];
    let arrived = check(&server);
    assert_eq!(arrived.values().sum::<usize>() as u64 + not_sampled, 2 * TRACES as u64, "{ledger}");
    assert!(arrived.values().all(|spans| *spans == 2), "traces are sampled as a whole");
    // Half of them, with more than enough room for chance.
    assert!((90..=210).contains(&arrived.len()), "{}", arrived.len());

    let names: Vec<_> = measured.iter().map(|(what, _)| what.name).collect();
    for name in [
        "otelcol_processor_batch_batch_send_size",
        // As it is sent over OTLP; Prometheus reads it with `_`.
        "otelcol_processor_filter_spans.filtered",
        "otelcol_processor_incoming_items",
        "otelcol_processor_memory_limiter_accepted_spans",
        "otelcol_processor_probabilistic_sampler_count_traces_sampled",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
}

/// Checks every span that arrived, and counts them by trace.
fn check(server: &Server) -> BTreeMap<String, usize> {
    assert_eq!(server.problems(), Vec::<String>::new());
    let mut traces = BTreeMap::new();
    for span in server.spans() {
        let attributes = &span.resource.attributes;
        for key in ["host.name", "os.type", "process.pid", "env"] {
            assert!(attributes.iter().any(|it| it.key == key), "{key}: {attributes:?}");
        }
        assert_eq!(span.span.trace_state, "ot=th:8");
        let user = span.span.attributes.iter().find(|it| it.key == "user");
        let user = user.and_then(|it| it.value.clone()).and_then(|it| it.value);
        match (span.name(), user) {
            ("buy", Some(Value::StringValue(hash))) => assert_eq!(hash.len(), 64),
            ("pay", None) => {}
            other => panic!("{other:?}"),
        }
        *traces.entry(span.trace_id()).or_insert(0) += 1;
    }
    traces
}
