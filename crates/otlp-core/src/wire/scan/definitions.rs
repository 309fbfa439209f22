//! The message definitions of OTLP 1.11 as tables: for each key byte, what must follow.

use crate::wire::reader::WireType;

/// A message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
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
    LogsRequest,
    Metric,
    MetricsRequest,
    NumberDataPoint,
    Resource,
    ResourceLogs,
    ResourceMetrics,
    ResourceSpans,
    ScopeLogs,
    ScopeMetrics,
    ScopeSpans,
    Span,
    Status,
    Sum,
    Summary,
    SummaryDataPoint,
    TraceRequest,
    ValueAtQuantile,
}

impl Type {
    /// Whether the protocol counts and rejects these.
    pub(super) const fn is_item(self) -> bool {
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

    pub(super) const fn definition(self) -> &'static Definition {
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
            Self::ValueAtQuantile => &VALUE_AT_QUANTILE,
        }
    }
}

/// What must follow a field key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
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

/// A message type's fields.
pub(super) struct Definition {
    pub(super) name: &'static str,
    /// Bytes that the decoded message takes in its list.
    pub(super) decoded_size: usize,
    fields: &'static [(u32, Step)],
    /// Indexed by a key that fits one byte, which holds for field numbers below 16.
    steps: [Step; 128],
}

impl Definition {
    /// What must follow `key`, if it is a key of one byte.
    #[inline]
    pub(super) fn step(&self, key: u8) -> Option<Step> {
        self.steps.get(usize::from(key)).copied()
    }

    /// What must follow the key of field `number`.
    pub(super) fn step_of(&self, number: u32, wire_type: WireType) -> Step {
        match self.fields.iter().find(|(known, _)| *known == number) {
            Some((_, step)) => step_for(*step, wire_type),
            None => Step::Unknown(wire_type),
        }
    }

    #[expect(clippy::indexing_slicing, reason = "evaluated at compile time")]
    const fn new(name: &'static str, decoded_size: usize, fields: &'static [(u32, Step)]) -> Self {
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
            let (number, step) = fields[i];
            let mut low = 0;
            while number < 16 && low < 8 {
                if let Some(wire_type) = wire_type_of(low) {
                    steps[number as usize * 8 + low] = step_for(step, wire_type);
                }
                low += 1;
            }
            i += 1;
        }
        Self { name, decoded_size, fields, steps }
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

use Step::{
    Bytes, Fixed32, Fixed64, Id, List, ListedText, One, PackedFixed64, PackedVarint, Text, Varint,
};

const TRACE_ID: Step = Id(16);
const SPAN_ID: Step = Id(8);

// Common and resource

static ANY_VALUE: Definition = Definition::new(
    "AnyValue",
    32,
    &[
        (1, Text),
        (2, Varint),
        (3, Varint),
        (4, Fixed64),
        (5, One(Type::ArrayValue)),
        (6, One(Type::KeyValueList)),
        (7, Bytes),
        (8, Varint),
    ],
);

static ARRAY_VALUE: Definition = Definition::new("ArrayValue", 0, &[(1, List(Type::AnyValue))]);

static KEY_VALUE_LIST: Definition =
    Definition::new("KeyValueList", 0, &[(1, List(Type::KeyValue))]);

static KEY_VALUE: Definition =
    Definition::new("KeyValue", 64, &[(1, Text), (2, One(Type::AnyValue)), (3, Varint)]);

static INSTRUMENTATION_SCOPE: Definition = Definition::new(
    "InstrumentationScope",
    0,
    &[(1, Text), (2, Text), (3, List(Type::KeyValue)), (4, Varint)],
);

static ENTITY_REF: Definition =
    Definition::new("EntityRef", 96, &[(1, Text), (2, Text), (3, ListedText), (4, ListedText)]);

static RESOURCE: Definition = Definition::new(
    "Resource",
    0,
    &[(1, List(Type::KeyValue)), (2, Varint), (3, List(Type::EntityRef))],
);

// Traces

static TRACE_REQUEST: Definition =
    Definition::new("ExportTraceServiceRequest", 0, &[(1, List(Type::ResourceSpans))]);

static RESOURCE_SPANS: Definition = Definition::new(
    "ResourceSpans",
    104,
    &[(1, One(Type::Resource)), (2, List(Type::ScopeSpans)), (3, Text)],
);

static SCOPE_SPANS: Definition = Definition::new(
    "ScopeSpans",
    128,
    &[(1, One(Type::InstrumentationScope)), (2, List(Type::Span)), (3, Text)],
);

static SPAN: Definition = Definition::new(
    "Span",
    264,
    &[
        (1, TRACE_ID),
        (2, SPAN_ID),
        (3, Text),
        (4, SPAN_ID),
        (5, Text),
        (6, Varint),
        (7, Fixed64),
        (8, Fixed64),
        (9, List(Type::KeyValue)),
        (10, Varint),
        (11, List(Type::Event)),
        (12, Varint),
        (13, List(Type::Link)),
        (14, Varint),
        (15, One(Type::Status)),
        (16, Fixed32),
    ],
);

static EVENT: Definition = Definition::new(
    "Event",
    64,
    &[(1, Fixed64), (2, Text), (3, List(Type::KeyValue)), (4, Varint)],
);

static LINK: Definition = Definition::new(
    "Link",
    104,
    &[(1, TRACE_ID), (2, SPAN_ID), (3, Text), (4, List(Type::KeyValue)), (5, Varint), (6, Fixed32)],
);

static STATUS: Definition = Definition::new("Status", 0, &[(2, Text), (3, Varint)]);

// Logs

static LOGS_REQUEST: Definition =
    Definition::new("ExportLogsServiceRequest", 0, &[(1, List(Type::ResourceLogs))]);

static RESOURCE_LOGS: Definition = Definition::new(
    "ResourceLogs",
    104,
    &[(1, One(Type::Resource)), (2, List(Type::ScopeLogs)), (3, Text)],
);

static SCOPE_LOGS: Definition = Definition::new(
    "ScopeLogs",
    128,
    &[(1, One(Type::InstrumentationScope)), (2, List(Type::LogRecord)), (3, Text)],
);

static LOG_RECORD: Definition = Definition::new(
    "LogRecord",
    184,
    &[
        (1, Fixed64),
        (2, Varint),
        (3, Text),
        (5, One(Type::AnyValue)),
        (6, List(Type::KeyValue)),
        (7, Varint),
        (8, Fixed32),
        (9, TRACE_ID),
        (10, SPAN_ID),
        (11, Fixed64),
        (12, Text),
    ],
);

// Metrics

static METRICS_REQUEST: Definition =
    Definition::new("ExportMetricsServiceRequest", 0, &[(1, List(Type::ResourceMetrics))]);

static RESOURCE_METRICS: Definition = Definition::new(
    "ResourceMetrics",
    104,
    &[(1, One(Type::Resource)), (2, List(Type::ScopeMetrics)), (3, Text)],
);

static SCOPE_METRICS: Definition = Definition::new(
    "ScopeMetrics",
    128,
    &[(1, One(Type::InstrumentationScope)), (2, List(Type::Metric)), (3, Text)],
);

static METRIC: Definition = Definition::new(
    "Metric",
    136,
    &[
        (1, Text),
        (2, Text),
        (3, Text),
        (5, One(Type::Gauge)),
        (7, One(Type::Sum)),
        (9, One(Type::Histogram)),
        (10, One(Type::ExponentialHistogram)),
        (11, One(Type::Summary)),
        (12, List(Type::KeyValue)),
    ],
);

static GAUGE: Definition = Definition::new("Gauge", 0, &[(1, List(Type::NumberDataPoint))]);

static SUM: Definition =
    Definition::new("Sum", 0, &[(1, List(Type::NumberDataPoint)), (2, Varint), (3, Varint)]);

static HISTOGRAM: Definition =
    Definition::new("Histogram", 0, &[(1, List(Type::HistogramDataPoint)), (2, Varint)]);

static EXPONENTIAL_HISTOGRAM: Definition = Definition::new(
    "ExponentialHistogram",
    0,
    &[(1, List(Type::ExponentialHistogramDataPoint)), (2, Varint)],
);

static SUMMARY: Definition = Definition::new("Summary", 0, &[(1, List(Type::SummaryDataPoint))]);

static NUMBER_DATA_POINT: Definition = Definition::new(
    "NumberDataPoint",
    88,
    &[
        (2, Fixed64),
        (3, Fixed64),
        (4, Fixed64),
        (5, List(Type::Exemplar)),
        (6, Fixed64),
        (7, List(Type::KeyValue)),
        (8, Varint),
    ],
);

static HISTOGRAM_DATA_POINT: Definition = Definition::new(
    "HistogramDataPoint",
    176,
    &[
        (2, Fixed64),
        (3, Fixed64),
        (4, Fixed64),
        (5, Fixed64),
        (6, PackedFixed64),
        (7, PackedFixed64),
        (8, List(Type::Exemplar)),
        (9, List(Type::KeyValue)),
        (10, Varint),
        (11, Fixed64),
        (12, Fixed64),
    ],
);

static EXPONENTIAL_HISTOGRAM_DATA_POINT: Definition = Definition::new(
    "ExponentialHistogramDataPoint",
    208,
    &[
        (1, List(Type::KeyValue)),
        (2, Fixed64),
        (3, Fixed64),
        (4, Fixed64),
        (5, Fixed64),
        (6, Varint),
        (7, Fixed64),
        (8, One(Type::Buckets)),
        (9, One(Type::Buckets)),
        (10, Varint),
        (11, List(Type::Exemplar)),
        (12, Fixed64),
        (13, Fixed64),
        (14, Fixed64),
    ],
);

static BUCKETS: Definition = Definition::new("Buckets", 0, &[(1, Varint), (2, PackedVarint)]);

static SUMMARY_DATA_POINT: Definition = Definition::new(
    "SummaryDataPoint",
    88,
    &[
        (2, Fixed64),
        (3, Fixed64),
        (4, Fixed64),
        (5, Fixed64),
        (6, List(Type::ValueAtQuantile)),
        (7, List(Type::KeyValue)),
        (8, Varint),
    ],
);

static VALUE_AT_QUANTILE: Definition =
    Definition::new("ValueAtQuantile", 16, &[(1, Fixed64), (2, Fixed64)]);

static EXEMPLAR: Definition = Definition::new(
    "Exemplar",
    96,
    &[
        (2, Fixed64),
        (3, Fixed64),
        (4, SPAN_ID),
        (5, TRACE_ID),
        (6, Fixed64),
        (7, List(Type::KeyValue)),
    ],
);
