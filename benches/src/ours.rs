//! Our side. This file alone knows our SDK and exporters.
//!
//! PLACEHOLDER until the SDK exists: the official SDK stands here, so that the framework can be
//! checked against itself (every ratio must come out near 1). `WIRED` is false and `compare`
//! refuses to call a bar reached.

use std::sync::Arc;

use crate::peers::official;
use crate::subject::{Control, Failure, LocalExport, Progress, Queue, Sampling, Subject, Target};

/// Whether this file measures our SDK.
pub const WIRED: bool = false;

/// Bytes that the default configuration lets the queues hold.
pub const QUEUE_BYTES: u64 = 32 << 20;

/// A provider whose exporter ends in this process.
#[must_use]
pub fn local(sampling: Sampling, export: LocalExport, queue: Queue) -> impl Subject {
    official::local(sampling, export, queue)
}

/// A tracer for a bridge, and what belongs to it.
#[must_use]
pub fn local_parts() -> (
    opentelemetry_sdk::trace::SdkTracer,
    impl Control,
    Arc<Progress>,
) {
    official::local_parts()
}

/// A provider that exports to a server.
///
/// # Errors
///
/// The exporter refuses the configuration.
pub fn remote(target: &Target) -> Result<impl Subject + use<>, Failure> {
    official::remote(target)
}
