//! The table of what differs between the signals: names, paths, the infix of their variables.
//!
//! Everything downstream (payload, retry, queues, exporters, configuration) is generic over [`Signal`]. A new
//! signal is a new row here, its wire format and an SDK folder; where something has to be chosen by its type
//! (the root of its JSON, what the console prints, its provider in `init`) a `match` says so.

use std::fmt;

/// One of the OTLP signals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Signal {
    /// Spans: `ExportTraceServiceRequest`.
    Traces,
    /// Metric data points: `ExportMetricsServiceRequest`.
    Metrics,
    /// Log records: `ExportLogsServiceRequest`.
    Logs,
}

impl Signal {
    /// Every signal, in the order of the protocol's documents.
    pub const ALL: [Self; 3] = [Self::Traces, Self::Metrics, Self::Logs];

    /// The path that a generic HTTP endpoint is extended by (OTLP/HTTP, "Endpoint URLs").
    #[must_use]
    pub const fn http_path(self) -> &'static str {
        self.row().http_path
    }

    /// The full gRPC method, leading slash included (OTLP/gRPC, unary `Export`).
    #[must_use]
    pub const fn grpc_path(self) -> &'static str {
        self.row().grpc_path
    }

    /// The infix of this signal's environment variables: `OTEL_EXPORTER_OTLP_<infix>_ENDPOINT`.
    #[must_use]
    pub const fn env_infix(self) -> &'static str {
        self.row().env_infix
    }

    /// The name as it stands in configuration and messages: `traces`, `metrics`, `logs`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.row().name
    }

    /// What one item is called in messages: `span`, `metric_data_point`, `log_record`.
    #[must_use]
    pub const fn item(self) -> &'static str {
        self.row().item
    }

    /// What one item is called in the names of the SDK's own metrics (semantic conventions,
    /// `otel.sdk.exporter.<noun>.exported`): `span`, `metric_data_point`, `log`.
    #[must_use]
    pub const fn convention_noun(self) -> &'static str {
        self.row().convention_noun
    }

    /// The unit of a number of items in the SDK's own metrics: `{span}`, `{data_point}`, `{log_record}`.
    #[must_use]
    pub const fn item_unit(self) -> &'static str {
        self.row().item_unit
    }

    /// The `otel.component.type` of an exporter of this signal, as the semantic conventions list them.
    #[must_use]
    pub const fn exporter_type(self, kind: ExporterType) -> &'static str {
        let row = self.row();
        match kind {
            ExporterType::Grpc => row.grpc_exporter,
            ExporterType::Http => row.http_exporter,
            ExporterType::HttpJson => row.http_json_exporter,
            ExporterType::File => row.file_exporter,
        }
    }

    /// The `otel.component.type` of what stands before an exporter, a simple or a batching processor; `None`
    /// for metrics, which a reader collects.
    #[must_use]
    pub const fn processor_type(self, is_simple: bool) -> Option<&'static str> {
        match self.row().processors {
            Some((simple, _)) if is_simple => Some(simple),
            Some((_, batching)) => Some(batching),
            None => None,
        }
    }

    /// The variable that limits an export of the official SDK's processor or reader.
    #[must_use]
    pub const fn export_timeout_variable(self) -> &'static str {
        self.row().export_timeout_variable
    }

    /// The names of the answer to a request and of the message about a partial success in it.
    pub(crate) const fn response_names(self) -> (&'static str, &'static str) {
        self.row().response_names
    }

    /// Whether an item is a data point inside what stands in the scope envelope, not that itself.
    ///
    /// Spans and log records are fields of `ScopeSpans` and `ScopeLogs`. A `ScopeMetrics` holds
    /// metrics, and what the protocol counts and rejects are their data points.
    pub(crate) const fn counts_points(self) -> bool {
        matches!(self, Self::Metrics)
    }

    const fn row(self) -> &'static Row {
        match self {
            Self::Traces => &TRACES,
            Self::Metrics => &METRICS,
            Self::Logs => &LOGS,
        }
    }
}

/// How an exporter speaks, for its [type](Signal::exporter_type).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ExporterType {
    /// OTLP over gRPC.
    Grpc,
    /// OTLP over HTTP, as protobuf.
    Http,
    /// OTLP over HTTP, as JSON.
    HttpJson,
    /// Lines of OTLP/JSON.
    File,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

struct Row {
    name: &'static str,
    item: &'static str,
    convention_noun: &'static str,
    item_unit: &'static str,
    env_infix: &'static str,
    http_path: &'static str,
    grpc_path: &'static str,
    response_names: (&'static str, &'static str),
    grpc_exporter: &'static str,
    http_exporter: &'static str,
    http_json_exporter: &'static str,
    file_exporter: &'static str,
    /// Simple and batching.
    processors: Option<(&'static str, &'static str)>,
    export_timeout_variable: &'static str,
}

const TRACES: Row = Row {
    name: "traces",
    item: "span",
    convention_noun: "span",
    item_unit: "{span}",
    env_infix: "TRACES",
    http_path: "v1/traces",
    grpc_path: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    response_names: ("ExportTraceServiceResponse", "ExportTracePartialSuccess"),
    grpc_exporter: "otlp_grpc_span_exporter",
    http_exporter: "otlp_http_span_exporter",
    http_json_exporter: "otlp_http_json_span_exporter",
    file_exporter: "otlp_file_span_exporter",
    processors: Some(("simple_span_processor", "batching_span_processor")),
    export_timeout_variable: "OTEL_BSP_EXPORT_TIMEOUT",
};

const METRICS: Row = Row {
    name: "metrics",
    item: "metric_data_point",
    convention_noun: "metric_data_point",
    item_unit: "{data_point}",
    env_infix: "METRICS",
    http_path: "v1/metrics",
    grpc_path: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    response_names: ("ExportMetricsServiceResponse", "ExportMetricsPartialSuccess"),
    grpc_exporter: "otlp_grpc_metric_exporter",
    http_exporter: "otlp_http_metric_exporter",
    http_json_exporter: "otlp_http_json_metric_exporter",
    file_exporter: "otlp_file_metric_exporter",
    processors: None,
    export_timeout_variable: "OTEL_METRIC_EXPORT_TIMEOUT",
};

const LOGS: Row = Row {
    name: "logs",
    item: "log_record",
    convention_noun: "log",
    item_unit: "{log_record}",
    env_infix: "LOGS",
    http_path: "v1/logs",
    grpc_path: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    response_names: ("ExportLogsServiceResponse", "ExportLogsPartialSuccess"),
    grpc_exporter: "otlp_grpc_log_exporter",
    http_exporter: "otlp_http_log_exporter",
    http_json_exporter: "otlp_http_json_log_exporter",
    file_exporter: "otlp_file_log_exporter",
    processors: Some(("simple_log_processor", "batching_log_processor")),
    export_timeout_variable: "OTEL_BLRP_EXPORT_TIMEOUT",
};
