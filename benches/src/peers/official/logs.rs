//! The official logger provider.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::logs::tonic::group_logs_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::logs::{LogBatch, LogExporter, SdkLoggerProvider};
use prost::Message;

use super::{arrived, resource};
use crate::decode;
use crate::subject::{Account, Control, Failure, LocalExport, Progress};

/// A logger provider for a bridge, and what belongs to it. The exporter ends in this process.
#[must_use]
pub fn local_parts(export: LocalExport) -> (SdkLoggerProvider, impl Control, Arc<Progress>) {
    let progress = Arc::new(Progress::default());
    let exporter = Local {
        export,
        resource: ResourceAttributesWithSchema::default(),
        progress: Arc::clone(&progress),
    };
    let provider = SdkLoggerProvider::builder()
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build();
    (provider.clone(), Provider(provider), progress)
}

struct Provider(SdkLoggerProvider);

impl Control for Provider {
    fn flush(&self) -> Result<(), Failure> {
        Ok(self.0.force_flush()?)
    }

    fn shutdown(&self, timeout: Duration) -> Result<(), Failure> {
        Ok(self.0.shutdown_with_timeout(timeout)?)
    }

    /// It logs that records were dropped; a program cannot ask.
    fn account(&self) -> Option<Account> {
        None
    }
}

/// Counts, or does what the real exporter does before it sends: the message, then its bytes.
struct Local {
    export: LocalExport,
    resource: ResourceAttributesWithSchema,
    progress: Arc<Progress>,
}

impl LogExporter for Local {
    async fn export(&self, batch: LogBatch<'_>) -> OTelSdkResult {
        let records = batch.iter().count();
        let bytes = match self.export {
            LocalExport::Count => 0,
            LocalExport::Encode => std::hint::black_box(self.encode(&batch)).len(),
            LocalExport::Check => arrived(records, self.encode(&batch), decode::records)?,
        };
        self.progress.advance(records, bytes);
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

impl Local {
    fn encode(&self, batch: &LogBatch<'_>) -> Vec<u8> {
        let resource_logs = group_logs_by_resource_and_scope(batch, &self.resource);
        ExportLogsServiceRequest { resource_logs }.encode_to_vec()
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("export", &self.export).finish_non_exhaustive()
    }
}
