//! What a recording span owns: its encoder and where it belongs. Recycled per thread.

use std::sync::Arc;
use std::time::SystemTime;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Event, Link, SpanContext, Status};
use otlp_core::span::{SpanEncoder, SpanSizes};

#[cfg(feature = "tracing")]
use otlp_core::wire::KeyValueView;

use super::encode;
use super::provider::Scope;
use super::tracer::take_over;
use crate::clock::{Clock, Started, unix_nano};
use crate::pipeline::slot::Item;
#[cfg(feature = "tracing")]
use crate::testing::api_attribute;

/// The data of a recording span.
#[derive(Debug)]
pub(crate) struct Recorder {
    pub(crate) encoder: SpanEncoder,
    pub(crate) scope: Arc<Scope>,
    pub(crate) started: Started,
    /// The whole context of the parent, which processors may read (row T19).
    pub(crate) parent: SpanContext,
    pub(crate) sampled: bool,
    pub(crate) end_unix_nano: Option<u64>,
}

impl Recorder {
    pub(crate) fn new(scope: Arc<Scope>, started: Started) -> Self {
        Self {
            encoder: SpanEncoder::default(),
            scope,
            started,
            parent: SpanContext::NONE,
            sampled: false,
            end_unix_nano: None,
        }
    }

    /// Forgets the span and keeps the memory.
    #[inline]
    pub(crate) fn clear(&mut self) {
        self.encoder.clear();
        // Only processors ask for it, so without one it was not set.
        if self.scope.provider.core.has_processors {
            self.parent = SpanContext::NONE;
        }
    }

    /// Inlined, so that where the kind of value is known it is not looked at.
    #[inline(always)]
    pub(crate) fn set_attribute(&mut self, attribute: &KeyValue) {
        encode::attribute(&mut self.encoder, attribute, &self.scope.provider.limits);
    }

    pub(crate) fn add_event(&mut self, name: &str, time: SystemTime, attributes: &[KeyValue]) {
        self.add_event_at(name, unix_nano(time), attributes);
    }

    pub(crate) fn add_event_at(&mut self, name: &str, unix_nano: u64, attributes: &[KeyValue]) {
        let limits = &self.scope.provider.limits;
        encode::event_at(&mut self.encoder, name, unix_nano, 0, attributes, limits);
    }

    /// An event of the API, which carries its own count of attributes dropped before.
    pub(crate) fn add_api_event(&mut self, event: &Event) {
        encode::event(&mut self.encoder, event, &self.scope.provider.limits);
    }

    pub(crate) fn add_link(&mut self, linked: &SpanContext, attributes: &[KeyValue]) {
        self.put_link(linked, 0, attributes);
    }

    /// A link of the API, which carries its own count of attributes dropped before.
    pub(crate) fn add_api_link(&mut self, link: &Link) {
        self.put_link(&link.span_context, link.dropped_attributes_count, &link.attributes);
    }

    /// Row T14: a link without a valid context is kept if it says anything else.
    fn put_link(&mut self, linked: &SpanContext, dropped: u32, attributes: &[KeyValue]) {
        if !linked.is_valid() && attributes.is_empty() && linked.trace_state().header().is_empty() {
            return;
        }
        take_over(linked);
        encode::link(&mut self.encoder, linked, dropped, attributes, &self.scope.provider.limits);
    }

    pub(crate) fn set_status(&mut self, status: Status) {
        encode::status(&mut self.encoder, status);
    }

    /// Replaces the parent that processors may read.
    #[cfg(feature = "tracing")]
    pub(crate) fn set_parent(&mut self, parent: Option<&SpanContext>) {
        if self.scope.provider.core.has_processors {
            self.parent = parent.cloned().unwrap_or(SpanContext::NONE);
        }
    }

    /// The attributes as values of the API, for a sampler that is not ours.
    #[cfg(feature = "tracing")]
    pub(crate) fn api_attributes(&self) -> Vec<KeyValue> {
        let entries = self.encoder.attributes().entries();
        entries.filter_map(|entry| api_attribute(&KeyValueView::parse(entry).ok()?).ok()).collect()
    }

    /// Unix nanoseconds now, on this span's time line.
    #[inline]
    pub(crate) fn now(&self) -> u64 {
        Clock::global().since(&self.started)
    }
}

/// An ended span with its lengths, measured once for both questions of a pipeline.
pub(crate) struct Measured<'a> {
    encoder: &'a SpanEncoder,
    end_unix_nano: u64,
    sizes: SpanSizes,
}

impl<'a> Measured<'a> {
    #[inline]
    pub(crate) fn new(recorder: &'a Recorder) -> Self {
        let end_unix_nano = recorder.end_unix_nano.unwrap_or(0);
        let encoder = &recorder.encoder;
        Self { encoder, end_unix_nano, sizes: encoder.sizes(end_unix_nano) }
    }
}

impl Item for Measured<'_> {
    #[inline]
    fn item_len(&self) -> usize {
        self.sizes.item_len()
    }

    #[inline]
    fn put_item(&self, buf: &mut Vec<u8>) {
        self.encoder.put_sized(self.end_unix_nano, self.sizes, buf);
    }
}
