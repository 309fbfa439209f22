//! Spans of the official SDK.

use std::borrow::Cow;
use std::mem;
use std::time::Duration;

use opentelemetry::trace::SpanId;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::SpanData;
use otlp_core::span::{ParentContext, SpanEncoder, SpanIdentity};
use otlp_core::wire::envelope::ResourceHeader;
use otlp_core::{AttributeLimits, Signal, SpanLimits};
use parking_lot::Mutex;

use super::groups::{Encoded, Groups, Heading};
use super::hosted::{Exported, Hosted};
use super::room::Room;
use crate::clock::unix_nano;
use crate::trace::encode;

/// One of our exporters for `SdkTracerProvider`.
///
/// ```no_run
/// # use otlp_sdk::otlp_core::export::Exporter;
/// use std::time::Duration;
///
/// use otlp_sdk::bridge::{ExportConfig, SpanExporter};
/// use otlp_sdk::opentelemetry_sdk::trace::SdkTracerProvider;
///
/// # fn provider(exporter: impl Exporter) -> SdkTracerProvider {
/// let config = ExportConfig::default().with_timeout(Duration::from_secs(10));
/// SdkTracerProvider::builder()
///     .with_batch_exporter(SpanExporter::with_config(exporter, config))
///     .build()
/// # }
/// ```
pub type SpanExporter = Hosted<Spans>;

/// What a [`SpanExporter`] exports.
#[derive(Debug, Default)]
pub struct Spans {
    /// Kept for its memory while no call has it.
    desk: Mutex<Option<Box<Desk>>>,
}

impl Clone for Spans {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Exported for Spans {
    const SIGNAL: Signal = Signal::Traces;
}

impl opentelemetry_sdk::trace::SpanExporter for Hosted<Spans> {
    fn export(&self, batch: Vec<SpanData>) -> impl Future<Output = OTelSdkResult> + Send {
        let mut desk = self.signal.desk.lock().take().unwrap_or_default();
        let encoded = desk.encode(batch, &self.resource);
        *self.signal.desk.lock() = Some(desk);
        self.link.export(encoded)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.link.shutdown(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.link.force_flush()
    }

    fn set_resource(&mut self, resource: &opentelemetry_sdk::Resource) {
        self.take_resource(resource);
    }
}

/// Where spans are encoded.
#[derive(Debug, Default)]
struct Desk {
    encoder: SpanEncoder,
    room: Room,
}

impl Desk {
    fn encode(&mut self, mut batch: Vec<SpanData>, resource: &ResourceHeader) -> Encoded {
        let groups = Groups::of(batch.iter().map(heading));
        let capacity = self.room.of(batch.len());
        let encoded = groups.encode(Signal::Traces, resource, capacity, |place, buf| {
            let span = batch.get_mut(place);
            span.map(|span| put_span(&mut self.encoder, span, buf)).is_some()
        });
        self.room.learn(&encoded.payload);
        encoded
    }
}

fn heading(span: &SpanData) -> Heading<'_> {
    Heading { scope: &span.instrumentation_scope, target: None }
}

/// Writes a span as an item of its scope. What it does not need any more moves out of `span`.
fn put_span(encoder: &mut SpanEncoder, span: &mut SpanData, buf: &mut Vec<u8>) {
    encoder.clear();
    let (name, kind) = (mem::take(&mut span.name), encode::kind(&span.span_kind));
    encoder.start(identity(span), name, kind, unix_nano(span.start_time));
    for attribute in &span.attributes {
        encode::attribute(encoder, attribute, &NO_LIMITS);
    }
    for event in &span.events.events {
        encode::event(encoder, event, &NO_LIMITS);
    }
    for link in &span.links.links {
        let (linked, dropped) = (&link.span_context, link.dropped_attributes_count);
        encode::link(encoder, linked, dropped, &link.attributes, &NO_LIMITS);
    }
    let [events, links] = [span.events.dropped_count, span.links.dropped_count];
    encoder.count_dropped(span.dropped_attributes_count, events, links);
    encode::status(encoder, mem::take(&mut span.status));
    encoder.put_item(unix_nano(span.end_time), buf);
}

fn identity(span: &SpanData) -> SpanIdentity {
    let context = &span.span_context;
    let trace_state = context.trace_state().header();
    let parent = (span.parent_span_id != SpanId::INVALID).then(|| ParentContext {
        span_id: span.parent_span_id.to_bytes(),
        is_remote: span.parent_span_is_remote,
    });
    SpanIdentity {
        trace_id: context.trace_id().to_bytes(),
        span_id: context.span_id().to_bytes(),
        trace_flags: context.trace_flags().to_u8(),
        trace_state: Cow::Owned(trace_state),
        parent,
    }
}

/// The official SDK has held the span to its own limits.
const NO_LIMITS: SpanLimits = SpanLimits {
    attributes: AttributeLimits::EXEMPT,
    events: u32::MAX,
    links: u32::MAX,
    attributes_per_event: u32::MAX,
    attributes_per_link: u32::MAX,
};
