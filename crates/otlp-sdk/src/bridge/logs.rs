//! Log records of the official SDK.

use std::time::Duration;

use opentelemetry::InstrumentationScope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, SdkLogRecord};
use otlp_core::log::{LogContext, LogRecordEncoder};
use otlp_core::wire::envelope::ResourceHeader;
use otlp_core::{AttributeLimits, LogRecordLimits, Signal};
use parking_lot::Mutex;

use super::groups::{Encoded, Groups, Heading};
use super::hosted::{Exported, Hosted};
use super::room::Room;
use crate::clock::unix_nano;
use crate::value::with_wire_any;

/// One of our exporters for `SdkLoggerProvider`.
///
/// The target of a record takes the place of the scope's name, as the official exporter has it.
///
/// ```no_run
/// # use otlp_sdk::otlp_core::export::Exporter;
/// use otlp_sdk::bridge::LogExporter;
/// use otlp_sdk::opentelemetry_sdk::logs::SdkLoggerProvider;
///
/// # fn provider(exporter: impl Exporter) -> SdkLoggerProvider {
/// SdkLoggerProvider::builder().with_batch_exporter(LogExporter::new(exporter)).build()
/// # }
/// ```
pub type LogExporter = Hosted<Logs>;

/// What a [`LogExporter`] exports.
#[derive(Debug, Default)]
pub struct Logs {
    /// Kept for its memory while no call has it.
    desk: Mutex<Option<Box<Desk>>>,
}

impl Clone for Logs {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Exported for Logs {
    const SIGNAL: Signal = Signal::Logs;
}

impl opentelemetry_sdk::logs::LogExporter for Hosted<Logs> {
    fn export(&self, batch: LogBatch<'_>) -> impl Future<Output = OTelSdkResult> + Send {
        let mut desk = self.signal.desk.lock().take().unwrap_or_default();
        let encoded = desk.encode(&batch, &self.resource);
        *self.signal.desk.lock() = Some(desk);
        self.link.export(encoded)
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.link.shutdown(timeout)
    }

    fn set_resource(&mut self, resource: &opentelemetry_sdk::Resource) {
        self.take_resource(resource);
    }
}

/// Where log records are encoded.
#[derive(Debug, Default)]
struct Desk {
    encoder: LogRecordEncoder,
    room: Room,
}

impl Desk {
    fn encode(&mut self, batch: &LogBatch<'_>, resource: &ResourceHeader) -> Encoded {
        let records: Vec<_> = batch.iter().collect();
        let groups = Groups::of(records.iter().map(heading));
        let capacity = self.room.of(records.len());
        let encoded = groups.encode(Signal::Logs, resource, capacity, |place, buf| {
            records.get(place).is_some_and(|(record, _)| put_record(&mut self.encoder, record, buf))
        });
        self.room.learn(&encoded.payload);
        encoded
    }
}

fn heading<'a>(&(record, scope): &(&'a SdkLogRecord, &'a InstrumentationScope)) -> Heading<'a> {
    Heading { scope, target: record.target().map(|target| &**target) }
}

/// Writes a record as an item of its scope, unless its body is larger than any request could be.
fn put_record(encoder: &mut LogRecordEncoder, record: &SdkLogRecord, buf: &mut Vec<u8>) -> bool {
    encoder.clear();
    encoder.set_time(record.timestamp().map_or(0, unix_nano));
    encoder.set_observed_time(record.observed_timestamp().map_or(0, unix_nano));
    encoder.set_severity(
        record.severity_number().map_or(0, |severity| severity as u8),
        record.severity_text().unwrap_or_default(),
    );
    encoder.set_event_name(record.event_name().unwrap_or_default());
    if let Some(body) = record.body() {
        with_wire_any(body, |body| encoder.set_body(body));
    }
    for (key, value) in record.attributes_iter() {
        with_wire_any(value, |value| encoder.set_attribute(key.as_str(), value, &NO_LIMITS));
    }
    if let Some(context) = record.trace_context() {
        encoder.set_context(LogContext {
            trace_id: context.trace_id.to_bytes(),
            span_id: context.span_id.to_bytes(),
            trace_flags: context.trace_flags.unwrap_or_default().to_u8(),
        });
    }
    let sizes = encoder.sizes();
    let fits = sizes.item_len() <= ITEM_MAX;
    if fits {
        encoder.put_sized(sizes, buf);
    }
    fits
}

/// What the official SDK has kept is sent.
const NO_LIMITS: LogRecordLimits = LogRecordLimits { attributes: AttributeLimits::EXEMPT };
/// More than a record can have that is written in full.
const ITEM_MAX: usize = 256 * 1024 * 1024;
