//! What views of log records read is what prost decodes.

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use otlp_core::wire::{LogRecordView, LogsRequestView, WireError};
use prost::Message;

use super::views::{
    same_key_value, same_list, same_option, same_resource, same_scope, same_value,
    visit_attributes, visit_value,
};

/// Bytes that prost decodes read the same through views; other bytes give errors, not panics.
pub(crate) fn agree_with_prost(data: &[u8]) {
    match ExportLogsServiceRequest::decode(data) {
        Ok(decoded) => same_request(data, &decoded),
        Err(_) => {
            // The views see less than prost, so they may find nothing wrong.
            let _ = visit(data);
        }
    }
}

/// Views of `data` show exactly `decoded`.
pub(crate) fn same_request(data: &[u8], decoded: &ExportLogsServiceRequest) {
    let request = LogsRequestView::parse(data).unwrap();
    same_list(request.resources(), &decoded.resource_logs, |view, message| {
        assert_eq!(view.schema_url(), message.schema_url);
        same_option(view.resource(), message.resource.as_ref(), same_resource);
        same_list(view.scopes(), &message.scope_logs, |view, message| {
            assert_eq!(view.schema_url(), message.schema_url);
            same_option(view.scope(), message.scope.as_ref(), same_scope);
            same_list(view.items(), &message.log_records, same_log_record);
        });
    });
}

fn same_log_record(view: LogRecordView<'_>, message: &LogRecord) {
    assert_eq!(view.time_unix_nano(), message.time_unix_nano);
    assert_eq!(view.observed_time_unix_nano(), message.observed_time_unix_nano);
    assert_eq!(view.severity_number(), message.severity_number);
    assert_eq!(view.severity_text(), message.severity_text);
    same_option(view.body(), message.body.as_ref(), same_value);
    assert_eq!(view.dropped_attributes_count(), message.dropped_attributes_count);
    assert_eq!(view.flags(), message.flags);
    assert_eq!(view.trace_id(), message.trace_id);
    assert_eq!(view.span_id(), message.span_id);
    assert_eq!(view.event_name(), message.event_name);
    same_list(view.attributes(), &message.attributes, same_key_value);
    // NaN does not equal itself, so the messages are compared as text.
    assert_eq!(format!("{:?}", LogRecord::decode(view.encoded()).unwrap()), format!("{message:?}"));
}

/// Reads everything that views of logs can show.
fn visit(data: &[u8]) -> Result<(), WireError> {
    for resource in LogsRequestView::parse(data)?.resources() {
        for scope in resource?.scopes() {
            for record in scope?.items() {
                let record = record?;
                visit_attributes(record.attributes())?;
                record.body().map_or(Ok(()), visit_value)?;
            }
        }
    }
    Ok(())
}
