//! Exports, with all of their attempts: how long they stay in flight, and what the server has answered.

use std::time::{Duration, Instant};

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::Signal;
use otlp_core::export::retry::RetryPolicy;
use otlp_core::export::{BoxedExporter, Env, ErrorKind, ExportError, Exporter, Outcome};
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::BatchConfig;
use otlp_sdk::trace::TracerProvider;
use otlp_testing::{Reply, Script, ScriptedExporter, Server};

use crate::watched::Watched;
use crate::{EXPORTED, HOUR, IN_FLIGHT, SCRIPTED, SIZE};

const DURATION: &str = "otel.sdk.exporter.operation.duration";

fn batched(exporter: impl Exporter, watched: &Watched) -> TracerProvider {
    // What is tried again waits for longer than a test.
    let retry = RetryPolicy::default().with_initial_backoff(HOUR).with_max_backoff(HOUR);
    let retry = retry.with_max_elapsed(None);
    let config = BatchConfig::default().with_schedule_delay(HOUR).with_retry(retry);
    let provider = TracerProvider::builder().with_batch_exporter_config(exporter, config).build();
    provider.observe(&watched.provider.meter("otlp-sdk"));
    provider
}

#[test]
fn what_waits_for_another_attempt_is_in_flight_all_the_while() {
    // rows O5, O6, O7
    let watched = Watched::start();
    let exporter = ScriptedExporter::new();
    let provider = batched(exporter.clone(), &watched);
    let error = ExportError::new(ErrorKind::HttpStatus(503), "busy");
    exporter.respond_with([Outcome::retryable(error).into()]);
    let tracer = provider.tracer("test");
    (0..2).for_each(|_| tracer.start("span").end());

    // A flush in vain that knows the answer comes after the attempt.
    let begun = Instant::now();
    loop {
        let waited = provider.force_flush_with_timeout(Duration::from_millis(10));
        if waited.unwrap_err().to_string().contains("busy") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "no attempt");
    }
    let told = watched.read();
    assert_eq!((exporter.finished(), exporter.exports()), (1, 1), "between two attempts");
    let exported = format!("{EXPORTED} {SCRIPTED}");
    for (key, value) in [(IN_FLIGHT, 2), (SIZE, 0), (&exported, 0)] {
        assert_eq!(told.get(key), Some(&value), "{key} in {told:#?}");
    }
    assert!(!told.keys().any(|key| key.starts_with(DURATION)), "not ended: {told:#?}");

    // A shutdown makes the next attempt at once.
    provider.shutdown().unwrap();
    let told = watched.read();
    let duration = format!("{DURATION} {SCRIPTED}");
    for (key, value) in [(IN_FLIGHT, 0), (&exported, 2), (&duration, 1)] {
        assert_eq!(told.get(key), Some(&value), "{key} in {told:#?}");
    }
}

/// Exports a span for each of these replies, and compares the durations told with `expected`: what comes
/// before the component, and what after it.
fn durations_are(
    server: &Server,
    exporter: BoxedExporter,
    replies: Vec<Reply>,
    expected: &[(&str, &str, i64)],
) {
    let watched = Watched::start();
    let component = exporter.component_type();
    let provider = batched(exporter, &watched);
    let tracer = provider.tracer("test");
    for reply in replies {
        server.respond_with(Script::always(reply));
        tracer.start("span").end();
        // Some are refused.
        let _ = provider.force_flush();
    }
    let told = watched.read();
    let port = match component {
        "otlp_grpc_span_exporter" => server.grpc_addr().port(),
        _ => server.http_addr().port(),
    };
    let address = format!("server.address=127.0.0.1 server.port={port}");
    let told = told.into_iter().filter(|(key, _)| key.starts_with(DURATION));
    let mut expected: Vec<_> = expected
        .iter()
        .map(|(before, after, count)| {
            let of = format!("{before} otel.component.type={component}{after} {address}");
            (format!("{DURATION}{of}"), *count)
        })
        .collect();
    expected.sort_unstable();
    assert_eq!(told.collect::<Vec<_>>(), expected);
}

#[test]
fn an_operation_over_http_has_the_status_of_its_last_answer() {
    // row O7
    let server = Server::start();
    let builder = HttpExporter::builder(Signal::Traces).with_endpoint(server.http_endpoint());
    let exporter = builder.build_with(&Env::empty()).unwrap().boxed();
    let replies = vec![
        Reply::ok(),
        Reply::ok(),
        Reply::http(202),
        Reply::partial_success(1, "too old"),
        Reply::http(400),
        Reply::garbage(),
    ];
    durations_are(
        &server,
        exporter,
        replies,
        &[
            (" http.response.status_code=200", "", 3),
            (" http.response.status_code=202", "", 1),
            (" error.type=rejected http.response.status_code=200", "", 1),
            (" error.type=permanent_error http.response.status_code=400", "", 1),
        ],
    );
}

#[test]
fn an_operation_over_grpc_has_the_status_of_its_last_answer() {
    // row O7
    let server = Server::start();
    let builder = GrpcExporter::builder(Signal::Traces).with_endpoint(server.grpc_endpoint());
    let exporter = builder.build_with(&Env::empty()).unwrap().boxed();
    let replies = vec![
        Reply::ok(),
        Reply::partial_success(1, "too old"),
        Reply::grpc(3, "no"),
        Reply::garbage(),
    ];
    durations_are(
        &server,
        exporter,
        replies,
        &[
            ("", " rpc.status_code=OK", 2),
            (" error.type=rejected", " rpc.status_code=OK", 1),
            (" error.type=permanent_error", " rpc.status_code=INVALID_ARGUMENT", 1),
        ],
    );
}
