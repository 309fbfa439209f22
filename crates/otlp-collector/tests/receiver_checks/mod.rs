//! What holds for the receiver whatever a client sends, for tests, the corpora and the fuzz targets: each request
//! has one answer in its own encoding, what is taken is what prost reads, and no byte of the budget is kept.

mod calls;
mod plan;
mod posts;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_collector::admission::Budget;
use otlp_collector::consumer::{Answer, Batch, Consumer};
use otlp_collector::receivers::otlp::{
    Consumers, CountersSnapshot, OtlpReceiver, OtlpSettings, Transport,
};
use otlp_core::Signal;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Outcome};
use prost::Message;
use tokio::io::{AsyncRead, AsyncWrite};

use self::plan::Plan;
use self::wire::Wire;

/// As a fuzzer has it: a plan in three bytes, and what goes with it. A call of gRPC, or frames. Says how many
/// requests have reached the pipeline.
#[allow(dead_code, reason = "each target has one of them")]
pub(crate) fn any_call_is_answered(data: &[u8]) -> usize {
    let Some((plan, body)) = Plan::of(data) else { return 0 };
    in_runtime(async {
        if plan.is_raw() {
            frames_are_met_with_frames(Transport::Grpc, plan, body).await
        } else {
            calls::is_answered(plan, body).await
        }
    })
}

/// The same for HTTP: a request, or whatever an HTTP/1 or HTTP/2 connection may bring.
#[allow(dead_code, reason = "each target has one of them")]
pub(crate) fn any_post_is_answered(data: &[u8]) -> usize {
    let Some((plan, body)) = Plan::of(data) else { return 0 };
    in_runtime(async {
        match (plan.is_raw(), plan.is_http2()) {
            (true, true) => frames_are_met_with_frames(Transport::Http, plan, body).await,
            (true, false) => posts::text_is_met_with_text(plan, body).await,
            (false, true) => posts::is_answered_over_http2(plan, body).await,
            (false, false) => posts::is_answered_over_http1(plan, body).await,
        }
    })
}

/// Frames of whatever kind behind a good beginning are met with whole frames, and an end.
async fn frames_are_met_with_frames(transport: Transport, plan: Plan, frames: &[u8]) -> usize {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut wire = Wire::new([PREFACE, frames].concat(), plan.chunk());
    let served = Served::of(transport, &mut wire, plan).await;
    let mut rest = wire.written();
    while let [a, b, c, _, _, _, _, _, _, more @ ..] = rest {
        let len = u32::from_be_bytes([0, *a, *b, *c]) as usize;
        assert!(len <= 16 << 10, "a frame of {len} bytes");
        // The connection may have ended while the last one was written.
        rest = more.get(len..).unwrap_or_default();
    }
    assert!(rest.is_empty(), "half a frame's head");
    served.took_what_prost_reads()
}

/// What a connection has come to.
struct Served {
    counters: CountersSnapshot,
    taken: Vec<(Signal, Vec<u8>, usize)>,
}

impl Served {
    /// Serves it, and sees that nothing is kept.
    async fn of<S>(transport: Transport, stream: S, plan: Plan) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let mut settings = OtlpSettings::both();
        settings.limits.max_elements = 10_000;
        if let Some(grpc) = &mut settings.protocols.grpc {
            grpc.max_recv_msg_size_mib = 1;
        }
        if let Some(http) = &mut settings.protocols.http {
            http.max_request_body_size = 1 << 20;
        }
        let budget = Budget::new(8 << 20);
        let recorder =
            Arc::new(Recorder { plan, asked: AtomicU64::new(0), taken: Default::default() });
        let consumers = Consumers::all(Arc::clone(&recorder) as _);
        let receiver = OtlpReceiver::new(settings);
        let counters = receiver.serve_one(transport, stream, consumers, budget.clone()).await;
        let counters = counters.expect("the settings are good");
        assert_eq!(counters.connections.panics, 0);
        assert_eq!(budget.used(), 0, "tickets were kept");
        let taken = std::mem::take(&mut *recorder.taken.lock().expect("no one has panicked"));
        Self { counters, taken }
    }

    fn took_what_prost_reads(&self) -> usize {
        for (signal, request, items) in &self.taken {
            assert_eq!(items_by_prost(*signal, request), Some(*items));
        }
        self.taken.len()
    }
}

/// Remembers what it was given, and answers as the plan says.
struct Recorder {
    plan: Plan,
    asked: AtomicU64,
    taken: std::sync::Mutex<Vec<(Signal, Vec<u8>, usize)>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

impl Consumer for Recorder {
    fn consume(&self, batch: Batch, _deadline: Deadline) -> Answer<'_> {
        let payload = batch.payload();
        let request = payload.rope().to_bytes().to_vec();
        self.asked.fetch_add(1, Ordering::Relaxed);
        let mut taken = self.taken.lock().expect("no one has panicked");
        taken.push((payload.signal(), request, payload.items()));
        let error = |kind| ExportError::new(kind, "be\"cause \u{e9}");
        let outcome = match self.plan.outcome() {
            0 => Outcome::partly_rejected(1, "one \u{1} was too old".to_owned()),
            1 => Outcome::retryable(error(ErrorKind::Connect)),
            2 => Outcome::permanent(error(ErrorKind::HttpStatus(400))),
            _ => Outcome::delivered(),
        };
        Box::pin(async move { outcome })
    }
}

/// How many items prost finds, if it reads the request.
fn items_by_prost(signal: Signal, request: &[u8]) -> Option<usize> {
    Some(match signal {
        Signal::Traces => {
            let request = ExportTraceServiceRequest::decode(request).ok()?;
            let scopes = request.resource_spans.iter().flat_map(|it| &it.scope_spans);
            scopes.map(|it| it.spans.len()).sum()
        }
        Signal::Logs => {
            let request = ExportLogsServiceRequest::decode(request).ok()?;
            let scopes = request.resource_logs.iter().flat_map(|it| &it.scope_logs);
            scopes.map(|it| it.log_records.len()).sum()
        }
        _ => {
            let request = ExportMetricsServiceRequest::decode(request).ok()?;
            let scopes = request.resource_metrics.iter().flat_map(|it| &it.scope_metrics);
            scopes.flat_map(|it| &it.metrics).map(points).sum()
        }
    })
}

fn points(metric: &opentelemetry_proto::tonic::metrics::v1::Metric) -> usize {
    use opentelemetry_proto::tonic::metrics::v1::metric::Data;
    match &metric.data {
        None => 0,
        Some(Data::Gauge(it)) => it.data_points.len(),
        Some(Data::Sum(it)) => it.data_points.len(),
        Some(Data::Histogram(it)) => it.data_points.len(),
        Some(Data::ExponentialHistogram(it)) => it.data_points.len(),
        Some(Data::Summary(it)) => it.data_points.len(),
    }
}

/// `google.rpc.Status`, as prost reads it.
#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// The codes that a client of OTLP may meet.
const CODES: [i32; 5] = [3, 8, 12, 13, 14];

fn in_runtime<T>(what: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .expect("a runtime without I/O asks for nothing");
    }
    RUNTIME.with(|runtime| runtime.block_on(what))
}
