//! A span read back from its bytes into the API's own types.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use otlp_core::Payload;
use otlp_core::wire::trace::{EventView, LinkView, StatusView};
use otlp_core::wire::{
    AnyValueView, Attributes, KeyValueView, RequestView, ScopeView, SignalItem, SpanView, Views,
    WireError,
};

use crate::console::ValueText;
use crate::resource::Resource;

/// A finished span as a value of the API's types, for assertions.
///
/// Read from the bytes that were exported, so it shows what a server gets: times in whole
/// nanoseconds since 1970, the last value of a repeated key, what the limits left. Values that the
/// API has no type for (bytes, maps, arrays of mixed types; our SDK never makes them) come as
/// their text. An empty array comes as one of strings.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[doc(alias = "SpanData")]
pub struct RecordedSpan {
    /// The name.
    pub name: String,
    /// The trace's id.
    pub trace_id: TraceId,
    /// The span's own id.
    pub span_id: SpanId,
    /// The W3C trace flags.
    pub trace_flags: TraceFlags,
    /// The W3C `tracestate`.
    pub trace_state: TraceState,
    /// The parent's span id; `None` for a root span.
    pub parent_span_id: Option<SpanId>,
    /// Whether the parent came from another process (row F1).
    pub parent_is_remote: bool,
    /// The kind.
    pub kind: SpanKind,
    /// When it started.
    pub start_time: SystemTime,
    /// When it ended.
    pub end_time: SystemTime,
    /// The attributes in the order in which their keys were first set.
    pub attributes: Vec<KeyValue>,
    /// Attributes discarded for the limits.
    pub dropped_attributes: u32,
    /// The events in order.
    pub events: Vec<Event>,
    /// Events discarded for the limits.
    pub dropped_events: u32,
    /// The links in order.
    pub links: Vec<Link>,
    /// Links discarded for the limits.
    pub dropped_links: u32,
    /// The status.
    pub status: Status,
    /// The scope of the tracer, with the scope's schema URL.
    pub scope: InstrumentationScope,
    /// The provider's resource; all spans of a request share it.
    pub resource: Resource,
}

impl RecordedSpan {
    /// The value of an attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&Value> {
        let found = self.attributes.iter().find(|attribute| attribute.key.as_str() == key);
        found.map(|attribute| &attribute.value)
    }

    /// The first event of this name.
    #[must_use]
    pub fn event(&self, name: &str) -> Option<&Event> {
        self.events.iter().find(|event| event.name == name)
    }

    /// From start to end; zero if the end was set before the start.
    #[must_use]
    pub fn duration(&self) -> Duration {
        self.end_time.duration_since(self.start_time).unwrap_or_default()
    }

    /// Ids, flags and trace state, as the span itself had them.
    #[must_use]
    pub fn span_context(&self) -> SpanContext {
        let state = self.trace_state.clone();
        SpanContext::new(self.trace_id, self.span_id, self.trace_flags, false, state)
    }

    fn read(
        span: &SpanView<'_>,
        scope: &InstrumentationScope,
        resource: &Resource,
    ) -> Result<Self, WireError> {
        Ok(Self {
            name: span.name().to_owned(),
            trace_id: trace_id(span.valid_trace_id()),
            span_id: span_id(span.valid_span_id()),
            trace_flags: flags(span.flags()),
            trace_state: trace_state(span.trace_state()),
            parent_span_id: span.valid_parent_span_id().map(SpanId::from_bytes),
            parent_is_remote: is_remote(span.flags()),
            kind: kind(span.kind()),
            start_time: time(span.start_time_unix_nano()),
            end_time: time(span.end_time_unix_nano()),
            attributes: attributes(span.attributes())?,
            dropped_attributes: span.dropped_attributes_count(),
            events: span.events().map(|view| event(&view?)).collect::<Result<_, _>>()?,
            dropped_events: span.dropped_events_count(),
            links: span.links().map(|view| link(&view?)).collect::<Result<_, _>>()?,
            dropped_links: span.dropped_links_count(),
            status: status(span.status()),
            scope: scope.clone(),
            resource: resource.clone(),
        })
    }
}

/// The spans of a request for traces.
pub(crate) fn read(payload: &Payload) -> Result<Vec<RecordedSpan>, WireError> {
    let mut spans = Vec::with_capacity(payload.items());
    for_each_item::<SpanView<'_>>(&payload.rope().to_bytes(), |span, scope, resource| {
        spans.push(RecordedSpan::read(&span, scope, resource)?);
        Ok(())
    })?;
    Ok(spans)
}

/// Calls `f` with every item of a request, its scope and its resource.
pub(super) fn for_each_item<'a, I: SignalItem<'a>>(
    request: &'a [u8],
    mut f: impl FnMut(I, &InstrumentationScope, &Resource) -> Result<(), WireError>,
) -> Result<(), WireError> {
    for envelope in RequestView::<'_, I>::parse(request)?.resources() {
        let envelope = envelope?;
        let of_resource = envelope.resource().map(|resource| attributes(resource.attributes()));
        let resource = Resource::new(of_resource.transpose()?.unwrap_or_default())
            .with_schema_url(envelope.schema_url().to_owned());
        for envelope in envelope.scopes() {
            let envelope = envelope?;
            let scope = scope(envelope.scope(), envelope.schema_url())?;
            for item in envelope.items() {
                f(item?, &scope, &resource)?;
            }
        }
    }
    Ok(())
}

fn scope(view: Option<ScopeView<'_>>, schema_url: &str) -> Result<InstrumentationScope, WireError> {
    let name = view.as_ref().map_or("", ScopeView::name).to_owned();
    let mut scope = InstrumentationScope::builder(name);
    if let Some(version) = view.map(|view| view.version()).filter(|version| !version.is_empty()) {
        scope = scope.with_version(version.to_owned());
    }
    if !schema_url.is_empty() {
        scope = scope.with_schema_url(schema_url.to_owned());
    }
    if let Some(view) = view {
        scope = scope.with_attributes(attributes(view.attributes())?);
    }
    Ok(scope.build())
}

fn event(view: &EventView<'_>) -> Result<Event, WireError> {
    let at = time(view.time_unix_nano());
    let attributes = attributes(view.attributes())?;
    Ok(Event::new(view.name().to_owned(), at, attributes, view.dropped_attributes_count()))
}

fn link(view: &LinkView<'_>) -> Result<Link, WireError> {
    let context = SpanContext::new(
        trace_id(view.valid_trace_id()),
        span_id(view.valid_span_id()),
        flags(view.flags()),
        is_remote(view.flags()),
        trace_state(view.trace_state()),
    );
    Ok(Link::new(context, attributes(view.attributes())?, view.dropped_attributes_count()))
}

fn status(view: StatusView<'_>) -> Status {
    match view.code() {
        1 => Status::Ok,
        2 => Status::error(view.message().to_owned()),
        _ => Status::Unset,
    }
}

fn kind(number: i32) -> SpanKind {
    match number {
        2 => SpanKind::Server,
        3 => SpanKind::Client,
        4 => SpanKind::Producer,
        5 => SpanKind::Consumer,
        // Unspecified may be read as internal (row F3).
        _ => SpanKind::Internal,
    }
}

fn trace_id(id: Option<[u8; 16]>) -> TraceId {
    id.map_or(TraceId::INVALID, TraceId::from_bytes)
}

fn span_id(id: Option<[u8; 8]>) -> SpanId {
    id.map_or(SpanId::INVALID, SpanId::from_bytes)
}

/// The low eight bits of the field are the W3C flags (row F1).
pub(super) fn flags(wire: u32) -> TraceFlags {
    let [low, ..] = wire.to_le_bytes();
    TraceFlags::new(low)
}

/// Bit 8 says that bit 9 is known (row F1).
fn is_remote(wire: u32) -> bool {
    wire & 0x300 == 0x300
}

fn trace_state(header: &str) -> TraceState {
    header.parse().unwrap_or_default()
}

pub(super) fn time(unix_nano: u64) -> SystemTime {
    // Only a system whose clock ends before 2554 cannot say it.
    UNIX_EPOCH.checked_add(Duration::from_nanos(unix_nano)).unwrap_or(UNIX_EPOCH)
}

pub(super) fn attributes(views: Attributes<'_>) -> Result<Vec<KeyValue>, WireError> {
    views.map(|view| api_attribute(&view?)).collect()
}

/// An attribute as the API has it.
pub(crate) fn api_attribute(view: &KeyValueView<'_>) -> Result<KeyValue, WireError> {
    Ok(KeyValue::new(view.key().to_owned(), value(view.value())?))
}

fn value(view: AnyValueView<'_>) -> Result<Value, WireError> {
    Ok(match view {
        AnyValueView::String(text) => text.to_owned().into(),
        AnyValueView::Bool(value) => value.into(),
        AnyValueView::Int(value) => value.into(),
        AnyValueView::Double(value) => value.into(),
        AnyValueView::Array(elements) => match array(elements)? {
            Some(array) => Value::Array(array),
            None => ValueText(view).to_string().into(),
        },
        other => ValueText(other).to_string().into(),
    })
}

/// An array whose elements are all of one type that the API knows.
fn array(elements: Views<'_, AnyValueView<'_>>) -> Result<Option<Array>, WireError> {
    let elements = elements.collect::<Result<Vec<_>, _>>()?;
    Ok(match elements.first() {
        None => Some(Array::String(Vec::new())),
        Some(AnyValueView::String(_)) => all(&elements, text).map(Array::String),
        Some(AnyValueView::Bool(_)) => all(&elements, boolean).map(Array::Bool),
        Some(AnyValueView::Int(_)) => all(&elements, int).map(Array::I64),
        Some(AnyValueView::Double(_)) => all(&elements, double).map(Array::F64),
        Some(_) => None,
    })
}

fn all<'a, T>(
    elements: &[AnyValueView<'a>],
    read: impl Fn(&AnyValueView<'a>) -> Option<T>,
) -> Option<Vec<T>> {
    elements.iter().map(read).collect()
}

fn text(view: &AnyValueView<'_>) -> Option<StringValue> {
    if let AnyValueView::String(text) = view { Some((*text).to_owned().into()) } else { None }
}

fn boolean(view: &AnyValueView<'_>) -> Option<bool> {
    if let AnyValueView::Bool(value) = view { Some(*value) } else { None }
}

fn int(view: &AnyValueView<'_>) -> Option<i64> {
    if let AnyValueView::Int(value) = view { Some(*value) } else { None }
}

fn double(view: &AnyValueView<'_>) -> Option<f64> {
    if let AnyValueView::Double(value) = view { Some(*value) } else { None }
}
