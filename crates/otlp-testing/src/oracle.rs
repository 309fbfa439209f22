//! Decoding by `opentelemetry-proto` and `prost`: the judge of what our own wire code writes.

mod text;
mod tree;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
pub use opentelemetry_proto as proto;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use otlp_core::{Payload, Rope, Signal};
use prost::{DecodeError, Message as _};

pub use self::text::{hex, pairs_text, value_text};
pub use self::tree::TraceTree;

/// One decoded export request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Message {
    /// Spans.
    Traces(ExportTraceServiceRequest),
    /// Metrics.
    Metrics(ExportMetricsServiceRequest),
    /// Log records.
    Logs(ExportLogsServiceRequest),
}

impl Message {
    /// Decodes a request of `signal`.
    ///
    /// # Errors
    ///
    /// The bytes are not such a request.
    pub fn decode(signal: Signal, request: Bytes) -> Result<Self, DecodeError> {
        match signal {
            Signal::Traces => ExportTraceServiceRequest::decode(request).map(Self::Traces),
            Signal::Metrics => ExportMetricsServiceRequest::decode(request).map(Self::Metrics),
            Signal::Logs => ExportLogsServiceRequest::decode(request).map(Self::Logs),
            other => Err(unknown(other)),
        }
    }

    /// Decodes OTLP/JSON of `signal`.
    ///
    /// # Errors
    ///
    /// The text is not such a request.
    pub fn decode_json(signal: Signal, request: &[u8]) -> Result<Self, serde_json::Error> {
        match signal {
            Signal::Traces => serde_json::from_slice(request).map(Self::Traces),
            Signal::Metrics => serde_json::from_slice(request).map(Self::Metrics),
            Signal::Logs => serde_json::from_slice(request).map(Self::Logs),
            other => Err(serde_json::Error::io(std::io::Error::other(unknown(other)))),
        }
    }

    /// Decodes a payload.
    ///
    /// # Errors
    ///
    /// The bytes are not a request of the payload's signal.
    pub fn of(payload: &Payload) -> Result<Self, DecodeError> {
        Self::decode(payload.signal(), payload.rope().to_bytes())
    }

    /// The signal.
    #[must_use]
    pub fn signal(&self) -> Signal {
        match self {
            Self::Traces(_) => Signal::Traces,
            Self::Metrics(_) => Signal::Metrics,
            Self::Logs(_) => Signal::Logs,
        }
    }

    /// Number of spans, data points or log records.
    #[must_use]
    pub fn items(&self) -> usize {
        match self {
            Self::Traces(request) => count_spans(request),
            Self::Metrics(request) => count_points(request),
            Self::Logs(request) => count_records(request),
        }
    }

    /// The length that `prost` would encode it in.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        match self {
            Self::Traces(request) => request.encoded_len(),
            Self::Metrics(request) => request.encoded_len(),
            Self::Logs(request) => request.encoded_len(),
        }
    }

    /// Its spans; empty for another signal.
    #[must_use]
    pub fn spans(&self) -> Vec<SpanRecord> {
        match self {
            Self::Traces(request) => spans(request),
            Self::Metrics(_) | Self::Logs(_) => Vec::new(),
        }
    }
}

/// Decodes trace request bytes, whole or as a rope.
///
/// # Errors
///
/// The bytes are not an `ExportTraceServiceRequest`.
pub fn decode_traces(request: impl Into<Rope>) -> Result<ExportTraceServiceRequest, DecodeError> {
    ExportTraceServiceRequest::decode(request.into().to_bytes())
}

/// The request in a form that compares equal however the spans are put into envelopes: each span
/// with its resource and scope, ordered by ids, attributes ordered by key. Empty envelopes
/// disappear.
#[must_use]
pub fn normalise(request: &ExportTraceServiceRequest) -> Vec<SpanRecord> {
    let mut records: Vec<_> = spans(request).into_iter().map(SpanRecord::normalised).collect();
    records.sort_by_key(SpanRecord::key);
    records
}

/// The spans of a request with their resource and scope beside each, in the order of the request.
#[must_use]
pub fn spans(request: &ExportTraceServiceRequest) -> Vec<SpanRecord> {
    let mut all = Vec::with_capacity(count_spans(request));
    for of_resource in &request.resource_spans {
        let resource = Arc::new(of_resource.resource.clone().unwrap_or_default());
        let resource_url: Arc<str> = Arc::from(of_resource.schema_url.as_str());
        for of_scope in &of_resource.scope_spans {
            let scope = Arc::new(of_scope.scope.clone().unwrap_or_default());
            let scope_url: Arc<str> = Arc::from(of_scope.schema_url.as_str());
            all.extend(of_scope.spans.iter().map(|span| SpanRecord {
                resource: Arc::clone(&resource),
                resource_schema_url: Arc::clone(&resource_url),
                scope: Arc::clone(&scope),
                scope_schema_url: Arc::clone(&scope_url),
                span: span.clone(),
            }));
        }
    }
    all
}

/// One span with everything that its envelopes say about it.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanRecord {
    /// The resource; empty when the envelope had none.
    pub resource: Arc<Resource>,
    /// The schema URL of the resource.
    pub resource_schema_url: Arc<str>,
    /// The instrumentation scope; empty when the envelope had none.
    pub scope: Arc<InstrumentationScope>,
    /// The schema URL of the scope and its spans.
    pub scope_schema_url: Arc<str>,
    /// The span as `opentelemetry-proto` decoded it.
    pub span: Span,
}

impl SpanRecord {
    /// Trace id and span id.
    #[must_use]
    pub fn key(&self) -> SpanKey {
        SpanKey { trace_id: self.span.trace_id.clone(), span_id: self.span.span_id.clone() }
    }

    /// The span's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.span.name
    }

    /// The trace id in lowercase hex.
    #[must_use]
    pub fn trace_id(&self) -> String {
        hex(&self.span.trace_id)
    }

    /// The span id in lowercase hex.
    #[must_use]
    pub fn span_id(&self) -> String {
        hex(&self.span.span_id)
    }

    /// The parent's span id in lowercase hex; empty for a root.
    #[must_use]
    pub fn parent_span_id(&self) -> String {
        hex(&self.span.parent_span_id)
    }

    /// A span attribute.
    #[must_use]
    pub fn attribute(&self, key: &str) -> Option<&AnyValue> {
        find(&self.span.attributes, key)
    }

    /// A span attribute as text, as a person would write it.
    #[must_use]
    pub fn attribute_text(&self, key: &str) -> Option<String> {
        self.attribute(key).map(value_text)
    }

    /// A resource attribute.
    #[must_use]
    pub fn resource_attribute(&self, key: &str) -> Option<&AnyValue> {
        find(&self.resource.attributes, key)
    }

    /// A resource attribute as text.
    #[must_use]
    pub fn resource_text(&self, key: &str) -> Option<String> {
        self.resource_attribute(key).map(value_text)
    }

    /// `service.name` of the resource; empty when it has none.
    #[must_use]
    pub fn service_name(&self) -> String {
        self.resource_text("service.name").unwrap_or_default()
    }

    /// End minus start in nanoseconds; `None` when the end is before the start.
    #[must_use]
    pub fn duration_nanos(&self) -> Option<u64> {
        self.span.end_time_unix_nano.checked_sub(self.span.start_time_unix_nano)
    }

    /// Every repeated key in one of this span's attribute collections, with the place it is in
    /// (row W5 says there must be none).
    #[must_use]
    pub fn repeated_keys(&self) -> Vec<String> {
        let mut repeated = Vec::new();
        note_repeated("resource", &self.resource.attributes, &mut repeated);
        note_repeated("scope", &self.scope.attributes, &mut repeated);
        note_repeated("span", &self.span.attributes, &mut repeated);
        for event in &self.span.events {
            note_repeated("event", &event.attributes, &mut repeated);
        }
        for link in &self.span.links {
            note_repeated("link", &link.attributes, &mut repeated);
        }
        repeated
    }

    fn normalised(mut self) -> Self {
        let mut resource = Resource::clone(&self.resource);
        let mut scope = InstrumentationScope::clone(&self.scope);
        sort(&mut resource.attributes);
        sort(&mut scope.attributes);
        sort(&mut self.span.attributes);
        self.span.events.iter_mut().for_each(|event| sort(&mut event.attributes));
        self.span.links.iter_mut().for_each(|link| sort(&mut link.attributes));
        Self { resource: Arc::new(resource), scope: Arc::new(scope), ..self }
    }
}

/// What identifies a span: its trace id and its span id.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanKey {
    /// 16 bytes when valid.
    pub trace_id: Vec<u8>,
    /// 8 bytes when valid.
    pub span_id: Vec<u8>,
}

impl fmt::Display for SpanKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", hex(&self.trace_id), hex(&self.span_id))
    }
}

/// The keys that occur more than once, in order.
#[must_use]
pub fn duplicates(keys: impl IntoIterator<Item = SpanKey>) -> Vec<SpanKey> {
    let mut seen: HashMap<SpanKey, usize> = HashMap::new();
    for key in keys {
        *seen.entry(key).or_default() += 1;
    }
    let mut repeated: Vec<_> =
        seen.into_iter().filter_map(|(key, count)| (count > 1).then_some(key)).collect();
    repeated.sort();
    repeated
}

fn find<'a>(attributes: &'a [KeyValue], key: &str) -> Option<&'a AnyValue> {
    attributes.iter().find(|attribute| attribute.key == key)?.value.as_ref()
}

fn sort(attributes: &mut [KeyValue]) {
    attributes.sort_by(|a, b| a.key.cmp(&b.key));
}

fn note_repeated(place: &str, attributes: &[KeyValue], repeated: &mut Vec<String>) {
    let mut keys: Vec<_> = attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    keys.sort_unstable();
    for pair in keys.windows(2) {
        if let [a, b] = pair
            && a == b
        {
            repeated.push(format!("{place}: {a}"));
        }
    }
}

fn count_spans(request: &ExportTraceServiceRequest) -> usize {
    let scopes = request.resource_spans.iter().flat_map(|resource| &resource.scope_spans);
    scopes.map(|scope| scope.spans.len()).sum()
}

fn count_records(request: &ExportLogsServiceRequest) -> usize {
    let scopes = request.resource_logs.iter().flat_map(|resource| &resource.scope_logs);
    scopes.map(|scope| scope.log_records.len()).sum()
}

fn count_points(request: &ExportMetricsServiceRequest) -> usize {
    let scopes = request.resource_metrics.iter().flat_map(|resource| &resource.scope_metrics);
    scopes.flat_map(|scope| &scope.metrics).map(|metric| points(metric.data.as_ref())).sum()
}

fn points(data: Option<&Data>) -> usize {
    match data {
        None => 0,
        Some(Data::Gauge(data)) => data.data_points.len(),
        Some(Data::Sum(data)) => data.data_points.len(),
        Some(Data::Histogram(data)) => data.data_points.len(),
        Some(Data::ExponentialHistogram(data)) => data.data_points.len(),
        Some(Data::Summary(data)) => data.data_points.len(),
    }
}

#[expect(deprecated, reason = "the only constructor of prost's error that takes a text")]
fn unknown(signal: Signal) -> DecodeError {
    DecodeError::new(format!("the oracle does not know the signal {signal}"))
}
