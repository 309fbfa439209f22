//! What the definition of a message says: its fields with their types and, for each key byte,
//! what must follow.
//!
//! The strict scan and the JSON mapping read the same tables, which are in [`messages`].

mod messages;

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
            Self::AnyValue => &messages::ANY_VALUE,
            Self::ArrayValue => &messages::ARRAY_VALUE,
            Self::Buckets => &messages::BUCKETS,
            Self::EntityRef => &messages::ENTITY_REF,
            Self::Event => &messages::EVENT,
            Self::Exemplar => &messages::EXEMPLAR,
            Self::ExponentialHistogram => &messages::EXPONENTIAL_HISTOGRAM,
            Self::ExponentialHistogramDataPoint => &messages::EXPONENTIAL_HISTOGRAM_DATA_POINT,
            Self::Gauge => &messages::GAUGE,
            Self::Histogram => &messages::HISTOGRAM,
            Self::HistogramDataPoint => &messages::HISTOGRAM_DATA_POINT,
            Self::InstrumentationScope => &messages::INSTRUMENTATION_SCOPE,
            Self::KeyValue => &messages::KEY_VALUE,
            Self::KeyValueList => &messages::KEY_VALUE_LIST,
            Self::Link => &messages::LINK,
            Self::LogRecord => &messages::LOG_RECORD,
            Self::LogsRequest => &messages::LOGS_REQUEST,
            Self::Metric => &messages::METRIC,
            Self::MetricsRequest => &messages::METRICS_REQUEST,
            Self::NumberDataPoint => &messages::NUMBER_DATA_POINT,
            Self::Resource => &messages::RESOURCE,
            Self::ResourceLogs => &messages::RESOURCE_LOGS,
            Self::ResourceMetrics => &messages::RESOURCE_METRICS,
            Self::ResourceSpans => &messages::RESOURCE_SPANS,
            Self::ScopeLogs => &messages::SCOPE_LOGS,
            Self::ScopeMetrics => &messages::SCOPE_METRICS,
            Self::ScopeSpans => &messages::SCOPE_SPANS,
            Self::Span => &messages::SPAN,
            Self::Status => &messages::STATUS,
            Self::Sum => &messages::SUM,
            Self::Summary => &messages::SUMMARY,
            Self::SummaryDataPoint => &messages::SUMMARY_DATA_POINT,
            Self::TraceRequest => &messages::TRACE_REQUEST,
            Self::LogsPartialSuccess => &messages::LOGS_PARTIAL_SUCCESS,
            Self::LogsResponse => &messages::LOGS_RESPONSE,
            Self::MetricsPartialSuccess => &messages::METRICS_PARTIAL_SUCCESS,
            Self::MetricsResponse => &messages::METRICS_RESPONSE,
            Self::TracePartialSuccess => &messages::TRACE_PARTIAL_SUCCESS,
            Self::TraceResponse => &messages::TRACE_RESPONSE,
            Self::RpcStatus => &messages::RPC_STATUS,
            Self::ValueAtQuantile => &messages::VALUE_AT_QUANTILE,
        }
    }
}

/// What must follow a field key.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) enum Step {
    Varint,
    /// A varint that only profiles may have.
    Index,
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
            Self::Varint | Self::Index => WireType::Varint,
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
    /// An `Int32` that refers to a dictionary, which only profiles have (row W7).
    Index,
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
            Self::Index => Step::Index,
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
