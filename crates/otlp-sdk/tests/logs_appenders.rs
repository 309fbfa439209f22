//! The official bridges from `tracing` and `log`, unchanged, in front of our logger provider: what arrives
//! is what arrives through the official SDK and its conversion to OTLP.

#![cfg(all(feature = "http", feature = "grpc"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as tests do"
)]

mod logs_support;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId};
use opentelemetry_appender_log::OpenTelemetryLogBridge;
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_proto::tonic::logs::v1::ScopeLogs;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use otlp_core::Signal;
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::logs::LoggerProvider;
use otlp_sdk::testing::InMemoryExporter;
use otlp_testing::{Message, Server};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::logs_support::{Official, normalised, scopes_of};

/// What both have made of the same program.
fn both(program: impl Fn(&SdkLoggerProvider, &LoggerProvider)) -> [Vec<ScopeLogs>; 2] {
    let (official, ours) = (Official::default(), InMemoryExporter::default());
    let theirs = SdkLoggerProvider::builder().with_simple_exporter(official.clone()).build();
    let provider = LoggerProvider::builder().with_batch_exporter(ours.clone()).build();
    program(&theirs, &provider);
    provider.force_flush().unwrap();
    let found = ours.payloads().into_iter();
    let found = found.flat_map(|payload| scopes_of(&Message::of(&payload).unwrap())).collect();
    [official.scopes(), found].map(normalised)
}

fn in_a_span() -> Context {
    let (trace_id, span_id) = (TraceId::from(7), SpanId::from(9));
    let state = opentelemetry::trace::TraceState::NONE;
    let span = SpanContext::new(trace_id, span_id, TraceFlags::SAMPLED, false, state);
    Context::new().with_remote_span_context(span)
}

#[test]
fn events_of_tracing_arrive_as_through_the_official_sdk() {
    let [expected, found] = both(|theirs, ours| {
        let subscriber = tracing_subscriber::registry()
            .with(OpenTelemetryTracingBridge::new(theirs))
            .with(OpenTelemetryTracingBridge::new(ours));
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(count = 3, ratio = 0.5, ok = true, who = "me", "a message");
            tracing::warn!(name: "named", target: "elsewhere", big = u64::MAX, "b in an event");
            let error = std::io::Error::other("broken");
            tracing::error!(error = &error as &dyn std::error::Error, "c failed");
            tracing::debug!(debug = ?Some(1), small = 7_u64, huge = i128::MAX, "d values");
            let _active = in_a_span().attach();
            tracing::trace!("e in a span");
        });
    });
    assert_eq!(found, expected);
    assert_eq!(found.len(), 5);
    assert_eq!(found[4].log_records[0].span_id, [0, 0, 0, 0, 0, 0, 0, 9]);
}

#[test]
fn records_of_log_arrive_as_through_the_official_sdk() {
    let [expected, found] = both(|theirs, ours| {
        let loggers: [Box<dyn log::Log>; 2] = [
            Box::new(OpenTelemetryLogBridge::new(theirs)),
            Box::new(OpenTelemetryLogBridge::new(ours)),
        ];
        let _active = in_a_span().attach();
        for logger in loggers {
            for level in log::Level::iter() {
                let mut record = log::Record::builder();
                record.level(level).target("my::module");
                logger.log(&record.args(format_args!("{level} text")).build());
            }
        }
    });
    assert_eq!(found, expected);
    assert_eq!(found.len(), 5);
}

#[test]
fn an_export_logs_nothing_that_would_be_exported() {
    // The transports speak through `tracing`, down to the level of trace and with no filter.
    let server = Server::start();
    let grpc = GrpcExporter::builder(Signal::Logs).with_endpoint(server.grpc_endpoint());
    let http = HttpExporter::builder(Signal::Logs).with_endpoint(server.http_endpoint());
    let provider = LoggerProvider::builder()
        .with_batch_exporter(grpc.build().unwrap())
        .with_batch_exporter(http.build().unwrap())
        .build();
    let subscriber =
        tracing_subscriber::registry().with(OpenTelemetryTracingBridge::new(&provider));
    tracing::subscriber::set_global_default(subscriber).unwrap();
    for round in 0..5 {
        tracing::info!(target: "work", round, "work");
        provider.force_flush().unwrap();
    }
    provider.shutdown().unwrap();
    let ledger = provider.ledger();
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");
    let mut names = Vec::new();
    for request in server.requests() {
        let Message::Logs(logs) = &request.message else { continue };
        for scope in logs.resource_logs.iter().flat_map(|resource| &resource.scope_logs) {
            let name = scope.scope.as_ref().map_or("", |scope| &scope.name).to_owned();
            names.extend(scope.log_records.iter().map(|_| name.clone()));
        }
    }
    let work = names.iter().filter(|name| *name == "work").count();
    assert_eq!(work, 2 * 5, "each over both transports");
    // The server is in this process and logs on threads of its own; the clients do not.
    let of_clients = ["reqwest", "hyper_util::client", "tonic::transport::channel", "otlp_"];
    let looped = names.iter().filter(|name| of_clients.iter().any(|it| name.starts_with(it)));
    assert_eq!(looped.count(), 0, "{names:?}");
}
