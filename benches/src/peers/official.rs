//! `opentelemetry_sdk` and `opentelemetry-otlp`, set up as their documentation says.

pub mod logs;
pub mod metrics;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{
    Compression, Protocol, WithExportConfig, WithHttpConfig, WithTonicConfig,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_proto::transform::trace::tonic::group_spans_by_resource_and_scope;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider, SpanData,
    SpanExporter,
};
use parking_lot::Mutex;
use prost::Message;
use tokio::runtime::Runtime;

use crate::client::Load;
use crate::courier::{Collection, Courier, ReadAccount, SpanBatches};
use crate::decode;
use crate::subject::{
    Account, ApiSubject, Codec, Control, DEEP_QUEUE_SPANS, Failure, LocalExport, Progress, Queue,
    Sampling, Subject, Target, Transport,
};
use crate::workload::{self, Work};

/// What the results call this peer.
pub const NAME: &str = "opentelemetry_sdk 0.33";

/// What the results call this peer with its exporter.
pub const NAME_WITH_EXPORTER: &str = "opentelemetry_sdk + opentelemetry-otlp 0.33";

/// What the results call this peer's exporter, where both sides have the official SDK.
pub const NAME_OF_EXPORTER: &str = "opentelemetry-otlp 0.33 in the same SDK";

/// A provider whose exporter ends in this process.
#[must_use]
pub fn local(sampling: Sampling, export: LocalExport, queue: Queue) -> impl Subject {
    subject(local_provider(sampling, export, queue))
}

/// A tracer for a bridge, and what belongs to it.
#[must_use]
pub fn local_parts(export: LocalExport) -> (SdkTracer, impl Control + use<>, Arc<Progress>) {
    let (provider, progress) = local_provider(Sampling::On, export, Queue::Default);
    (provider.tracer("bench"), Provider { provider, _runtime: None }, progress)
}

/// A provider that exports to a server.
///
/// # Errors
///
/// The exporter refuses the configuration, or the runtime for gRPC cannot be started.
pub fn remote(target: &Target) -> Result<impl Subject + use<>, Failure> {
    let (exporter, _runtime) = span_exporter(target)?;
    let control = |provider| Provider { provider, _runtime };
    Ok(exporting(exporter, target.queue, control))
}

/// A provider with an exporter of anyone's; `control` is made of it.
pub fn exporting<E, C>(
    exporter: E,
    queue: Queue,
    control: impl FnOnce(SdkTracerProvider) -> C,
) -> ApiSubject<SdkTracer, C>
where
    E: SpanExporter + 'static,
{
    let progress = Arc::new(Progress::default());
    let exporter = Watched { inner: exporter, progress: Arc::clone(&progress) };
    let provider = provider(exporter, Sampling::On, queue);
    let tracer = provider.tracer("bench");
    ApiSubject { tracer, control: control(provider), progress }
}

/// An exporter without an SDK that makes spans; for metrics the SDK collects.
///
/// # Errors
///
/// The exporter refuses the configuration, the runtime for gRPC cannot be started, or nothing is
/// collected.
pub fn courier(load: Load, target: &Target) -> Result<Box<dyn Courier>, Failure> {
    let silent: ReadAccount = Box::new(|| None);
    Ok(match load {
        Load::SpanBatches => {
            let (exporter, runtime) = span_exporter(target)?;
            // The closure lives as long as the exporter, and keeps the channel's runtime.
            let silent = move || {
                let _kept = &runtime;
                None
            };
            Box::new(SpanBatches::new(exporter, Box::new(silent)))
        }
        Load::Metrics => Box::new(Collection::new(metrics::exporter(target)?, silent)?),
        Load::CollectedMetrics => Box::new(metrics::flushes(target, silent)?),
    })
}

fn span_exporter(
    target: &Target,
) -> Result<(opentelemetry_otlp::SpanExporter, Option<Runtime>), Failure> {
    choose_tls();
    Ok(match target.transport {
        Transport::Http => (http(target)?, None),
        Transport::Grpc => {
            // The channel needs an application's runtime around it. One worker is enough for one
            // connection and the cheapest for the peer.
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build()?;
            let entered = runtime.enter();
            let exporter = grpc(target)?;
            drop(entered);
            (exporter, Some(runtime))
        }
    })
}

/// The HTTP client wants it even where no TLS is spoken.
fn choose_tls() {
    // Chosen already is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
}

/// What `force_flush` of the real exporter would have to make: the message, then its bytes.
#[must_use]
pub fn encode(batch: Vec<SpanData>, resource: &ResourceAttributesWithSchema) -> Vec<u8> {
    let resource_spans = group_spans_by_resource_and_scope(batch, resource);
    ExportTraceServiceRequest { resource_spans }.encode_to_vec()
}

/// Finished spans as this SDK holds them.
#[must_use]
pub fn made(work: Work, spans: usize) -> Vec<SpanData> {
    let kept = Keep::default();
    let provider = SdkTracerProvider::builder().with_simple_exporter(kept.clone()).build();
    workload::run(&provider.tracer("bench"), work, spans);
    std::mem::take(&mut *kept.0.lock())
}

fn subject((provider, progress): (SdkTracerProvider, Arc<Progress>)) -> impl Subject {
    let tracer = provider.tracer("bench");
    ApiSubject { tracer, control: Provider { provider, _runtime: None }, progress }
}

fn local_provider(
    sampling: Sampling,
    export: LocalExport,
    queue: Queue,
) -> (SdkTracerProvider, Arc<Progress>) {
    let progress = Arc::new(Progress::default());
    let exporter = Local {
        export,
        resource: ResourceAttributesWithSchema::default(),
        progress: Arc::clone(&progress),
    };
    (provider(exporter, sampling, queue), progress)
}

fn provider<E>(exporter: E, sampling: Sampling, queue: Queue) -> SdkTracerProvider
where
    E: SpanExporter + 'static,
{
    let sampler = match sampling {
        Sampling::On => Sampler::AlwaysOn,
        Sampling::Off => Sampler::AlwaysOff,
        Sampling::Ratio(ratio) => Sampler::TraceIdRatioBased(ratio),
        Sampling::ParentBasedRatio(ratio) => {
            Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(ratio)))
        }
    };
    let builder = SdkTracerProvider::builder().with_sampler(sampler).with_resource(resource());
    match queue {
        Queue::Default => builder.with_batch_exporter(exporter).build(),
        Queue::Deep => {
            let config =
                BatchConfigBuilder::default().with_max_queue_size(DEEP_QUEUE_SPANS).build();
            let processor = BatchSpanProcessor::builder(exporter).with_batch_config(config).build();
            builder.with_span_processor(processor).build()
        }
    }
}

pub(crate) fn resource() -> Resource {
    Resource::builder().with_service_name("bench").build()
}

fn http(target: &Target) -> Result<opentelemetry_otlp::SpanExporter, Failure> {
    let builder = opentelemetry_otlp::SpanExporter::builder()
        .with_http()
        // The default is whatever features others have enabled.
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("{}/v1/traces", target.endpoint));
    let builder = match compression(target.codec) {
        Some(compression) => builder.with_compression(compression),
        None => builder,
    };
    Ok(builder.build()?)
}

fn grpc(target: &Target) -> Result<opentelemetry_otlp::SpanExporter, Failure> {
    let builder =
        opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint(&target.endpoint);
    let builder = match compression(target.codec) {
        Some(compression) => builder.with_compression(compression),
        None => builder,
    };
    Ok(builder.build()?)
}

/// It has no levels to choose: gzip is 6, zstd is 3.
fn compression(codec: Codec) -> Option<Compression> {
    match codec {
        Codec::None => None,
        Codec::Gzip | Codec::GzipDefault => Some(Compression::Gzip),
        Codec::Zstd => Some(Compression::Zstd),
    }
}

/// The provider, and the runtime that its gRPC channel lives on.
struct Provider {
    provider: SdkTracerProvider,
    _runtime: Option<Runtime>,
}

impl Control for Provider {
    fn flush(&self) -> Result<(), Failure> {
        Ok(self.provider.force_flush()?)
    }

    fn shutdown(&self, timeout: Duration) -> Result<(), Failure> {
        Ok(self.provider.shutdown_with_timeout(timeout)?)
    }

    /// It logs that spans were dropped; a program cannot ask.
    fn account(&self) -> Option<Account> {
        None
    }
}

/// The length of a request with all its items in it.
fn arrived(
    items: usize,
    request: Vec<u8>,
    decode: fn(Bytes) -> Result<u64, String>,
) -> Result<usize, OTelSdkError> {
    let length = request.len();
    match decode(request.into()) {
        Ok(found) if found == items as u64 => Ok(length),
        Ok(found) => Err(OTelSdkError::InternalFailure(format!("{found} of {items} items"))),
        Err(fault) => Err(OTelSdkError::InternalFailure(fault)),
    }
}

/// Counts, or encodes and counts.
struct Local {
    export: LocalExport,
    resource: ResourceAttributesWithSchema,
    progress: Arc<Progress>,
}

impl SpanExporter for Local {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let bytes = match self.export {
            LocalExport::Count => 0,
            LocalExport::Encode => std::hint::black_box(encode(batch, &self.resource)).len(),
            LocalExport::Check => arrived(spans, encode(batch, &self.resource), decode::spans)?,
        };
        self.progress.advance(spans, bytes);
        Ok(())
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = resource.into();
    }
}

impl fmt::Debug for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Local").field("export", &self.export).finish_non_exhaustive()
    }
}

#[derive(Clone, Debug, Default)]
struct Keep(Arc<Mutex<Vec<SpanData>>>);

impl SpanExporter for Keep {
    async fn export(&self, mut batch: Vec<SpanData>) -> OTelSdkResult {
        self.0.lock().append(&mut batch);
        Ok(())
    }
}

/// An exporter with a counter behind it.
#[derive(Debug)]
struct Watched<E> {
    inner: E,
    progress: Arc<Progress>,
}

impl<E: SpanExporter> SpanExporter for Watched<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        let result = self.inner.export(batch).await;
        if result.is_ok() {
            self.progress.advance(spans, 0);
        }
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}
