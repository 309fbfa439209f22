//! Each configuration of `examples/collector-configs` runs: the program reads it, takes what an SDK sends, hands it
//! on to servers of others, and accounts for it at the end. The configurations of the same components are what the
//! Go collector takes.

#![cfg(all(unix, feature = "cli", feature = "tls"))]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue as ProtoKeyValue};
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_core::export::{Deadline, Env, Exporter as _, Outcome, Pem, TlsConfig};
use otlp_core::{Payload, Signal};
use otlp_exporter_http::HttpExporter;
use otlp_testing::tls::Certificates;
use otlp_testing::{Message as Decoded, Server, SpanRecord};
use prost::Message as _;

/// The program, running.
struct Program {
    child: Child,
    log: BufReader<ChildStderr>,
    text: String,
}

impl Program {
    /// Starts it with an example, and waits until it is ready.
    fn start(example: &str, sets: &[String], variables: &[(&str, String)]) -> Self {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let path = root.join("../../examples/collector-configs").join(example);
        let mut command = Command::new(env!("CARGO_BIN_EXE_otlp-collector"));
        command.arg("--config").arg(path).stdout(Stdio::null()).stderr(Stdio::piped());
        // Several run at a time, and nobody asks for their numbers.
        command.args(["--set", "service.telemetry.metrics.level=none"]);
        for set in sets {
            command.args(["--set", set]);
        }
        command.envs(variables.iter().map(|(name, value)| (name, value)));
        let mut child = command.spawn().unwrap();
        let log = BufReader::new(child.stderr.take().unwrap());
        let mut program = Self { child, log, text: String::new() };
        program.read_until("everything is ready");
        program
    }

    fn read_until(&mut self, text: &str) {
        loop {
            let mut line = String::new();
            let read = self.log.read_line(&mut line).unwrap();
            self.text.push_str(&line);
            assert!(read > 0, "it ended before it said \"{text}\":\n{}", self.text);
            if line.contains(text) {
                return;
            }
        }
    }

    /// Where it listens for a protocol.
    fn address(&self, protocol: &str) -> SocketAddr {
        let said = format!("listening for {protocol} at ");
        let (_, rest) = self.text.split_once(&said).unwrap_or_else(|| panic!("{}", self.text));
        let end = rest.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c))).unwrap();
        rest[..end].parse().unwrap()
    }

    /// Ends it as an orchestrator does, and returns what it has said.
    fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        self.read_until("all: received");
        assert!(self.child.wait().unwrap().success(), "{}", self.text);
        std::mem::take(&mut self.text)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It has ended, unless the test fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Free ports of loopback for the receiver.
fn free_ports() -> Vec<String> {
    ["grpc", "http"]
        .map(|it| format!("receivers.otlp.protocols.{it}.endpoint=127.0.0.1:0"))
        .to_vec()
}

/// Makes three spans with the official SDK, of which one is a health check and one has failed.
fn shop(exporter: SpanExporter) {
    let provider = SdkTracerProvider::builder().with_simple_exporter(exporter).build();
    let tracer = provider.tracer("shop");
    let mut buy = tracer.start("buy");
    buy.set_attributes([
        KeyValue::new("user.email", "ann@example.com"),
        KeyValue::new("db.query.text", "SELECT secret"),
        KeyValue::new("error", true),
    ]);
    buy.end();
    tracer.start("GET /healthz").end();
    tracer.start("sell").end();
    provider.force_flush().unwrap();
    provider.shutdown().unwrap();
}

fn over_http(address: SocketAddr) -> SpanExporter {
    // The official exporter's client wants one, also for plain text. Another test may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    SpanExporter::builder()
        .with_http()
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(format!("http://{address}/v1/traces"))
        .build()
        .unwrap()
}

fn spans(server: &Server, count: usize) -> Vec<SpanRecord> {
    server.wait_for_spans(count, Duration::from_secs(20)).unwrap();
    server.spans().into_iter().map(|span| span.record).collect()
}

fn names(spans: &[SpanRecord]) -> Vec<&str> {
    let mut names: Vec<_> = spans.iter().map(SpanRecord::name).collect();
    names.sort_unstable();
    names
}

#[test]
fn dev_shows_what_comes_and_leaves_probes_out() {
    let program =
        Program::start("dev.yaml", &free_ports(), &[("VERBOSITY", "detailed".to_owned())]);
    shop(over_http(program.address("http")));
    let text = program.stop();
    assert!(text.contains("Name           : buy") && text.contains("user.email"), "{text}");
    assert!(!text.contains("Name           : GET /healthz"), "{text}");
    let total = "received 3 = sent 2 + refused 0 + dropped 1 (filter/probes: filtered 1) + held 0; unaccounted=0";
    assert!(text.contains(total), "{text}");
}

#[test]
fn agent_says_where_telemetry_comes_from_and_hands_it_on() {
    let gateway = Server::start();
    let mut sets = free_ports();
    sets.push("extensions.health_check.endpoint=127.0.0.1:0".to_owned());
    let variables = [
        ("GATEWAY", gateway.grpc_addr().to_string()),
        ("GATEWAY_INSECURE", "true".to_owned()),
        ("OTEL_RESOURCE_ATTRIBUTES", "host.rack=r7".to_owned()),
    ];
    let program = Program::start("agent.yaml", &sets, &variables);
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_endpoint(format!("http://{}", program.address("grpc")));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let entered = runtime.enter();
    shop(exporter.build().unwrap());
    drop(entered);
    let arrived = spans(&gateway, 3);
    assert_eq!(arrived[0].resource_text("host.rack").as_deref(), Some("r7"));
    assert!(arrived[0].resource_text("host.name").is_some_and(|name| !name.is_empty()));
    assert!(arrived[0].resource_text("os.type").is_some());
    let requests = gateway.requests();
    assert!(requests.iter().all(|it| it.header("grpc-encoding") == Some("zstd")), "{requests:?}");
    assert!(program.stop().contains("sent 3 + refused 0"));
}

#[test]
fn gateway_asks_who_comes_and_takes_out_what_is_private() {
    let backend = Server::start();
    let certificates = Certificates::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = ["cert.pem", "key.pem"].map(|name| folder.path().join(name));
    std::fs::write(&cert, certificates.server_certificate_pem()).unwrap();
    std::fs::write(&key, certificates.server_key_pem()).unwrap();
    let mut sets = free_ports();
    sets.push("extensions.zpages.endpoint=127.0.0.1:0".to_owned());
    let variables = [
        ("GATEWAY_TOKEN", "sesame".to_owned()),
        ("BACKEND", backend.http_endpoint()),
        ("BACKEND_KEY", "k3y".to_owned()),
        ("HEALTH_ENDPOINT", "127.0.0.1:0".to_owned()),
        ("CERT_FILE", cert.to_str().unwrap().to_owned()),
        ("KEY_FILE", key.to_str().unwrap().to_owned()),
    ];
    let program = Program::start("gateway.yaml", &sets, &variables);
    let address = program.address("http");
    let send = |token: &str| {
        let tls = TlsConfig::new().with_ca(Pem::from_bytes(certificates.ca_pem()));
        let exporter = HttpExporter::builder(Signal::Traces)
            .with_endpoint(format!("https://localhost:{}", address.port()))
            .with_header("authorization", format!("Bearer {token}"))
            .with_tls(tls)
            .build_with(&Env::empty())
            .unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(exporter.export(request(), Deadline::NEVER))
    };
    let refused = send("wrong");
    let status = refused.status().map(|it| format!("{it:?}"));
    assert!(matches!(refused, Outcome::Permanent { .. }), "{refused:?} {status:?}");
    assert!(matches!(send("sesame"), Outcome::Delivered { .. }));

    let arrived = spans(&backend, 2);
    assert_eq!(names(&arrived), ["buy", "sell"]);
    let buy = arrived.iter().find(|it| it.name() == "buy").unwrap();
    let hashed = buy.attribute_text("user.email").unwrap();
    assert!(hashed.len() == 64 && !hashed.contains('@'), "{hashed}");
    assert!(buy.attribute("db.query.text").is_none());
    let requests = backend.requests();
    assert!(requests.iter().all(|it| it.header("x-api-key") == Some("k3y")), "{requests:?}");
    let text = program.stop();
    assert!(text.contains("filter/probes: filtered 1"), "{text}");
    assert!(!text.contains("sesame") && !text.contains("k3y"), "{text}");
}

/// What [`shop`] makes, as one request.
fn request() -> Payload {
    let text = |key: &str, value: &str| ProtoKeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(Value::StringValue(value.to_owned())) }),
        ..ProtoKeyValue::default()
    };
    let span = |(number, name): (usize, &str)| Span {
        trace_id: vec![7; 16],
        span_id: vec![u8::try_from(number + 1).unwrap(); 8],
        name: name.to_owned(),
        attributes: vec![
            text("user.email", "ann@example.com"),
            text("db.query.text", "SELECT secret"),
        ],
        ..Span::default()
    };
    let spans = ["buy", "GET /healthz", "sell"].into_iter().enumerate().map(span).collect();
    let scope_spans = vec![ScopeSpans { spans, ..ScopeSpans::default() }];
    let resource_spans = vec![ResourceSpans { scope_spans, ..ResourceSpans::default() }];
    let request = ExportTraceServiceRequest { resource_spans };
    Payload::from_request(Signal::Traces, request.encode_to_vec()).unwrap()
}

#[test]
fn fan_out_sends_everything_to_two_backends_and_errors_to_a_file() {
    let (primary, secondary) = (Server::start(), Server::start());
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("errors.jsonl");
    let variables = [
        ("PRIMARY", primary.grpc_addr().to_string()),
        ("PRIMARY_INSECURE", "true".to_owned()),
        ("SECONDARY", secondary.http_endpoint()),
        ("ARCHIVE", archive.to_str().unwrap().to_owned()),
        ("ENVIRONMENT", "test".to_owned()),
    ];
    let program = Program::start("fan-out.yaml", &free_ports(), &variables);
    shop(over_http(program.address("http")));
    for server in [&primary, &secondary] {
        let arrived = spans(server, 3);
        assert_eq!(names(&arrived), ["GET /healthz", "buy", "sell"]);
        let environment = arrived[0].resource_text("deployment.environment.name");
        assert_eq!(environment.as_deref(), Some("test"));
    }
    let text = program.stop();
    let total = "all: received 3 + copied 6 = sent 7 + refused 0 + dropped 2 (filter/errors: filtered 2) + \
                 held 0; unaccounted=0";
    assert!(text.contains(total), "{text}");
    let lines = std::fs::read_to_string(&archive).unwrap();
    let archived: Vec<_> = lines
        .lines()
        .flat_map(|line| Decoded::decode_json(Signal::Traces, line.as_bytes()).unwrap().spans())
        .collect();
    assert_eq!(names(&archived), ["buy"]);
}
