//! A collector from YAML, an exporter that does what it is told, and a client that sends exactly what it is given.

use std::net::SocketAddr;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_collector::admission::Budget;
use otlp_collector::component::{BoxError, Destination, Host};
use otlp_collector::config::{Config, ConfigError, Source};
use otlp_collector::engine::{Blueprint, Collector, Ledger, StartError};
use otlp_collector::registry::{Factory, Registry};
use otlp_collector::sending::{QueueSettings, RetrySettings, SendingSettings};
use otlp_core::Signal;
use otlp_core::export::{BoxedExporter, Deadline, ErrorKind, ExportError, Exporter as _, Outcome};
use otlp_testing::ScriptedExporter;
use parking_lot::Mutex;
use prost::Message as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A collector that runs.
pub(crate) struct Site(pub(crate) Collector);

impl Site {
    /// Starts what the YAML says; the exporter `scripted` is [told](back_end_is_away) what to do.
    pub(crate) async fn start(yaml: &str) -> Self {
        Self(Self::try_start(yaml).await.unwrap())
    }

    pub(crate) async fn try_start(yaml: &str) -> Result<Collector, StartError> {
        back_end_is_back();
        blueprint(yaml).unwrap().start(Budget::new(64 << 20)).await
    }

    pub(crate) async fn stop(self) -> Ledger {
        self.0.stop(Deadline::after(Instant::now(), Duration::from_secs(5))).await
    }

    /// Where an extension listens.
    pub(crate) fn extension(&self, name: &str) -> SocketAddr {
        let extensions = self.0.board().status().extensions;
        let found = extensions.into_iter().find(|it| it.id.to_string() == name).unwrap();
        found.listeners[0].1
    }

    pub(crate) fn otlp(&self) -> SocketAddr {
        self.0.listener("otlp", "http").unwrap()
    }

    /// Sends a span over OTLP/HTTP with these headers, each ended by a line break.
    pub(crate) async fn send_span(&self, headers: &str) -> Answer {
        let body = request().encode_to_vec();
        let head = format!(
            "POST /v1/traces HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
             content-type: application/x-protobuf\r\ncontent-length: {}\r\n{headers}\r\n",
            body.len()
        );
        raw(self.otlp(), &[head.as_bytes(), &body].concat()).await
    }
}

pub(crate) fn blueprint(yaml: &str) -> Result<Blueprint, ConfigError> {
    let config = Config::load_with(&[Source::Yaml(yaml.to_owned())], &|_| None)?;
    let mut registry = Registry::standard();
    registry.exporters.push(Factory::new(&["scripted"], |_, _| Ok(Box::new(Scripted))));
    Blueprint::new(&config.settings, &registry)
}

pub(crate) fn request() -> ExportTraceServiceRequest {
    let span = Span { trace_id: vec![1; 16], span_id: vec![2; 8], ..Span::default() };
    let scope_spans = vec![ScopeSpans { spans: vec![span], ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    ExportTraceServiceRequest { resource_spans }
}

/// A pipeline of traces from OTLP to `nop`, with these extensions.
pub(crate) fn yaml(extensions: &str, names: &str) -> String {
    with_pipeline(extensions, names, "", "nop")
}

/// The same with more settings of the receiver's `http`, and another exporter.
pub(crate) fn with_pipeline(extensions: &str, names: &str, http: &str, exporter: &str) -> String {
    format!(
        "
receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'{http}}}}}}}}}
exporters: {{{exporter}: }}
extensions: {{{extensions}}}
service:
  extensions: [{names}]
  pipelines: {{traces/x: {{receivers: [otlp], exporters: [{exporter}]}}}}
"
    )
}

/// What the exporter `scripted` of this thread's test does.
fn scripted() -> ScriptedExporter {
    let mut all = SCRIPTED.lock();
    let me = std::thread::current().id();
    match all.iter().find(|(thread, _)| *thread == me) {
        Some((_, exporter)) => exporter.clone(),
        None => {
            let exporter = ScriptedExporter::new();
            all.push((me, exporter.clone()));
            exporter
        }
    }
}

/// From now on the exporter fails, and says that it may succeed later.
pub(crate) fn back_end_is_away() {
    let away = || Outcome::retryable(ExportError::new(ErrorKind::HttpStatus(503), "<away>"));
    scripted().respond_by(move |_| away().into());
}

pub(crate) fn back_end_is_back() {
    scripted().respond_by(|_| Outcome::delivered().into());
}

/// Each test has a thread of its own.
static SCRIPTED: LazyLock<Mutex<Vec<(std::thread::ThreadId, ScriptedExporter)>>> =
    LazyLock::new(Mutex::default);

#[derive(Debug)]
struct Scripted;

impl Destination for Scripted {
    fn open(&self, _host: &Host, _signal: Signal) -> Result<BoxedExporter, BoxError> {
        Ok(scripted().boxed())
    }

    fn sending(&self) -> SendingSettings {
        SendingSettings::default()
            .with_queue(QueueSettings { enabled: false, ..QueueSettings::default() })
            .with_retry(RetrySettings { enabled: false, ..RetrySettings::default() })
    }
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

pub(crate) async fn get(address: SocketAddr, target: &str) -> Answer {
    ask(address, "GET", target, "").await
}

pub(crate) async fn ask(address: SocketAddr, method: &str, target: &str, headers: &str) -> Answer {
    let request = format!("{method} {target} HTTP/1.1\r\nhost: x\r\n{headers}\r\n");
    raw(address, request.as_bytes()).await
}

/// Sends bytes and reads until the other end closes.
pub(crate) async fn raw(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).and_then(|it| it.parse().ok()).unwrap_or_default();
    Answer { status, head: head.to_lowercase(), body: body.to_owned() }
}
