//! Our SDK and exporters. This file and those below it alone know them.

pub mod bridge;
pub mod logs;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::trace::TracerProvider as _;
use otlp_core::export::{Compression, Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_core::{Payload, Signal};
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::resource::Resource;
use otlp_sdk::trace::sampler::Sampler;
use otlp_sdk::trace::{Tracer, TracerProvider};
use otlp_sdk::tracing_layer::TracingLayer;
use otlp_sdk::{BatchConfig, Ledger};

use crate::decode;
use crate::subject::{
    Account, ApiSubject, Codec, Control, Failure, LocalExport, Progress, Queue, Sampling, Subject,
    Target, Transport,
};

/// Bytes that the default configuration holds at most.
#[must_use]
pub fn queue_bytes() -> usize {
    BatchConfig::default().max_queue_bytes
}

/// A provider whose exporter ends in this process.
///
/// What arrives there is encoded already, so [`LocalExport::Count`] and [`LocalExport::Encode`] are
/// the same. The queue
/// is bounded in bytes and deep by default.
///
/// # Errors
///
/// The share of a sampler is not between 0 and 1.
pub fn local(
    sampling: Sampling,
    export: LocalExport,
    _queue: Queue,
) -> Result<impl Subject, Failure> {
    let (tracer, control, progress) = parts(sampler(sampling)?, export);
    Ok(ApiSubject { tracer, control, progress })
}

/// A tracer for a bridge, and what belongs to it.
#[must_use]
pub fn local_parts() -> (Tracer, impl Control, Arc<Progress>) {
    parts(Sampler::AlwaysOn, LocalExport::Count)
}

/// Our layer for `tracing` with its defaults, and what belongs to it.
#[must_use]
pub fn layer_parts() -> (TracingLayer, impl Control, Arc<Progress>) {
    let progress = Arc::new(Progress::default());
    let provider = provider(local_spans(LocalExport::Count), Sampler::AlwaysOn, &progress);
    (TracingLayer::new(&provider), Provider(provider), progress)
}

/// A provider that exports to a server.
///
/// # Errors
///
/// The exporter refuses the configuration.
pub fn remote(target: &Target) -> Result<impl Subject + use<>, Failure> {
    // Chosen already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let progress = Arc::new(Progress::default());
    let provider = match target.transport {
        Transport::Http => provider(http(Signal::Traces, target)?, Sampler::AlwaysOn, &progress),
        Transport::Grpc => provider(grpc(Signal::Traces, target)?, Sampler::AlwaysOn, &progress),
    };
    let tracer = provider.tracer("bench");
    Ok(ApiSubject { tracer, control: Provider(provider), progress })
}

fn parts(sampler: Sampler, export: LocalExport) -> (Tracer, Provider, Arc<Progress>) {
    let progress = Arc::new(Progress::default());
    let provider = provider(local_spans(export), sampler, &progress);
    (provider.tracer("bench"), Provider(provider), progress)
}

fn provider<E: Exporter>(
    exporter: E,
    sampler: Sampler,
    progress: &Arc<Progress>,
) -> TracerProvider {
    let exporter = Watched { inner: exporter, progress: Arc::clone(progress) };
    TracerProvider::builder()
        .with_sampler(sampler)
        .with_resource(resource())
        .with_batch_exporter(exporter)
        .build()
}

fn local_spans(export: LocalExport) -> Local {
    Local { export, decode: decode::spans }
}

fn resource() -> Resource {
    Resource::builder().with_service_name("bench").build()
}

fn sampler(sampling: Sampling) -> Result<Sampler, Failure> {
    Ok(match sampling {
        Sampling::On => Sampler::AlwaysOn,
        Sampling::Off => Sampler::AlwaysOff,
        Sampling::Ratio(ratio) => Sampler::trace_id_ratio(ratio)?,
        Sampling::ParentBasedRatio(ratio) => Sampler::parent_based(Sampler::trace_id_ratio(ratio)?),
    })
}

fn http(signal: Signal, target: &Target) -> Result<HttpExporter, Failure> {
    let exporter = HttpExporter::builder(signal)
        .with_endpoint(&target.endpoint)
        .with_compression(compression(target.codec))
        .build()?;
    Ok(exporter)
}

fn grpc(signal: Signal, target: &Target) -> Result<GrpcExporter, Failure> {
    let exporter = GrpcExporter::builder(signal)
        .with_endpoint(&target.endpoint)
        .with_compression(compression(target.codec))
        .build()?;
    Ok(exporter)
}

fn compression(codec: Codec) -> Compression {
    match codec {
        Codec::None => Compression::None,
        Codec::Gzip => Compression::Gzip { level: 6 },
        Codec::GzipDefault => Compression::gzip(),
        Codec::Zstd => Compression::zstd(),
    }
}

struct Provider(TracerProvider);

impl Control for Provider {
    fn flush(&self) -> Result<(), Failure> {
        Ok(self.0.force_flush()?)
    }

    fn shutdown(&self, timeout: Duration) -> Result<(), Failure> {
        Ok(self.0.shutdown_with_timeout(timeout)?)
    }

    fn account(&self) -> Option<Account> {
        Some(account(&self.0.ledger()))
    }
}

fn account(ledger: &Ledger) -> Account {
    Account {
        ended: ledger.ended,
        delivered: ledger.delivered,
        lost: ledger.rejected + ledger.dropped_total(),
        held: ledger.held,
    }
}

/// Takes everything, or everything that is right.
#[derive(Debug)]
struct Local {
    export: LocalExport,
    /// The number of items in a request, all of them looked at.
    decode: fn(Bytes) -> Result<u64, String>,
}

impl Exporter for Local {
    async fn export(&self, payload: Payload, _deadline: Deadline) -> Outcome {
        if self.export == LocalExport::Check {
            let decoded = (self.decode)(payload.rope().to_bytes());
            return self.arrived(payload.items(), decoded);
        }
        std::hint::black_box(payload.rope());
        Outcome::delivered()
    }
}

impl Local {
    fn arrived(&self, items: usize, decoded: Result<u64, String>) -> Outcome {
        match decoded {
            Ok(found) if found == items as u64 => Outcome::delivered(),
            Ok(found) => wrong(format!("{found} of {items} items in a request")),
            Err(fault) => wrong(fault),
        }
    }
}

fn wrong(fault: String) -> Outcome {
    Outcome::permanent(ExportError::new(ErrorKind::Request, fault))
}

/// An exporter with a counter behind it.
struct Watched<E> {
    inner: E,
    progress: Arc<Progress>,
}

impl<E: Exporter> Exporter for Watched<E> {
    async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
        let (spans, bytes) = (payload.items(), payload.len());
        let outcome = self.inner.export(payload, deadline).await;
        if let Outcome::Delivered { .. } = outcome {
            self.progress.advance(spans, bytes);
        }
        outcome
    }

    async fn force_flush(&self, deadline: Deadline) -> Result<(), ExportError> {
        self.inner.force_flush(deadline).await
    }

    async fn shutdown(&self, deadline: Deadline) -> Result<(), ExportError> {
        self.inner.shutdown(deadline).await
    }

    fn component_type(&self) -> &'static str {
        self.inner.component_type()
    }

    fn destination(&self) -> String {
        self.inner.destination()
    }
}

impl<E: fmt::Debug> fmt::Debug for Watched<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Work;

    #[test]
    fn every_span_comes_through_and_the_account_says_so() {
        let subject = local(Sampling::On, LocalExport::Encode, Queue::Default).unwrap();
        subject.make(Work::Root { attributes: 10 }, 3_000);
        subject.make(Work::Tree, 1_000);
        subject.flush().unwrap();
        assert_eq!(subject.progress().spans(), 4_000);
        assert!(subject.progress().bytes() > 4_000 * 100);
        let account = Account { ended: 4_000, delivered: 4_000, lost: 0, held: 0 };
        assert_eq!(subject.account(), Some(account));
    }

    #[test]
    fn an_unsampled_span_is_not_owed() {
        let subject = local(Sampling::Off, LocalExport::Count, Queue::Default).unwrap();
        subject.make(Work::Root { attributes: 10 }, 100);
        subject.flush().unwrap();
        assert_eq!(subject.progress().spans(), 0);
        assert_eq!(subject.account().unwrap().ended, 0);
    }

    #[test]
    fn a_share_above_one_is_refused() {
        assert!(local(Sampling::Ratio(1.5), LocalExport::Count, Queue::Default).is_err());
    }
}
