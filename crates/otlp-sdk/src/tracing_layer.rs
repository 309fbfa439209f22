//! `tracing` straight into OTLP bytes: a [`Layer`](tracing_subscriber::Layer) for spans and events.
//!
//! [`TracingLayer`] makes the spans of `tracing` spans of a [`TracerProvider`], and its events span events
//! or log records. Nothing stands in between: a field goes into the span's bytes as it is recorded. It
//! takes the place of `tracing-opentelemetry` and of `opentelemetry-appender-tracing`, which work with
//! this crate as well, unchanged and at their own cost.
//!
//! ```
//! use otlp_sdk::testing::InMemoryExporter;
//! use otlp_sdk::trace::TracerProvider;
//! use otlp_sdk::tracing_layer::TracingLayer;
//! use tracing_subscriber::filter::EnvFilter;
//! use tracing_subscriber::prelude::*;
//!
//! let exporter = InMemoryExporter::default();
//! let provider = TracerProvider::builder().with_batch_exporter(exporter.clone()).build();
//!
//! tracing_subscriber::registry()
//!     // RUST_LOG says what is made at all, for every layer.
//!     .with(EnvFilter::builder().with_default_directive(tracing::Level::INFO.into()).from_env_lossy())
//!     .with(tracing_subscriber::fmt::layer())
//!     .with(TracingLayer::new(&provider))
//!     .init();
//!
//! tracing::info_span!("charge card", amount = 4200).in_scope(|| {
//!     tracing::info!(provider = "acme", "authorised");
//! });
//! provider.force_flush()?;
//!
//! let spans = exporter.finished_spans();
//! assert_eq!(spans[0].name, "charge card");
//! assert_eq!(spans[0].events[0].name, "authorised");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! After [`init()`](crate::init()) the layer comes from
//! [`TelemetryGuard::tracing_layer`](crate::TelemetryGuard::tracing_layer), with log records for events.
//!
//! # Which spans, which events
//!
//! - For every layer alike: a filter of the subscriber, such as `EnvFilter` with `RUST_LOG`. What it turns
//!   off costs next to nothing.
//! - For this layer alone: `with_filter` on it. A child of a
//!   span that was filtered belongs to the next span outside.
//! - For spans and events apart: [`with_span_filter`](TracingLayer::with_span_filter) and
//!   [`with_event_filter`](TracingLayer::with_event_filter), decided once per place in the code.
//! - Where telemetry is suppressed (`Context::enter_telemetry_suppressed_scope`), and on the threads of
//!   exporters, nothing is recorded: an export under a subscriber without any filter makes no spans that
//!   make the next export.
//!
//! The layer may be an `Option`, boxed, one of several (each with spans of its own), and may stand under
//! [`reload`](tracing_subscriber::reload), where [`OtelSpanExt`] works too. Spans that are open when
//! `reload` takes a layer out end then, and a thread that is in one leaves its context: the one that
//! reloads at once, others when they next enter or leave a span or start one under any `TracingLayer`.
//!
//! # Parents and contexts
//!
//! Inside an entered span the API's current `Context` has the span's ids, so propagators and spans of the API
//! fit in, and a metrics SDK that samples exemplars would see the ids. A span's parent is the one that it
//! names, else the current context if somebody has attached one since the innermost span was entered, else
//! that span. A remote parent is set by attaching the extracted context before the span is made, or afterwards by
//! [`OtelSpanExt::set_parent`], until the span has a child. `follows_from` becomes a link.
//!
//! Where the provider cannot record, because traces are off (`OTEL_SDK_DISABLED`,
//! `OTEL_TRACES_EXPORTER=none`) or it was shut down, a span holds its parent's context and has no ids of its
//! own: what comes in goes out to others, and log records have the caller's ids.
//!
//! # Fields with a meaning
//!
//! | field of a span | sets |
//! |---|---|
//! | `otel.name` | the name |
//! | `otel.kind` | the kind: `server`, `client`, `producer`, `consumer`, `internal` |
//! | `otel.status_code` | the status: `ok` or `error` |
//! | `otel.status_description` | the status to an error with this description (`otel.status_message`, the older name, too) |
//!
//! at its start and by a later `record`. Kind and status may be in any case; a text that is none of these,
//! such as `otel.kind = "sever"`, becomes an attribute of that name, so that it is seen. The message of an event
//! is its name, or the body of the log record, whose time and time of observation are both the moment of the
//! event. [`TracingLayer::with_exceptions`] and [`with_error_status`](TracingLayer::with_error_status) say what
//! errors become.
//!
//! Integers of every size are integers where they fit 64 bits with a sign, else text. Bytes are bytes.
//! What has only a `Debug` or `Display` is text, of at most 1 MiB, and of whatever the limits of the
//! provider leave. What is cut at 1 MiB counts as a dropped attribute of its span, event or record, and
//! that as [`limited`](crate::Ledger). The body of a log record is not cut; one that no request holds is refused,
//! as `too_large`. Should that code panic, a note stands in its place and the panic is counted in
//! [`Ledger::panics`](crate::Ledger). No such code runs while the layer holds a lock.
//!
//! # What differs from `tracing-opentelemetry`
//!
//! - The sampler decides when a span is made, not when it is first entered; what it drops is neither
//!   collected nor timed. (A dropped span without a parent is collected until it has a child, since its
//!   parent may still be set.)
//! - `set_parent` works inside the span, under `reload`, and behind filters, and says what is wrong.
//! - `busy_ns`, `idle_ns`, `thread.id` and `thread.name` are off until asked for.
//! - Unsigned and 128-bit integers are not text, bytes are not text, keys stand once.
//! - `otel.name` and `otel.kind` are taken from a later `record` as well.
//! - A description of an error is not lost to a later error without one.
//! - `Context::current().span()` inside a span of `tracing` has the ids and passes them on, but records
//!   nothing: use the macros of `tracing`, [`OtelSpanExt`] on `tracing::Span::current()`, or
//!   [`with_recording_context`](TracingLayer::with_recording_context).
//! - `tracing_opentelemetry::OpenTelemetrySpanExt` does not know this layer; [`OtelSpanExt`] has the same
//!   methods, with a `Result`.
//!
//! # Costs
//!
//! A span costs one allocation, that of its `Context`, also where `otel.name` names it; one more for a
//! description of its status, and others for an error among its fields or where an option says so. Fields
//! are copied once; what a place in the code says of itself (file, line, target) is encoded when that place
//! is first reached. Each entering, leaving and closing takes one lock that threads share only by chance. An
//! event costs no allocation, nor does a log record.
//!
//! # Limits
//!
//! The limits of the provider hold for spans and events, those of the logger provider for log records. Where
//! not all fits, the fields that stand in the code come first: what the place says of itself takes the room
//! that they leave, whether all of them get a value or not.

mod active;
mod adopt;
mod call_site;
mod end;
mod entered;
mod events;
mod fields;
mod first;
mod gone;
mod kept;
mod layer;
mod logs;
mod open;
mod options;
mod order;
mod span_ext;
mod start;
mod text;
mod visit;

use std::fmt;
use std::sync::Arc;

use opentelemetry::trace::TracerProvider as _;

use self::call_site::CallSites;
use self::open::OpenSpans;
pub use self::options::EventSink;
use self::options::Options;
pub use self::span_ext::{OtelSpanExt, SpanError};
use crate::logs::Logger;
use crate::trace::TracerProvider;
use crate::trace::provider::{Handle, Scope};
use crate::trace::taken;

/// A layer that makes `tracing`'s spans spans of a [`TracerProvider`]. [The module](self) has a set-up
/// and what it does in detail.
pub struct TracingLayer {
    /// Tells the layers of a process apart.
    id: u64,
    /// Keeps the pipelines running as long as spans may be made.
    handle: Option<Arc<Handle>>,
    scope: Arc<Scope>,
    logger: Option<Logger>,
    options: Options,
    call_sites: CallSites,
    open: OpenSpans,
}

impl TracingLayer {
    /// A layer with the defaults, for spans of this provider.
    ///
    /// It keeps the provider's pipelines running, as a tracer does, until the subscriber is gone; a
    /// global subscriber never is, so shut the provider down at the program's end. If the layer is the
    /// last to hold the provider, its end waits a second for what is held to be delivered.
    #[must_use]
    pub fn new(provider: &TracerProvider) -> Self {
        order::count_layer();
        taken::begin();
        let (handle, scope) = provider.tracer("tracing").into_parts();
        Self {
            id: gone::count_in(),
            handle: Some(handle),
            scope,
            logger: None,
            options: Options::default(),
            call_sites: CallSites::new(),
            open: OpenSpans::new(),
        }
    }
}

impl fmt::Debug for TracingLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TracingLayer")
            .field("options", &self.options)
            .field("open", &self.open.len())
            .finish_non_exhaustive()
    }
}
