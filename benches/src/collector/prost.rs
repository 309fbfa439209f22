//! A collector that decodes and encodes: our receiver and our exporter, and `prost` in between.
//!
//! It takes the place of ours in a round, and differs only in what the data is between receiver and
//! exporter: messages of `opentelemetry-proto`, decoded once, appended, edited, encoded once.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_collector::admission::{Budget, Ticket};
use otlp_collector::consumer::{Answer, Batch, Consumer};
use otlp_collector::receivers::otlp::{Consumers, OtlpReceiver, OtlpSettings};
use otlp_core::export::{
    BoxedExporter, Compression, Deadline, Env, ErrorKind, ExportError, Exporter as _, Outcome,
};
use otlp_core::{Payload, Signal};
use otlp_exporter_grpc::GrpcExporter;
use parking_lot::Mutex;
use prost::Message;
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as AsyncMutex, mpsc};

use super::spans::Edit;
use super::yaml::Setup;
use crate::subject::Failure;

/// What it has to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ProstTask {
    /// The pipeline.
    pub setup: Setup,
}

/// Serves until standard input ends.
///
/// # Errors
///
/// A port cannot be bound, or the exporter cannot be built.
pub fn run(task: &ProstTask) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let running = runtime.block_on(start(&task.setup))?;
    // Ends with the parent.
    std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink())?;
    drop(running);
    Ok(())
}

async fn start(setup: &Setup) -> Result<impl Sized, Failure> {
    let exporter = GrpcExporter::builder(Signal::Traces)
        .with_endpoint(format!("http://127.0.0.1:{}", setup.sink_port))
        .with_compression(if setup.gzip_out { Compression::gzip() } else { Compression::None })
        .with_timeout(setup.export_timeout())
        .build_with(&Env::empty())?
        .boxed();
    let (full, waiting) = mpsc::channel(QUEUE);
    let waiting = Arc::new(AsyncMutex::new(waiting));
    for _ in 0..CONSUMERS {
        tokio::spawn(send(exporter.clone(), Arc::clone(&waiting)));
    }
    let batching =
        Arc::new(Batching { edit: setup.edit, gathered: Mutex::new(Gathered::default()), full });
    tokio::spawn(flush(Arc::clone(&batching)));
    let mut settings = OtlpSettings::both();
    if let (Some(grpc), Some(http)) = (&mut settings.protocols.grpc, &mut settings.protocols.http) {
        grpc.endpoint = format!("127.0.0.1:{}", setup.grpc_port);
        http.endpoint = format!("127.0.0.1:{}", setup.http_port);
    }
    let budget = Budget::new(setup.limit_mib.map_or(BUDGET, |mib| (mib as usize) << 20));
    Ok(OtlpReceiver::new(settings).start(Consumers::all(batching), budget).await?)
}

/// Messages that are on their way to a batch.
#[derive(Default)]
struct Gathered {
    request: ExportTraceServiceRequest,
    spans: usize,
    /// The bytes of the requests that they came in.
    tickets: Vec<Arc<Ticket>>,
    since: Option<Instant>,
}

impl Gathered {
    fn add(&mut self, request: ExportTraceServiceRequest, spans: usize, tickets: Vec<Arc<Ticket>>) {
        self.request.resource_spans.extend(request.resource_spans);
        self.spans += spans;
        self.tickets.extend(tickets);
        self.since.get_or_insert_with(Instant::now);
    }
}

/// Decodes, edits and gathers, as the `batch` processor: answered for when it is gathered.
struct Batching {
    edit: Edit,
    gathered: Mutex<Gathered>,
    full: mpsc::Sender<Gathered>,
}

impl Consumer for Batching {
    fn consume(&self, batch: Batch, _deadline: Deadline) -> Answer<'_> {
        Box::pin(async move {
            match self.gather(batch) {
                Ok(None) => Outcome::delivered(),
                Ok(Some(full)) => self.hand_on(full).await,
                Err(error) => Outcome::permanent(ExportError::new(ErrorKind::Other, error)),
            }
        })
    }
}

impl Batching {
    /// Returns what is enough for a batch.
    fn gather(&self, batch: Batch) -> Result<Option<Gathered>, String> {
        let (payload, tickets) = batch.into_parts();
        let spans = payload.items();
        let decoded = ExportTraceServiceRequest::decode(Bytes::from(payload));
        let mut request = decoded.map_err(|error| error.to_string())?;
        self.edit.request(&mut request);
        let mut gathered = self.gathered.lock();
        gathered.add(request, spans, tickets);
        let is_full = gathered.spans >= BATCH_SPANS;
        Ok(is_full.then(|| std::mem::take(&mut *gathered)))
    }

    /// While the queue is full the caller waits, and so does its client.
    async fn hand_on(&self, full: Gathered) -> Outcome {
        match self.full.send(full).await {
            Ok(()) => Outcome::delivered(),
            Err(_) => Outcome::retryable(ExportError::new(ErrorKind::AlreadyShutdown, "over")),
        }
    }

    fn overdue(&self) -> Option<Gathered> {
        let mut gathered = self.gathered.lock();
        let is_overdue = gathered.since.is_some_and(|since| since.elapsed() >= BATCH_TIME);
        is_overdue.then(|| std::mem::take(&mut *gathered))
    }
}

impl fmt::Debug for Batching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batching").field("edit", &self.edit).finish_non_exhaustive()
    }
}

/// Hands on what has waited long enough.
async fn flush(batching: Arc<Batching>) {
    loop {
        tokio::time::sleep(BATCH_TIME / 10).await;
        if let Some(overdue) = batching.overdue() {
            let _ = batching.hand_on(overdue).await;
        }
    }
}

/// Encodes and sends one batch after the other. The sink takes every one; what it does not take is missing
/// in its report, and the row fails.
async fn send(exporter: BoxedExporter, waiting: Arc<AsyncMutex<mpsc::Receiver<Gathered>>>) {
    loop {
        let next = waiting.lock().await.recv().await;
        let Some(Gathered { request, spans, tickets, .. }) = next else { return };
        let encoded = Bytes::from(request.encode_to_vec());
        // As ours: what was decoded is not needed for sending.
        drop(request);
        let payload = Payload::from_parts(Signal::Traces, encoded.into(), spans);
        let outcome = exporter.export(payload, Deadline::NEVER).await;
        if let Some(error) = outcome.error() {
            complain(error);
        }
        drop(tickets);
    }
}

#[expect(clippy::print_stderr, reason = "a process of its own, for the person who runs the bench")]
fn complain(error: &ExportError) {
    eprintln!("the collector on prost could not deliver: {error}");
}

const BATCH_SPANS: usize = 8_192;
const BATCH_TIME: Duration = Duration::from_millis(200);
/// Consumers of the Go collector's sending queue.
const CONSUMERS: usize = 10;
const QUEUE: usize = 4;
/// Bytes of requests that may be here at once, where the row sets no limit.
const BUDGET: usize = 256 << 20;
