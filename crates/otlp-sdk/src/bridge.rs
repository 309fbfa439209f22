//! Between this crate and the official SDK, `opentelemetry_sdk`.
//!
//! # The official SDK with our exporters
//!
//! [`SpanExporter`], [`LogExporter`] and [`PushMetricExporter`] make any
//! [`Exporter`](otlp_core::export::Exporter) one that the official SDK takes. A batch is encoded on the SDK's thread, before anything is awaited; a thread with a runtime of its own
//! sends it. So it works under the batch and the simple processor, on any runtime and on none, and with
//! several calls at a time.
//!
//! ```no_run
//! use otlp_sdk::bridge;
//! use otlp_sdk::opentelemetry_sdk::trace::SdkTracerProvider;
//! # use otlp_sdk::otlp_core::{Payload, export::{Deadline, Exporter, Outcome}};
//! # #[derive(Debug)]
//! # struct HttpExporter;
//! # impl Exporter for HttpExporter {
//! #     async fn export(&self, _: Payload, _: Deadline) -> Outcome { Outcome::delivered() }
//! # }
//! # fn http_exporter() -> HttpExporter { HttpExporter }
//!
//! // `HttpExporter::builder(Signal::Traces)…build()?`, the same for gRPC, or one of your own.
//! let exporter = bridge::SpanExporter::new(http_exporter());
//! let account = exporter.account();
//!
//! let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
//! // … the program …
//! provider.shutdown()?;
//! println!("{}", account.ledger());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A call ends when every item of its batch has an outcome, at the latest after
//! [`ExportConfig::timeout`] (row B4). Until then a request that may succeed later is sent again
//! (rows B1 to B3: the official SDK itself never does), what a server finds too large is sent in
//! halves, and what it has rejected is not sent again. What was not delivered is an error with the
//! cause in it, and a count in the [`Account`].
//!
//! # How long a call lasts, and what is said meanwhile
//!
//! While a server is away, a call of `export` lasts for all of [`ExportConfig::timeout`], 30 s by default:
//!
//! - Under a **simple processor** that blocks the thread that ends the span or emits the record, every
//!   time. Programs that serve somebody want the batch processor.
//! - Under a **batch processor** it is the processor's own thread that waits. But `shutdown` of the
//!   official providers waits for that thread for 5 s only, and then answers `Timeout(5s)` without a
//!   cause. With a `timeout` below that, the answer has the cause.
//!
//! So the first attempt that fails is told at once through `tracing`, with the destination and the cause;
//! so is what is dropped, what a server rejects or warns of, and that exports succeed again: with
//! the target `otlp_sdk`, down to the [`LogLevel`](crate::LogLevel) of the process, one message per kind
//! and ten seconds, with the sum of those in between. The export thread says it, to the subscriber of the
//! process; one that is only set for another thread does not hear it.
//!
//! A shutdown of the exporter that runs out of time is an `InternalFailure` that says how many items were
//! held and why; `Timeout` is left for when nothing was.
//!
//! # Our SDK with exporters that others made for the official one
//!
//! [`ForeignSpanExporter`] is the way back: Zipkin, Datadog or standard output behind our
//! [`TracerProvider`](crate::trace::TracerProvider).
//!
//! # Feedback
//!
//! Of what happens on the export thread a `tracing` subscriber hears those messages and nothing else, so
//! that a bridge from `tracing` cannot export its own exports, whatever its filter. The messages themselves
//! are said where telemetry is suppressed: the official appenders, and our own layer, make no
//! records of them. The price: while the thread lives, `tracing` sees that a thread has a subscriber of
//! its own, and looks for one at every span and event of the program, which takes it a few nanoseconds.

mod account;
mod config;
mod courier;
mod foreign;
mod gate;
mod groups;
mod hosted;
mod link;
mod logs;
mod metrics;
mod room;
mod spans;
mod timer;
mod voice;
mod worker;

pub use self::account::Account;
pub use self::config::ExportConfig;
pub use self::foreign::ForeignSpanExporter;
pub use self::hosted::Hosted;
pub use self::logs::{LogExporter, Logs};
pub use self::metrics::{Metrics, PushMetricExporter};
pub use self::spans::{SpanExporter, Spans};
