//! What the clients for interoperability have in common: exporters by name, times, and what is expected of a
//! resource, a scope, a value and the ledger, as JSON.

use std::error::Error;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use otlp_core::Signal;
use otlp_core::export::{BoxedExporter, Compression, Exporter, Protocol};
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::Ledger;
use otlp_sdk::file::FileExporter;
use otlp_sdk::resource::Resource;
use serde_json::{Value as Json, json};

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// The exporter that `http|json|grpc ENDPOINT none|gzip|zstd` or `file PATH none` name.
pub(crate) fn exporter(signal: Signal, args: &[String]) -> Result<BoxedExporter> {
    let [transport, endpoint, compression] = args else {
        return Err("expected: http|json|grpc ENDPOINT none|gzip|zstd, or: file PATH none".into());
    };
    let compression: Compression = compression.parse()?;
    match transport.as_str() {
        "http" | "json" => Ok(HttpExporter::builder(signal)
            .with_endpoint(endpoint)
            .with_protocol(match transport.as_str() {
                "json" => Protocol::HttpJson,
                _ => Protocol::HttpProtobuf,
            })
            .with_header("x-interop", "1")
            .with_compression(compression)
            .build()?
            .boxed()),
        "grpc" => Ok(GrpcExporter::builder(signal)
            .with_endpoint(endpoint)
            .with_header("x-interop", "1")
            .with_compression(compression)
            .build()?
            .boxed()),
        "file" if compression == Compression::None => {
            Ok(FileExporter::builder(signal).with_path(endpoint).build()?.boxed())
        }
        "file" => Err("lines of a file are not compressed".into()),
        other => Err(format!("transport {other:?}: http, json, grpc or file").into()),
    }
}

/// What is the same for everything that is sent.
pub(crate) fn resource() -> Resource {
    Resource::builder()
        .with_service_name("interop-client")
        .with_attribute(KeyValue::new("interop.resource", "größe ✓"))
        .with_schema_url("https://example.com/resource/1.0.0")
        .build()
}

pub(crate) fn resource_json() -> Json {
    json!({
        "schema_url": "https://example.com/resource/1.0.0",
        "attributes": {
            "service.name": {"string": "interop-client"},
            "interop.resource": {"string": "größe ✓"},
            "telemetry.sdk.language": {"string": "rust"},
        },
    })
}

/// A scope with every field.
pub(crate) fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("interop")
        .with_version("1.2.3")
        .with_schema_url("https://example.com/scope/2.0.0")
        .with_attributes([KeyValue::new("interop.scope", true)])
        .build()
}

/// [`scope`] under a name.
pub(crate) fn scope_json(name: &str) -> Json {
    json!({
        "name": name,
        "version": "1.2.3",
        "schema_url": "https://example.com/scope/2.0.0",
        "attributes": {"interop.scope": {"bool": true}},
    })
}

/// A scope that has nothing but a name.
pub(crate) fn bare_scope_json(name: &str) -> Json {
    json!({"name": name, "version": "", "schema_url": "", "attributes": {}})
}

/// A sampled context from another process.
pub(crate) fn remote(trace_id: u128, trace_state: &str) -> Result<SpanContext> {
    let trace_state = trace_state.parse::<TraceState>()?;
    let ids = (TraceId::from(trace_id), SpanId::from(0x1112_1314_1516_1718));
    Ok(SpanContext::new(ids.0, ids.1, TraceFlags::SAMPLED, true, trace_state))
}

/// The digits of a number's bits, so that none is rounded.
pub(crate) fn bits(value: f64) -> Json {
    format!("{:016x}", value.to_bits()).into()
}

pub(crate) fn double(value: f64) -> Json {
    json!({"double": bits(value)})
}

pub(crate) fn merge(into: &mut Json, changes: Json) {
    if let (Json::Object(into), Json::Object(changes)) = (into, changes) {
        into.extend(changes);
    }
}

pub(crate) fn ledger_json(ledger: &Ledger) -> Json {
    json!({
        "ended": ledger.ended,
        "delivered": ledger.delivered,
        "rejected": ledger.rejected,
        "dropped": ledger.dropped_total(),
        "held": ledger.held,
    })
}

/// Seconds after the fixed base.
pub(crate) fn at(second: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + BASE + Duration::from_secs(second)
}

/// [`at`] as text: a JSON reader may keep numbers as doubles.
pub(crate) fn nanos(second: u64) -> Json {
    (BASE + Duration::from_secs(second)).as_nanos().to_string().into()
}

const BASE: Duration = Duration::from_nanos(1_700_000_000_123_456_789);
