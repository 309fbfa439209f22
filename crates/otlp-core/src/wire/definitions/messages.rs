//! The messages of OTLP 1.11, one table each: numbers, JSON names and types of all fields.

use super::Kind::{
    Bool, Bytes, Double, Enum, Fixed32, Fixed64, Index, Int32, Int64, List, One, PackedDouble,
    PackedFixed64, PackedUint64, Sfixed64, Sint32, SpanId, Text, Texts, TraceId, Uint32,
};
use super::{Definition, Type, field};

// Common and resource

pub(super) static ANY_VALUE: Definition = Definition::new(
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
        field(8, "stringValueStrindex", Index),
    ],
)
.with_oneof(&[1, 2, 3, 4, 5, 6, 7, 8]);

pub(super) static ARRAY_VALUE: Definition =
    Definition::new("ArrayValue", 0, &[field(1, "values", List(Type::AnyValue))]);

pub(super) static KEY_VALUE_LIST: Definition =
    Definition::new("KeyValueList", 0, &[field(1, "values", List(Type::KeyValue))]);

pub(super) static KEY_VALUE: Definition = Definition::new(
    "KeyValue",
    64,
    &[
        field(1, "key", Text),
        field(2, "value", One(Type::AnyValue)),
        field(3, "keyStrindex", Index),
    ],
);

pub(super) static INSTRUMENTATION_SCOPE: Definition = Definition::new(
    "InstrumentationScope",
    0,
    &[
        field(1, "name", Text),
        field(2, "version", Text),
        field(3, "attributes", List(Type::KeyValue)),
        field(4, "droppedAttributesCount", Uint32),
    ],
);

pub(super) static ENTITY_REF: Definition = Definition::new(
    "EntityRef",
    96,
    &[
        field(1, "schemaUrl", Text),
        field(2, "type", Text),
        field(3, "idKeys", Texts),
        field(4, "descriptionKeys", Texts),
    ],
);

pub(super) static RESOURCE: Definition = Definition::new(
    "Resource",
    0,
    &[
        field(1, "attributes", List(Type::KeyValue)),
        field(2, "droppedAttributesCount", Uint32),
        field(3, "entityRefs", List(Type::EntityRef)),
    ],
);

// Traces

pub(super) static TRACE_REQUEST: Definition = Definition::new(
    "ExportTraceServiceRequest",
    0,
    &[field(1, "resourceSpans", List(Type::ResourceSpans))],
);

pub(super) static RESOURCE_SPANS: Definition = Definition::new(
    "ResourceSpans",
    104,
    &[
        field(1, "resource", One(Type::Resource)),
        field(2, "scopeSpans", List(Type::ScopeSpans)),
        field(3, "schemaUrl", Text),
    ],
);

pub(super) static SCOPE_SPANS: Definition = Definition::new(
    "ScopeSpans",
    128,
    &[
        field(1, "scope", One(Type::InstrumentationScope)),
        field(2, "spans", List(Type::Span)),
        field(3, "schemaUrl", Text),
    ],
);

pub(super) static SPAN: Definition = Definition::new(
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

pub(super) static EVENT: Definition = Definition::new(
    "Event",
    64,
    &[
        field(1, "timeUnixNano", Fixed64),
        field(2, "name", Text),
        field(3, "attributes", List(Type::KeyValue)),
        field(4, "droppedAttributesCount", Uint32),
    ],
);

pub(super) static LINK: Definition = Definition::new(
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

pub(super) static STATUS: Definition =
    Definition::new("Status", 0, &[field(2, "message", Text), field(3, "code", Enum)]);

// Logs

pub(super) static LOGS_REQUEST: Definition = Definition::new(
    "ExportLogsServiceRequest",
    0,
    &[field(1, "resourceLogs", List(Type::ResourceLogs))],
);

pub(super) static RESOURCE_LOGS: Definition = Definition::new(
    "ResourceLogs",
    104,
    &[
        field(1, "resource", One(Type::Resource)),
        field(2, "scopeLogs", List(Type::ScopeLogs)),
        field(3, "schemaUrl", Text),
    ],
);

pub(super) static SCOPE_LOGS: Definition = Definition::new(
    "ScopeLogs",
    128,
    &[
        field(1, "scope", One(Type::InstrumentationScope)),
        field(2, "logRecords", List(Type::LogRecord)),
        field(3, "schemaUrl", Text),
    ],
);

pub(super) static LOG_RECORD: Definition = Definition::new(
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

pub(super) static METRICS_REQUEST: Definition = Definition::new(
    "ExportMetricsServiceRequest",
    0,
    &[field(1, "resourceMetrics", List(Type::ResourceMetrics))],
);

pub(super) static RESOURCE_METRICS: Definition = Definition::new(
    "ResourceMetrics",
    104,
    &[
        field(1, "resource", One(Type::Resource)),
        field(2, "scopeMetrics", List(Type::ScopeMetrics)),
        field(3, "schemaUrl", Text),
    ],
);

pub(super) static SCOPE_METRICS: Definition = Definition::new(
    "ScopeMetrics",
    128,
    &[
        field(1, "scope", One(Type::InstrumentationScope)),
        field(2, "metrics", List(Type::Metric)),
        field(3, "schemaUrl", Text),
    ],
);

pub(super) static METRIC: Definition = Definition::new(
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

pub(super) static GAUGE: Definition =
    Definition::new("Gauge", 0, &[field(1, "dataPoints", List(Type::NumberDataPoint))]);

pub(super) static SUM: Definition = Definition::new(
    "Sum",
    0,
    &[
        field(1, "dataPoints", List(Type::NumberDataPoint)),
        field(2, "aggregationTemporality", Enum),
        field(3, "isMonotonic", Bool),
    ],
);

pub(super) static HISTOGRAM: Definition = Definition::new(
    "Histogram",
    0,
    &[
        field(1, "dataPoints", List(Type::HistogramDataPoint)),
        field(2, "aggregationTemporality", Enum),
    ],
);

pub(super) static EXPONENTIAL_HISTOGRAM: Definition = Definition::new(
    "ExponentialHistogram",
    0,
    &[
        field(1, "dataPoints", List(Type::ExponentialHistogramDataPoint)),
        field(2, "aggregationTemporality", Enum),
    ],
);

pub(super) static SUMMARY: Definition =
    Definition::new("Summary", 0, &[field(1, "dataPoints", List(Type::SummaryDataPoint))]);

pub(super) static NUMBER_DATA_POINT: Definition = Definition::new(
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

pub(super) static HISTOGRAM_DATA_POINT: Definition = Definition::new(
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

pub(super) static EXPONENTIAL_HISTOGRAM_DATA_POINT: Definition = Definition::new(
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

pub(super) static BUCKETS: Definition = Definition::new(
    "Buckets",
    0,
    &[field(1, "offset", Sint32), field(2, "bucketCounts", PackedUint64)],
);

pub(super) static SUMMARY_DATA_POINT: Definition = Definition::new(
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

pub(super) static VALUE_AT_QUANTILE: Definition = Definition::new(
    "ValueAtQuantile",
    16,
    &[field(1, "quantile", Double), field(2, "value", Double)],
);

pub(super) static EXEMPLAR: Definition = Definition::new(
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

pub(super) static TRACE_RESPONSE: Definition = Definition::new(
    "ExportTraceServiceResponse",
    0,
    &[field(1, "partialSuccess", One(Type::TracePartialSuccess))],
);

pub(super) static TRACE_PARTIAL_SUCCESS: Definition = Definition::new(
    "ExportTracePartialSuccess",
    0,
    &[field(1, "rejectedSpans", Int64), field(2, "errorMessage", Text)],
);

pub(super) static LOGS_RESPONSE: Definition = Definition::new(
    "ExportLogsServiceResponse",
    0,
    &[field(1, "partialSuccess", One(Type::LogsPartialSuccess))],
);

pub(super) static LOGS_PARTIAL_SUCCESS: Definition = Definition::new(
    "ExportLogsPartialSuccess",
    0,
    &[field(1, "rejectedLogRecords", Int64), field(2, "errorMessage", Text)],
);

pub(super) static METRICS_RESPONSE: Definition = Definition::new(
    "ExportMetricsServiceResponse",
    0,
    &[field(1, "partialSuccess", One(Type::MetricsPartialSuccess))],
);

pub(super) static METRICS_PARTIAL_SUCCESS: Definition = Definition::new(
    "ExportMetricsPartialSuccess",
    0,
    &[field(1, "rejectedDataPoints", Int64), field(2, "errorMessage", Text)],
);

/// Its details are of any type, which only the peer knows: they are passed over.
pub(super) static RPC_STATUS: Definition =
    Definition::new("Status", 0, &[field(1, "code", Int32), field(2, "message", Text)]);
