//! An OpenTelemetry SDK for Rust that encodes spans and log records straight into OTLP bytes.
//!
//! One call sets everything up from the standard environment variables and returns a guard that
//! delivers what is held when it is dropped:
//!
//! ```no_run
//! use opentelemetry::KeyValue;
//! use opentelemetry::trace::{Span, Tracer};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let telemetry = otlp_sdk::builder().with_service_name("checkout").init()?;
//!
//!     let tracer = opentelemetry::global::tracer("checkout");
//!     let mut span = tracer.start("charge card");
//!     span.set_attribute(KeyValue::new("amount", 4200));
//!     span.end();
//!
//!     println!("{}", telemetry.shutdown()?);
//!     Ok(())
//! }
//! ```
//!
//! - [`trace::TracerProvider`], [`logs::LoggerProvider`] and [`metrics::MeterProvider`] implement the API
//!   traits of `opentelemetry` 0.33; instrumented code stays as it is. Spans and events of `tracing` come
//!   through `tracing_layer` (feature `tracing`), or through the bridges that exist for the API.
//! - **Nothing is lost in silence.** [`Ledger`] balances at any moment:
//!   `ended = delivered + rejected + dropped{reason} + held`.
//! - **It never harms the application.** Delivery runs on a thread and a runtime of its own, so flush
//!   and shutdown work with no runtime, on a runtime's only worker, in `Drop` and in a panic hook.
//!   Nothing on an instrumented thread waits for delivery, panics or returns an error. To start also
//!   where a setting makes [`init()`] fail, see [`TelemetryGuard::disabled`].
//! - **It says what is wrong**, through `tracing` with the target `otlp_sdk`: where it sends and which
//!   variables it could not use, at start; why an export failed. An application without a subscriber
//!   does not see it; one whose subscriber comes after [`init()`] calls [`TelemetryGuard::announce`].
//!
//! [`bridge`] takes the exporters to the official SDK, and exporters of others behind this one.
//! [`ConsoleExporter`] prints what is exported, [`context`] takes the current context across tasks and
//! threads, and [`testing`] has what tests need to look at what was exported.
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `http` | yes | OTLP over HTTP/protobuf for [`init()`] |
//! | `grpc` | no | OTLP over gRPC for [`init()`] |
//! | `json` | no | OTLP over HTTP/JSON for [`init()`] |
//! | `b3` | no | B3 headers (Zipkin) in `OTEL_PROPAGATORS`, and [`B3Propagator`](propagation) |
//! | `jaeger` | no | Jaeger's own headers in `OTEL_PROPAGATORS`, and [`JaegerPropagator`](propagation) |
//! | `file` | no | `file::FileExporter`: OTLP/JSON lines to a file, a writer or standard output; `otlp/stdout` for [`init()`] |
//! | `tls` | no | TLS and mTLS in the exporters that are enabled, by `rustls` with `ring`. A program that uses `rustls` or `reqwest` itself should install a provider first thing in `main`: with two compiled in, or none chosen, those panic |
//! | `tracing` | no | `tracing_layer`: spans and events of `tracing` straight into OTLP bytes |
//!
//! Features only add: which transport is used is decided at run time, by code or by
//! `OTEL_EXPORTER_OTLP_PROTOCOL`.
//!
//! # Environment variables
//!
//! [`init()`] and [`builder()`] read these; a setting given in code beats its variable. Times are in
//! milliseconds. A value that cannot be used is reported once, through `tracing`, and the default
//! holds; only an endpoint that is no URL, half a client identity, a certificate that cannot be
//! read and a transport that is not compiled in make [`init()`] fail. What is set and not used is
//! listed at the start.
//!
//! | variable | default | meaning |
//! |---|---|---|
//! | `OTEL_SDK_DISABLED` | `false` | `true` records and sends nothing |
//! | `OTEL_SERVICE_NAME` | `unknown_service:<executable>` | `service.name` |
//! | `OTEL_RESOURCE_ATTRIBUTES` | none | `key=value,key=value`, percent-encoded |
//! | `OTEL_LOG_LEVEL` | `info` | which messages of this crate reach `tracing` |
//! | `OTEL_TRACES_EXPORTER`, `OTEL_METRICS_EXPORTER`, `OTEL_LOGS_EXPORTER` | `otlp` | list of `otlp`, `otlp/stdout` (feature `file`), `console`; or `none` |
//! | `OTEL_PROPAGATORS` | `tracecontext,baggage` | list of these two, with their features also `b3`, `b3multi`, `jaeger`; or `none` |
//! | `OTEL_TRACES_SAMPLER` | `parentbased_always_on` | `always_on`, `always_off`, `traceidratio`, or these with `parentbased_` in front |
//! | `OTEL_TRACES_SAMPLER_ARG` | 1 | the ratio, 0 to 1 |
//! | `OTEL_EXPORTER_OTLP_PROTOCOL` | `http/protobuf` | or `grpc`, `http/json` |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | `http://localhost:4318`, gRPC `http://localhost:4317` | base URL; over HTTP `/v1/traces` and its siblings are appended |
//! | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | the one above | whole URL: nothing is appended |
//! | `OTEL_EXPORTER_OTLP_INSECURE` | `false` | gRPC to `host:port` without TLS |
//! | `OTEL_EXPORTER_OTLP_HEADERS` | none | `name=value,name=value`, values percent-encoded |
//! | `OTEL_EXPORTER_OTLP_TIMEOUT` | 10000 | limit of one attempt; 0 is no limit |
//! | `OTEL_EXPORTER_OTLP_COMPRESSION` | `none` | or `gzip`, `zstd` |
//! | `OTEL_EXPORTER_OTLP_CERTIFICATE` | the system's roots | PEM file of what to trust instead |
//! | `OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE`, `…_CLIENT_KEY` | none | PEM files for mTLS |
//! | `OTEL_BSP_SCHEDULE_DELAY`, `OTEL_BLRP_SCHEDULE_DELAY` | 5000, of logs 1000 | longest wait for a batch to fill |
//! | `OTEL_BSP_EXPORT_TIMEOUT`, `OTEL_BLRP_EXPORT_TIMEOUT` | 30000 | limit of one attempt; 0 is no limit |
//! | `OTEL_BSP_MAX_QUEUE_SIZE`, `OTEL_BLRP_MAX_QUEUE_SIZE` | in bytes only: 32 MiB | most items held |
//! | `OTEL_BSP_MAX_EXPORT_BATCH_SIZE`, `OTEL_BLRP_MAX_EXPORT_BATCH_SIZE` | 512 | most items of a request |
//! | `OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT` | no limit | characters of a value |
//! | `OTEL_ATTRIBUTE_COUNT_LIMIT` | 128 | attributes of a span, event, link, log record |
//! | `OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT`, `OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT`, `OTEL_LINK_ATTRIBUTE_COUNT_LIMIT`, `OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT`, `OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT` | the general ones | the same, for one of them |
//! | `OTEL_SPAN_EVENT_COUNT_LIMIT`, `OTEL_SPAN_LINK_COUNT_LIMIT` | 128 | events, links of a span |
//! | `OTEL_METRIC_EXPORT_INTERVAL` | 60000, 10000 for the console | time between two collections |
//! | `OTEL_METRIC_EXPORT_TIMEOUT` | 30000 | limit of one attempt; 0 is no limit |
//! | `OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE` | `cumulative` | or `delta`, `lowmemory` |
//! | `OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION` | `explicit_bucket_histogram` | or `base2_exponential_bucket_histogram` |
//!
//! Each `OTEL_EXPORTER_OTLP_…` also exists as `OTEL_EXPORTER_OTLP_TRACES_…`, `…_METRICS_…` and `…_LOGS_…`, which
//! are stronger.
//! `docs/environment.md` in the repository has every detail.
//!
//! # Rules and their names
//!
//! Names such as "row R7" in these pages are rows of `docs/conformance.md` in the repository: what
//! the OpenTelemetry and W3C texts ask for, in a sentence each.

#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod bridge;
mod clock;
mod config;
mod console;
pub mod context;
mod current;
#[cfg(feature = "file")]
pub mod file;
mod foreign;
mod hush;
mod init;
pub mod logs;
pub mod metrics;
mod notice;
mod observe;
mod pipeline;
pub mod propagation;
mod provider;
pub mod resource;
mod say;
mod sync;
pub mod testing;
pub mod trace;
#[cfg(feature = "tracing")]
#[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
pub mod tracing_layer;
mod value;

pub use self::console::ConsoleExporter;
pub use self::init::{
    FlushError, InitError, Ledgers, ShutdownError, TelemetryBuilder, TelemetryGuard, builder, init,
};
pub use self::pipeline::{BatchConfig, DropReason, Ledger, PipelineError};
pub use self::say::LogLevel;

/// The API that the SDK implements, so that both come in one version.
pub use opentelemetry;
/// The official SDK, for the seams of it that are accepted here: `ShouldSample`, `IdGenerator`,
/// `Resource`.
pub use opentelemetry_sdk;
/// Payload, export contract and exporter configuration, shared with the exporters.
pub use otlp_core;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeDoctests;
