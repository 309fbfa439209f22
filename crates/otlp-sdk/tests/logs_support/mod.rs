//! The official SDK and its conversion to OTLP as an oracle for log records.

use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter};
use otlp_testing::Message;

/// Keeps what the official conversion makes of the records.
#[derive(Clone, Debug, Default)]
pub(crate) struct Official(Arc<Mutex<Vec<ScopeLogs>>>);

impl Official {
    pub(crate) fn scopes(&self) -> Vec<ScopeLogs> {
        self.0.lock().unwrap().clone()
    }
}

impl LogExporter for Official {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let resource = ResourceAttributesWithSchema::default();
        let groups: Vec<ResourceLogs> = group_logs_by_resource_and_scope(&batch, &resource);
        self.0.lock().unwrap().extend(groups.into_iter().flat_map(|group| group.scope_logs));
        Ok(())
    }
}

/// What a request has in it.
pub(crate) fn scopes_of(message: &Message) -> Vec<ScopeLogs> {
    match message {
        Message::Logs(logs) => {
            logs.resource_logs.iter().flat_map(|group| group.scope_logs.clone()).collect()
        }
        other => panic!("{other:?}"),
    }
}

/// One group per record, in the order of their bodies and times, without the times of observation.
pub(crate) fn normalised(groups: Vec<ScopeLogs>) -> Vec<ScopeLogs> {
    let mut single = Vec::new();
    for group in groups {
        for mut record in group.log_records.clone() {
            assert!(record.observed_time_unix_nano > 0);
            record.observed_time_unix_nano = 0;
            single.push(ScopeLogs { log_records: vec![record], ..group.clone() });
        }
    }
    single.sort_by_key(|group| {
        let record = &group.log_records[0];
        (format!("{:?}", record.body), record.time_unix_nano)
    });
    single
}
