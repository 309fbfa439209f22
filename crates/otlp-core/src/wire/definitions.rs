//! The message definitions of OTLP 1.11 as tables: numbers, JSON names and types of all fields, and for
//! each key byte, what must follow.
//!
//! The strict scan and the JSON mapping read the same table.

use crate::wire::reader::WireType;

/// A message type. The strict scan knows no answers.
#[cfg_attr(not(feature = "json"), expect(dead_code, reason = "only JSON has answers"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Type {
    AnyValue,
    ArrayValue,
    Buckets,
    EntityRef,
    Event,
    Exemplar,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
    Link,
    LogRecord,
    LogsPartialSuccess,
    LogsRequest,
    LogsResponse,
    Metric,
    MetricsPartialSuccess,
    MetricsRequest,
    MetricsResponse,
    NumberDataPoint,
    Resource,
    ResourceLogs,
    ResourceMetrics,
    ResourceSpans,
    RpcStatus,
    ScopeLogs,
    ScopeMetrics,
    ScopeSpans,
    Span,
    Status,
    Sum,
    Summary,
    SummaryDataPoint,
    TracePartialSuccess,
    TraceRequest,
    TraceResponse,
    ValueAtQuantile,
}

impl Type {
    /// Whether the protocol counts and rejects these.
    pub(in crate::wire) const fn is_item(self) -> bool {
        matches!(
            self,
            Self::Span
                | Self::LogRecord
                | Self::NumberDataPoint
                | Self::HistogramDataPoint
                | Self::ExponentialHistogramDataPoint
                | Self::SummaryDataPoint
        )
    }

    pub(in crate::wire) const fn definition(self) -> &'static Definition {
        match self {
            Self::AnyValue => &ANY_VALUE,
            Self::ArrayValue => &ARRAY_VALUE,
            Self::Buckets => &BUCKETS,
            Self::EntityRef => &ENTITY_REF,
            Self::Event => &EVENT,
            Self::Exemplar => &EXEMPLAR,
            Self::ExponentialHistogram => &EXPONENTIAL_HISTOGRAM,
            Self::ExponentialHistogramDataPoint => &EXPONENTIAL_HISTOGRAM_DATA_POINT,
            Self::Gauge => &GAUGE,
            Self::Histogram => &HISTOGRAM,
            Self::HistogramDataPoint => &HISTOGRAM_DATA_POINT,
            Self::InstrumentationScope => &INSTRUMENTATION_SCOPE,
            Self::KeyValue => &KEY_VALUE,
            Self::KeyValueList => &KEY_VALUE_LIST,
            Self::Link => &LINK,
            Self::LogRecord => &LOG_RECORD,
            Self::LogsRequest => &LOGS_REQUEST,
            Self::Metric => &METRIC,
            Self::MetricsRequest => &METRICS_REQUEST,
            Self::NumberDataPoint => &NUMBER_DATA_POINT,
            Self::Resource => &RESOURCE,
            Self::ResourceLogs => &RESOURCE_LOGS,
            Self::ResourceMetrics => &RESOURCE_METRICS,
            Self::ResourceSpans => &RESOURCE_SPANS,
            Self::ScopeLogs => &SCOPE_LOGS,
            Self::ScopeMetrics => &SCOPE_METRICS,
            Self::ScopeSpans => &SCOPE_SPANS,
            Self::Span => &SPAN,
            Self::Status => &STATUS,
            Self::Sum => &SUM,
            Self::Summary => &SUMMARY,
            Self::SummaryDataPoint => &SUMMARY_DATA_POINT,
            Self::TraceRequest => &TRACE_REQUEST,
            Self::LogsPartialSuccess => &LOGS_PARTIAL_SUCCESS,
            Self::LogsResponse => &LOGS_RESPONSE,
            Self::MetricsPartialSuccess => &METRICS_PARTIAL_SUCCESS,
            Self::MetricsResponse => &METRICS_RESPONSE,
            Self::TracePartialSuccess => &TRACE_PARTIAL_SUCCESS,
            Self::TraceResponse => &TRACE_RESPONSE,
            Self::RpcStatus => &RPC_STATUS,
            Self::ValueAtQuantile => &VALUE_AT_QUANTILE,
        }
    }
}

/// What must follow a field key.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) enum Step {
    Varint,
    Fixed64,
    Fixed32,
    Text,
    /// A string of a repeated field.
    ListedText,
    Bytes,
    /// An id: no bytes, or so many.
    Id(u8),
    /// A singular message.
    One(Type),
    /// A message of a repeated field.
    List(Type),
    PackedFixed64,
    PackedVarint,
    /// A field that the definition does not have.
    Unknown(WireType),
    /// A field that the definition has with another wire type.
    WrongWireType(WireType),
    /// A key that protobuf does not have.
    InvalidKey,
}

impl Step {
    const fn wire_type(self) -> WireType {
        match self {
            Self::Varint => WireType::Varint,
            Self::Fixed64 => WireType::Fixed64,
            Self::Fixed32 => WireType::Fixed32,
            _ => WireType::Len,
        }
    }

    /// Repeated numbers may come singly too.
    const fn unpacked(self) -> Option<Self> {
        match self {
            Self::PackedFixed64 => Some(Self::Fixed64),
            Self::PackedVarint => Some(Self::Varint),
            _ => None,
        }
    }
}

/// A field of a message.
#[cfg_attr(not(feature = "json"), expect(dead_code, reason = "only JSON has names"))]
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) struct Field {
    pub(in crate::wire) number: u32,
    /// As JSON has it: lower camel case (row J4).
    pub(in crate::wire) name: &'static str,
    pub(in crate::wire) kind: Kind,
}

/// The type of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::wire) enum Kind {
    Bool,
    Bytes,
    Double,
    Enum,
    Fixed32,
    Fixed64,
    Int32,
    Int64,
    /// A message of a repeated field.
    List(Type),
    /// A singular message.
    One(Type),
    PackedDouble,
    PackedFixed64,
    PackedUint64,
    Sfixed64,
    Sint32,
    SpanId,
    Text,
    /// A string of a repeated field.
    Texts,
    TraceId,
    Uint32,
}

impl Kind {
    const fn step(self) -> Step {
        match self {
            Self::Bool | Self::Enum | Self::Int32 | Self::Int64 | Self::Sint32 | Self::Uint32 => {
                Step::Varint
            }
            Self::Double | Self::Fixed64 | Self::Sfixed64 => Step::Fixed64,
            Self::Fixed32 => Step::Fixed32,
            Self::Bytes => Step::Bytes,
            Self::Text => Step::Text,
            Self::Texts => Step::ListedText,
            Self::TraceId => Step::Id(16),
            Self::SpanId => Step::Id(8),
            Self::One(message) => Step::One(message),
            Self::List(message) => Step::List(message),
            Self::PackedDouble | Self::PackedFixed64 => Step::PackedFixed64,
            Self::PackedUint64 => Step::PackedVarint,
        }
    }
}

const fn field(number: u32, name: &'static str, kind: Kind) -> Field {
    Field { number, name, kind }
}

/// A message type's fields.
pub(in crate::wire) struct Definition {
    pub(in crate::wire) name: &'static str,
    /// Bytes that the decoded message takes in its list.
    pub(in crate::wire) decoded_size: usize,
    fields: &'static [Field],
    /// Numbers of the fields of which only one is set.
    oneof: &'static [u32],
    /// Indexed by a key that fits one byte, which holds for field numbers below 16.
    steps: [Step; 128],
}

impl Definition {
    /// What must follow `key`, if it is a key of one byte.
    #[inline]
    pub(in crate::wire) fn step(&self, key: u8) -> Option<Step> {
        self.steps.get(usize::from(key)).copied()
    }

    /// What must follow the key of field `number`.
    pub(in crate::wire) fn step_of(&self, number: u32, wire_type: WireType) -> Step {
        match self.field(number) {
            Some(field) => step_for(field.kind.step(), wire_type),
            None => Step::Unknown(wire_type),
        }
    }

    /// All fields, in the order of their numbers.
    #[cfg(feature = "json")]
    pub(in crate::wire) const fn fields(&self) -> &'static [Field] {
        self.fields
    }

    pub(in crate::wire) fn field(&self, number: u32) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.number == number)
    }

    #[cfg(feature = "json")]
    pub(in crate::wire) fn field_named(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Whether a field is one of those of which only one is set.
    #[cfg(feature = "json")]
    pub(in crate::wire) fn is_in_oneof(&self, number: u32) -> bool {
        self.oneof.contains(&number)
    }

    const fn with_oneof(mut self, oneof: &'static [u32]) -> Self {
        self.oneof = oneof;
        self
    }

    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
    const fn new(name: &'static str, decoded_size: usize, fields: &'static [Field]) -> Self {
        let mut steps = [Step::InvalidKey; 128];
        let mut key = 8;
        while key < steps.len() {
            if let Some(wire_type) = wire_type_of(key) {
                steps[key] = Step::Unknown(wire_type);
            }
            key += 1;
        }
        let mut i = 0;
        while i < fields.len() {
            let (number, step) = (fields[i].number, fields[i].kind.step());
            let mut low = 0;
            while number < 16 && low < 8 {
                if let Some(wire_type) = wire_type_of(low) {
                    steps[number as usize * 8 + low] = step_for(step, wire_type);
                }
                low += 1;
            }
            i += 1;
        }
        Self { name, decoded_size, fields, oneof: &[], steps }
    }
}

/// What follows the key of a field that is defined as `step` and arrives as `wire_type`.
const fn step_for(step: Step, wire_type: WireType) -> Step {
    if step.wire_type() as u8 == wire_type as u8 {
        return step;
    }
    match step.unpacked() {
        Some(single) if single.wire_type() as u8 == wire_type as u8 => single,
        _ => Step::WrongWireType(wire_type),
    }
}

const fn wire_type_of(key: usize) -> Option<WireType> {
    match key & 7 {
        0 => Some(WireType::Varint),
        1 => Some(WireType::Fixed64),
        2 => Some(WireType::Len),
        3 => Some(WireType::StartGroup),
        4 => Some(WireType::EndGroup),
        5 => Some(WireType::Fixed32),
        _ => None,
    }
}

use Kind::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Int32, Int64, List, One, PackedDouble,
    PackedFixed64, PackedUint64, Sfixed64, Sint32, SpanId, Text, Texts, TraceId, Uint32,
};

// Common and resource

static ANY_VALUE: Definition = Definition::new(
    "AnyValue",
    32,
    &[
        field(1, "stringValue", Text),
        field(2, "boolValue", Bool),
        field(3, "intValue", Int64),
        field(4, "doubleValue", Double),
        field(5, "arrayValue", One(Type::ArrayValue)),
        field(6, "kvlistValue", One(Type::KeyValueList)),
        field(7, "bytesValue", Bytes),
        field(8, "stringValueStrindex", Int32),
    ],
)
.with_oneof(&[1, 2, 3, 4, 5, 6, 7, 8]);

static ARRAY_VALUE: Definition =
    Definition::new("ArrayValue", 0, &[field(1, "values", List(Type::AnyValue))]);

static KEY_VALUE_LIST: Definition =
    Definition::new("KeyValueList", 0, &[field(1, "values", List(Type::KeyValue))]);

static KEY_VALUE: Definition = Definition::new(
    "KeyValue",
    64,
    &[
        field(1, "key", Text),
        field(2, "value", One(Type::AnyValue)),
        field(3, "keyStrindex", Int32),
    ],
);

static INSTRUMENTATION_SCOPE: Definition = Definition::new(
    "InstrumentationScope",
    0,
    &[
        field(1, "name", Text),
        field(2, "version", Text),
        field(3, "attributes", List(Type::KeyValue)),
        field(4, "droppedAttributesCount", Uint32),
    ],
);

static ENTITY_REF: Definition = Definition::new(
    "EntityRef",
    96,
    &[
        field(1, "schemaUrl", Text),
        field(2, "type", Text),
        field(3, "idKeys", Texts),
        field(4, "descriptionKeys", Texts),
    ],
);

static RESOURCE: Definition = Definition::new(
    "Resource",
    0,
    &[
        field(1, "attributes", List(Type::KeyValue)),
        field(2, "droppedAttributesCount", Uint32),
        field(3, "entityRefs", List(Type::EntityRef)),
    ],
);

// Traces

static TRACE_REQUEST: Definition = Definition::new(
    "ExportTraceServiceRequest",
    0,
    &[field(1, "resourceSpans", List(Type::ResourceSpans))],
);

static RESOURCE_SPANS: Definition = Definition::new(
    "ResourceSpans",
    104,
    &[
        field(1, "resource", One(Type::Resource)),
        field(2, "scopeSpans", List(Type::ScopeSpans)),
        field(3, "schemaUrl", Text),
    ],
);

static SCOPE_SPANS: Definition = Definition::new(
    "ScopeSpans",
    128,
    &[
        field(1, "scope", One(Type::InstrumentationScope)),
        field(2, "spans", List(Type::Span)),
        field(3, "schemaUrl", Text),
    ],
);

static SPAN: Definition = Definition::new(
    "Span",
    264,
    &[
        field(1, "traceId", TraceId),
        field(2, "spanId", SpanId),
        field(3, "traceState", Text),
        field(4, "parentSpanId", SpanId),
        field(5, "name", Text),
        field(6, "kind", Enum),
        field(7, "startTimeUnixNano", Fixed64),
        field(8, "endTimeUnixNano", Fixed64),
        field(9, "attributes", List(Type::KeyValue)),
        field(10, "droppedAttributesCount", Uint32),
        field(11, "events", List(Type::Event)),
        field(12, "droppedEventsCount", Uint32),
        field(13, "links", List(Type::Link)),
        field(14, "droppedLinksCount", Uint32),
        field(15, "status", One(Type::Status)),
        field(16, "flags", Fixed32),
    ],
);

static EVENT: Definition = Definition::new(
    "Event",
    64,
    &[
        field(1, "timeUnixNano", Fixed64),
        field(2, "name", Text),
        field(3, "attributes", List(Type::KeyValue)),
        field(4, "droppedAttributesCount", Uint32),
    ],
);

static LINK: Definition = Definition::new(
    "Link",
    104,
    &[
        field(1, "traceId", TraceId),
        field(2, "spanId", SpanId),
        field(3, "traceState", Text),
        field(4, "attributes", List(Type::KeyValue)),
        field(5, "droppedAttributesCount", Uint32),
        field(6, "flags", Fixed32),
    ],
);

static STATUS: Definition =
    Definition::new("Status", 0, &[field(2, "message", Text), field(3, "code", Enum)]);

// Logs

static LOGS_REQUEST: Definition = Definition::new(
    "ExportLogsServiceRequest",
    0,
    &[field(1, "resourceLogs", List(Type::ResourceLogs))],
);

static RESOURCE_LOGS: Definition = Definition::new(
    "ResourceLogs",
    104,
    &[
        field(1, "resource", One(Type::Resource)),
        field(2, "scopeLogs", List(Type::ScopeLogs)),
        field(3, "schemaUrl", Text),
    ],
);

static SCOPE_LOGS: Definition = Definition::new(
    "ScopeLogs",
    128,
    &[
        field(1, "scope", One(Type::InstrumentationScope)),
        field(2, "logRecords", List(Type::LogRecord)),
        field(3, "schemaUrl", Text),
    ],
);

static LOG_RECORD: Definition = Definition::new(
    "LogRecord",
    184,
    &[
        field(1, "timeUnixNano", Fixed64),
        field(2, "severityNumber", Enum),
        field(3, "severityText", Text),
        field(5, "body", One(Type::AnyValue)),
        field(6, "attributes", List(Type::KeyValue)),
        field(7, "droppedAttributesCount", Uint32),
        field(8, "flags", Fixed32),
        field(9, "traceId", TraceId),
        field(10, "spanId", SpanId),
        field(11, "observedTimeUnixNano", Fixed64),
        field(12, "eventName", Text),
    ],
);

// Metrics

static METRICS_REQUEST: Definition = Definition::new(
    "ExportMetricsServiceRequest",
    0,
    &[field(1, "resourceMetrics", List(Type::ResourceMetrics))],
);

static RESOURCE_METRICS: Definition = Definition::new(
    "ResourceMetrics",
    104,
    &[
        field(1, "resource", One(Type::Resource)),
        field(2, "scopeMetrics", List(Type::ScopeMetrics)),
        field(3, "schemaUrl", Text),
    ],
);

static SCOPE_METRICS: Definition = Definition::new(
    "ScopeMetrics",
    128,
    &[
        field(1, "scope", One(Type::InstrumentationScope)),
        field(2, "metrics", List(Type::Metric)),
        field(3, "schemaUrl", Text),
    ],
);

static METRIC: Definition = Definition::new(
    "Metric",
    136,
    &[
        field(1, "name", Text),
        field(2, "description", Text),
        field(3, "unit", Text),
        field(5, "gauge", One(Type::Gauge)),
        field(7, "sum", One(Type::Sum)),
        field(9, "histogram", One(Type::Histogram)),
        field(10, "exponentialHistogram", One(Type::ExponentialHistogram)),
        field(11, "summary", One(Type::Summary)),
        field(12, "metadata", List(Type::KeyValue)),
    ],
)
.with_oneof(&[5, 7, 9, 10, 11]);

static GAUGE: Definition =
    Definition::new("Gauge", 0, &[field(1, "dataPoints", List(Type::NumberDataPoint))]);

static SUM: Definition = Definition::new(
    "Sum",
    0,
    &[
        field(1, "dataPoints", List(Type::NumberDataPoint)),
        field(2, "aggregationTemporality", Enum),
        field(3, "isMonotonic", Bool),
    ],
);

static HISTOGRAM: Definition = Definition::new(
    "Histogram",
    0,
    &[
        field(1, "dataPoints", List(Type::HistogramDataPoint)),
        field(2, "aggregationTemporality", Enum),
    ],
);

static EXPONENTIAL_HISTOGRAM: Definition = Definition::new(
    "ExponentialHistogram",
    0,
    &[
        field(1, "dataPoints", List(Type::ExponentialHistogramDataPoint)),
        field(2, "aggregationTemporality", Enum),
    ],
);

static SUMMARY: Definition =
    Definition::new("Summary", 0, &[field(1, "dataPoints", List(Type::SummaryDataPoint))]);

static NUMBER_DATA_POINT: Definition = Definition::new(
    "NumberDataPoint",
    88,
    &[
        field(2, "startTimeUnixNano", Fixed64),
        field(3, "timeUnixNano", Fixed64),
        field(4, "asDouble", Double),
        field(5, "exemplars", List(Type::Exemplar)),
        field(6, "asInt", Sfixed64),
        field(7, "attributes", List(Type::KeyValue)),
        field(8, "flags", Uint32),
    ],
)
.with_oneof(&[4, 6]);

static HISTOGRAM_DATA_POINT: Definition = Definition::new(
    "HistogramDataPoint",
    176,
    &[
        field(2, "startTimeUnixNano", Fixed64),
        field(3, "timeUnixNano", Fixed64),
        field(4, "count", Fixed64),
        field(5, "sum", Double),
        field(6, "bucketCounts", PackedFixed64),
        field(7, "explicitBounds", PackedDouble),
        field(8, "exemplars", List(Type::Exemplar)),
        field(9, "attributes", List(Type::KeyValue)),
        field(10, "flags", Uint32),
        field(11, "min", Double),
        field(12, "max", Double),
    ],
);

static EXPONENTIAL_HISTOGRAM_DATA_POINT: Definition = Definition::new(
    "ExponentialHistogramDataPoint",
    208,
    &[
        field(1, "attributes", List(Type::KeyValue)),
        field(2, "startTimeUnixNano", Fixed64),
        field(3, "timeUnixNano", Fixed64),
        field(4, "count", Fixed64),
        field(5, "sum", Double),
        field(6, "scale", Sint32),
        field(7, "zeroCount", Fixed64),
        field(8, "positive", One(Type::Buckets)),
        field(9, "negative", One(Type::Buckets)),
        field(10, "flags", Uint32),
        field(11, "exemplars", List(Type::Exemplar)),
        field(12, "min", Double),
        field(13, "max", Double),
        field(14, "zeroThreshold", Double),
    ],
);

static BUCKETS: Definition = Definition::new(
    "Buckets",
    0,
    &[field(1, "offset", Sint32), field(2, "bucketCounts", PackedUint64)],
);

static SUMMARY_DATA_POINT: Definition = Definition::new(
    "SummaryDataPoint",
    88,
    &[
        field(2, "startTimeUnixNano", Fixed64),
        field(3, "timeUnixNano", Fixed64),
        field(4, "count", Fixed64),
        field(5, "sum", Double),
        field(6, "quantileValues", List(Type::ValueAtQuantile)),
        field(7, "attributes", List(Type::KeyValue)),
        field(8, "flags", Uint32),
    ],
);

static VALUE_AT_QUANTILE: Definition = Definition::new(
    "ValueAtQuantile",
    16,
    &[field(1, "quantile", Double), field(2, "value", Double)],
);

static EXEMPLAR: Definition = Definition::new(
    "Exemplar",
    96,
    &[
        field(2, "timeUnixNano", Fixed64),
        field(3, "asDouble", Double),
        field(4, "spanId", SpanId),
        field(5, "traceId", TraceId),
        field(6, "asInt", Sfixed64),
        field(7, "filteredAttributes", List(Type::KeyValue)),
    ],
)
.with_oneof(&[3, 6]);

// Answers

static TRACE_RESPONSE: Definition = Definition::new(
    "ExportTraceServiceResponse",
    0,
    &[field(1, "partialSuccess", One(Type::TracePartialSuccess))],
);

static TRACE_PARTIAL_SUCCESS: Definition = Definition::new(
    "ExportTracePartialSuccess",
    0,
    &[field(1, "rejectedSpans", Int64), field(2, "errorMessage", Text)],
);

static LOGS_RESPONSE: Definition = Definition::new(
    "ExportLogsServiceResponse",
    0,
    &[field(1, "partialSuccess", One(Type::LogsPartialSuccess))],
);

static LOGS_PARTIAL_SUCCESS: Definition = Definition::new(
    "ExportLogsPartialSuccess",
    0,
    &[field(1, "rejectedLogRecords", Int64), field(2, "errorMessage", Text)],
);

static METRICS_RESPONSE: Definition = Definition::new(
    "ExportMetricsServiceResponse",
    0,
    &[field(1, "partialSuccess", One(Type::MetricsPartialSuccess))],
);

static METRICS_PARTIAL_SUCCESS: Definition = Definition::new(
    "ExportMetricsPartialSuccess",
    0,
    &[field(1, "rejectedDataPoints", Int64), field(2, "errorMessage", Text)],
);

/// Its details are of any type, which only the peer knows: they are passed over.
static RPC_STATUS: Definition =
    Definition::new("Status", 0, &[field(1, "code", Int32), field(2, "message", Text)]);
