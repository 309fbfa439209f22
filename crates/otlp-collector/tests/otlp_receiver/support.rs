//! A receiver with a consumer that remembers, and clients that send exactly what they are told.

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use h2::client::SendRequest;
use http::{HeaderMap, Request};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::{
    Gauge, Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, metric, number_data_point,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_collector::admission::Budget;
use otlp_collector::consumer::{Answer, Batch, Consumer};
use otlp_collector::receivers::otlp::{
    Consumers, CountersSnapshot, OtlpReceiver, OtlpSettings, RunningReceiver,
};
use otlp_core::export::{Deadline, Outcome};
use otlp_core::{Payload, Signal};
use parking_lot::Mutex;
use prost::Message as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub(crate) const MIB: usize = 1 << 20;

/// Remembers what it was given, and answers as told.
pub(crate) struct Recorder {
    pub(crate) taken: Mutex<Vec<Payload>>,
    pub(crate) outcome: Mutex<Box<dyn Fn() -> Outcome + Send>>,
    /// One permit for each answer, while answers are held.
    pub(crate) gate: Semaphore,
    held: AtomicBool,
    pub(crate) waiting: AtomicUsize,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Recorder")
    }
}

impl Consumer for Recorder {
    fn consume(&self, batch: Batch, _deadline: Deadline) -> Answer<'_> {
        Box::pin(async move {
            self.waiting.fetch_add(1, Ordering::SeqCst);
            if self.held.load(Ordering::SeqCst) {
                self.gate.acquire().await.unwrap().forget();
            }
            self.taken.lock().push(batch.payload().clone());
            (self.outcome.lock())()
        })
    }
}

/// A receiver that runs.
pub(crate) struct Site {
    pub(crate) running: RunningReceiver,
    pub(crate) recorder: Arc<Recorder>,
    pub(crate) budget: Budget,
}

impl Site {
    pub(crate) async fn start() -> Self {
        Self::with(OtlpSettings::on_free_ports(), 64 * MIB).await
    }

    pub(crate) async fn with(settings: OtlpSettings, budget: usize) -> Self {
        Self::of(OtlpReceiver::new(settings), budget).await
    }

    pub(crate) async fn of(receiver: OtlpReceiver, budget: usize) -> Self {
        let recorder = Arc::new(Recorder {
            taken: Mutex::default(),
            outcome: Mutex::new(Box::new(Outcome::delivered)),
            gate: Semaphore::new(0),
            held: AtomicBool::new(false),
            waiting: AtomicUsize::new(0),
        });
        let budget = Budget::new(budget);
        let consumers = Consumers::all(Arc::clone(&recorder) as _);
        let running = receiver.start(consumers, budget.clone()).await.unwrap();
        Self { running, recorder, budget }
    }

    pub(crate) fn grpc(&self) -> SocketAddr {
        self.running.grpc_addr().unwrap()
    }

    pub(crate) fn http(&self) -> SocketAddr {
        self.running.http_addr().unwrap()
    }

    pub(crate) fn answer_with(&self, outcome: impl Fn() -> Outcome + Send + 'static) {
        *self.recorder.outcome.lock() = Box::new(outcome);
    }

    /// From now on, answers come only by permits of the gate.
    pub(crate) fn hold(&self) {
        self.recorder.held.store(true, Ordering::SeqCst);
    }

    /// Waits until so many requests have reached the consumer.
    pub(crate) async fn reached(&self, requests: usize) {
        until(|| self.recorder.waiting.load(Ordering::SeqCst) >= requests).await;
    }

    pub(crate) fn taken(&self) -> Vec<Payload> {
        self.recorder.taken.lock().clone()
    }

    /// Stops, and sees that all bytes of the budget have come back.
    pub(crate) async fn end(self) -> CountersSnapshot {
        let counters = self.running.stop(Duration::from_secs(5)).await;
        assert_eq!(self.budget.used(), 0, "tickets were kept");
        assert_eq!(counters.connections.panics, 0);
        counters
    }
}

/// Waits for something that comes about on its own.
pub(crate) async fn until(condition: impl Fn() -> bool) {
    soon(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(20), what).await.expect("it takes too long")
}

/// What HTTP has answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}

/// An HTTP/1 connection, byte by byte.
pub(crate) struct Http1<S = TcpStream>(pub(crate) S);

impl Http1 {
    pub(crate) async fn to(addr: SocketAddr) -> Self {
        Self(TcpStream::connect(addr).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Http1<S> {
    pub(crate) async fn request(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut text = format!("{method} {path} HTTP/1.1\r\nhost: test\r\n");
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text += &format!("content-length: {}\r\n\r\n", body.len());
        // The answer may come before all is sent.
        let _ = self.0.write_all(&[text.as_bytes(), body].concat()).await;
        self.reply().await
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        soon(async {
            let mut read = BytesMut::new();
            let head = loop {
                if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                    break read.split_to(end + 4);
                }
                assert_ne!(self.0.read_buf(&mut read).await.unwrap(), 0, "closed: {read:?}");
            };
            let head = String::from_utf8(head.to_vec()).unwrap();
            let mut lines = head.lines();
            let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
            let headers: HashMap<_, _> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
                .collect();
            let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
            while read.len() < length {
                assert_ne!(self.0.read_buf(&mut read).await.unwrap(), 0, "cut");
            }
            Reply { status, headers, body: read.freeze() }
        })
        .await
    }
}

pub(crate) const PROTOBUF: (&str, &str) = ("content-type", "application/x-protobuf");
pub(crate) const JSON: (&str, &str) = ("content-type", "application/json");

pub(crate) async fn post(
    addr: SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Reply {
    Http1::to(addr).await.request("POST", path, headers, body).await
}

/// What gRPC has answered.
#[derive(Debug, Default)]
pub(crate) struct GrpcReply {
    pub(crate) http_status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) trailers: HeaderMap,
    pub(crate) body: Bytes,
}

impl GrpcReply {
    fn one(&self, name: &str) -> Option<&str> {
        let value = self.trailers.get(name).or_else(|| self.headers.get(name))?;
        value.to_str().ok()
    }

    pub(crate) fn status(&self) -> i32 {
        self.one("grpc-status").map_or(-1, |status| status.parse().unwrap())
    }

    pub(crate) fn message(&self) -> &str {
        self.one("grpc-message").unwrap_or("")
    }

    /// As an independent library reads them.
    pub(crate) fn details(&self) -> tonic_types::Status {
        use base64::Engine as _;
        let text = self.one("grpc-status-details-bin").unwrap_or("");
        let bytes = base64::engine::general_purpose::STANDARD_NO_PAD.decode(text).unwrap();
        tonic_types::Status::decode(bytes.as_slice()).unwrap()
    }

    pub(crate) fn retry_delay(&self) -> Option<Duration> {
        let details = self.details().details;
        let info = details.iter().find(|any| any.type_url.ends_with("google.rpc.RetryInfo"))?;
        // The only field is a duration.
        let delay = prost_types_duration(&info.value);
        Some(delay)
    }
}

/// `RetryInfo` of a delay in whole seconds and nanoseconds, read by hand.
fn prost_types_duration(retry_info: &[u8]) -> Duration {
    #[derive(Clone, PartialEq, prost::Message)]
    struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        delay: Option<Delay>,
    }
    #[derive(Clone, PartialEq, prost::Message)]
    struct Delay {
        #[prost(int64, tag = "1")]
        seconds: i64,
        #[prost(int32, tag = "2")]
        nanos: i32,
    }
    let delay = RetryInfo::decode(retry_info).unwrap().delay.unwrap_or_default();
    Duration::new(delay.seconds.try_into().unwrap(), delay.nanos.try_into().unwrap())
}

/// An HTTP/2 connection of gRPC.
#[derive(Clone)]
pub(crate) struct Grpc(pub(crate) SendRequest<Bytes>);

impl Grpc {
    pub(crate) async fn to(addr: SocketAddr) -> Self {
        Self::over(TcpStream::connect(addr).await.unwrap()).await
    }

    pub(crate) async fn over<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (send, connection) = h2::client::handshake(stream).await.unwrap();
        tokio::spawn(connection);
        Self(send)
    }

    /// A call as a good client makes it, with these headers besides.
    pub(crate) async fn export(
        &self,
        signal: Signal,
        headers: &[(&str, &str)],
        frame: &[u8],
    ) -> GrpcReply {
        let mut all = vec![("content-type", "application/grpc"), ("te", "trailers")];
        all.extend(headers);
        self.send("POST", signal.grpc_path(), &all, frame).await
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> GrpcReply {
        let mut request = Request::builder().method(method).uri(format!("http://test{path}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut send = soon(self.0.clone().ready()).await.unwrap();
        let (response, mut stream) =
            send.send_request(request.body(()).unwrap(), body.is_empty()).unwrap();
        if !body.is_empty() {
            // The answer may come before all is sent.
            let _ = stream.send_data(Bytes::copy_from_slice(body), true);
        }
        let response = soon(response).await.unwrap();
        let mut reply = GrpcReply {
            http_status: response.status().as_u16(),
            headers: response.headers().clone(),
            ..Default::default()
        };
        let mut body = response.into_body();
        let mut bytes = BytesMut::new();
        while let Some(data) = soon(body.data()).await {
            let Ok(data) = data else { return reply };
            let _ = body.flow_control().release_capacity(data.len());
            bytes.extend_from_slice(&data);
        }
        reply.trailers = soon(body.trailers()).await.ok().flatten().unwrap_or_default();
        reply.body = bytes.freeze();
        reply
    }
}

/// A message of gRPC in its frame.
pub(crate) fn frame(flag: u8, message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag], len.as_slice(), message].concat()
}

/// How a client of HTTP/2 begins: with settings that say nothing.
pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// A frame of HTTP/2.
pub(crate) fn h2_frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let [_, len @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&len[..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// The headers of a call of gRPC, in their frame.
pub(crate) fn h2_head(stream: u32) -> Vec<u8> {
    let field = |name: &str, value: &str| {
        let len = |text: &str| u8::try_from(text.len()).unwrap();
        [&[0, len(name)], name.as_bytes(), &[len(value)], value.as_bytes()].concat()
    };
    let path = Signal::Traces.grpc_path();
    let fields = [field(":path", path), field("content-type", "application/grpc")].concat();
    h2_frame(1, 4, stream, &[b"\x83\x86", fields.as_slice()].concat())
}

fn resource() -> Option<Resource> {
    let value = Some(any_value::Value::StringValue("shop".to_owned()));
    let value = Some(AnyValue { value });
    let attributes = vec![KeyValue { key: "service.name".to_owned(), value, ..Default::default() }];
    Some(Resource { attributes, ..Default::default() })
}

fn scope() -> Option<InstrumentationScope> {
    Some(InstrumentationScope { name: "test".to_owned(), ..Default::default() })
}

pub(crate) fn traces(spans: usize) -> ExportTraceServiceRequest {
    let span = |at: usize| Span {
        trace_id: vec![1; 16],
        span_id: (at as u64 + 1).to_be_bytes().to_vec(),
        name: format!("span {at}"),
        start_time_unix_nano: 1_700_000_000_000_000_000 + at as u64,
        ..Default::default()
    };
    let spans = (0..spans).map(span).collect();
    let scope_spans = vec![ScopeSpans { scope: scope(), spans, ..Default::default() }];
    let resource_spans = ResourceSpans { resource: resource(), scope_spans, ..Default::default() };
    ExportTraceServiceRequest { resource_spans: vec![resource_spans] }
}

pub(crate) fn metrics(points: usize) -> ExportMetricsServiceRequest {
    let point = |at: usize| NumberDataPoint {
        value: Some(number_data_point::Value::AsInt(at as i64)),
        ..Default::default()
    };
    let data_points = (0..points).map(point).collect();
    let data = Some(metric::Data::Gauge(Gauge { data_points }));
    let metrics = vec![Metric { name: "load".to_owned(), data, ..Default::default() }];
    let scope_metrics = vec![ScopeMetrics { scope: scope(), metrics, ..Default::default() }];
    let one = ResourceMetrics { resource: resource(), scope_metrics, ..Default::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![one] }
}

pub(crate) fn logs(records: usize) -> ExportLogsServiceRequest {
    let record = |at: usize| LogRecord {
        severity_text: "INFO".to_owned(),
        time_unix_nano: at as u64,
        ..Default::default()
    };
    let log_records = (0..records).map(record).collect();
    let scope_logs = vec![ScopeLogs { scope: scope(), log_records, ..Default::default() }];
    let one = ResourceLogs { resource: resource(), scope_logs, ..Default::default() };
    ExportLogsServiceRequest { resource_logs: vec![one] }
}

/// A request of three items of each signal, in protobuf and in JSON.
pub(crate) fn three_of(signal: Signal) -> (Vec<u8>, Vec<u8>) {
    fn both<M: prost::Message + serde::Serialize>(message: &M) -> (Vec<u8>, Vec<u8>) {
        (message.encode_to_vec(), serde_json::to_vec(message).unwrap())
    }
    match signal {
        Signal::Traces => both(&traces(3)),
        Signal::Metrics => both(&metrics(3)),
        _ => both(&logs(3)),
    }
}

/// What the consumer was given, in one piece.
pub(crate) fn bytes_of(payload: &Payload) -> Bytes {
    payload.rope().to_bytes()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    compress(bytes, otlp_core::export::Compression::gzip())
}

pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress(bytes, otlp_core::export::Compression::zstd())
}

fn compress(bytes: &[u8], compression: otlp_core::export::Compression) -> Vec<u8> {
    otlp_core::export::compress(&[Bytes::copy_from_slice(bytes)], compression).unwrap().to_vec()
}

pub(crate) fn deflate(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}
