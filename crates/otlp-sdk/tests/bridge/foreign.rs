//! Exporters of others behind our SDK.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{
    Event, Link, Span as _, SpanContext, SpanKind, Status, TraceContextExt as _, Tracer,
    TracerProvider as _,
};
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_sdk::Resource as OfficialResource;
use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use opentelemetry_sdk::trace::{
    InMemorySpanExporter, SdkTracerProvider, SpanData, SpanExporter as OfficialExporter,
};
use otlp_core::export::{Deadline, ErrorKind, Exporter as _, Outcome};
use otlp_core::{Payload, Signal};
use otlp_sdk::bridge::ForeignSpanExporter;
use otlp_sdk::resource::Resource;
use otlp_sdk::trace::TracerProvider;
use otlp_sdk::{BatchConfig, DropReason};
use otlp_testing::{Gate, ScriptedExporter};
use parking_lot::Mutex;

use crate::support::SOON;

fn at(millis: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(1_700_000_000_000 + millis)
}

fn linked() -> SpanContext {
    let state = "a=b,c=d".parse().unwrap();
    let flags = opentelemetry::trace::TraceFlags::SAMPLED;
    SpanContext::new(0xabcd_u128.into(), 0xef_u64.into(), flags, true, state)
}

/// All that the API lets a span say, at times that are given.
fn program<T: Tracer>(tracer: &T) {
    let parent = Context::new().with_remote_span_context(linked());
    let builder = tracer.span_builder("server").with_kind(SpanKind::Server);
    let mut server = builder.with_start_time(at(0)).start_with_context(tracer, &parent);
    server.set_attribute(KeyValue::new("text", "words"));
    server.set_attribute(KeyValue::new("int", 7));
    server.set_attribute(KeyValue::new("float", 0.5));
    server.set_attribute(KeyValue::new("bool", true));
    let texts = opentelemetry::Array::String(vec!["a".into(), "b".into()]);
    server.set_attribute(KeyValue::new("texts", opentelemetry::Value::Array(texts)));
    let events = vec![
        Event::new("first", at(1), vec![KeyValue::new("n", 1)], 0),
        Event::new("second", at(2), Vec::new(), 0),
    ];
    for event in events {
        server.add_event_with_timestamp(event.name, event.timestamp, event.attributes);
    }
    server.add_link(linked(), vec![KeyValue::new("why", "because")]);
    let context = Context::new().with_remote_span_context(server.span_context().clone());
    let builder = tracer.span_builder("client").with_kind(SpanKind::Client).with_start_time(at(3));
    let builder = builder.with_links(vec![Link::with_context(linked())]);
    let mut client = builder.start_with_context(tracer, &context);
    client.set_status(Status::error("no answer"));
    client.end_with_timestamp(at(4));
    server.set_status(Status::Ok);
    server.end_with_timestamp(at(5));
}

fn scope() -> InstrumentationScope {
    InstrumentationScope::builder("library")
        .with_version("1.2")
        .with_schema_url("https://example.org/scope")
        .with_attributes([KeyValue::new("k", "v")])
        .build()
}

/// Our provider with an exporter of others.
fn ours(exporter: impl OfficialExporter + 'static) -> TracerProvider {
    let config = BatchConfig::default().with_export_timeout(Duration::from_millis(500));
    TracerProvider::builder()
        .with_resource(Resource::new([KeyValue::new("service.name", "ours")]))
        .with_batch_exporter_config(ForeignSpanExporter::new(exporter), config)
        .build()
}

/// Ids are random; everything else must be the same.
fn without_ids(spans: &[SpanData]) -> Vec<SpanData> {
    let parents: Vec<_> = spans.iter().map(|span| span.span_context.span_id()).collect();
    let place =
        |id| parents.iter().position(|it| *it == id).map_or(id, |at| (at as u64 + 1).into());
    let renamed = spans.iter().cloned().map(|mut span| {
        let context = &span.span_context;
        span.span_context = SpanContext::new(
            context.trace_id(),
            place(context.span_id()),
            context.trace_flags(),
            context.is_remote(),
            context.trace_state().clone(),
        );
        span.parent_span_id = place(span.parent_span_id);
        span
    });
    renamed.collect()
}

#[test]
fn an_exporter_of_others_gets_from_us_what_the_official_sdk_gives_it() {
    let (of_ours, of_theirs) = (InMemorySpanExporter::default(), InMemorySpanExporter::default());
    let provider = ours(of_ours.clone());
    program(&provider.tracer_with_scope(scope()));
    provider.force_flush().unwrap();
    let official = SdkTracerProvider::builder().with_batch_exporter(of_theirs.clone()).build();
    program(&official.tracer_with_scope(scope()));
    official.force_flush().unwrap();
    let [ours, theirs] =
        [of_ours, of_theirs].map(|kept| without_ids(&kept.get_finished_spans().unwrap()));
    assert_eq!(ours.len(), 2);
    assert_eq!(ours, theirs);
}

#[test]
fn standard_output_takes_our_spans() {
    let provider = ours(opentelemetry_stdout::SpanExporter::default());
    program(&provider.tracer("test"));
    provider.shutdown().unwrap();
    assert_eq!((provider.ledger().delivered, provider.ledger().unaccounted()), (2, 0));
}

/// What a Zipkin server was sent.
type Posted = Arc<Mutex<Vec<serde_json::Value>>>;

async fn zipkin_server() -> (String, Posted) {
    let posted = Posted::default();
    let keep = Arc::clone(&posted);
    let route = axum::routing::post(async move |body: axum::body::Bytes| {
        keep.lock().push(serde_json::from_slice(&body).unwrap());
        axum::http::StatusCode::ACCEPTED
    });
    let app = axum::Router::new().route("/api/v2/spans", route);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/api/v2/spans", listener.local_addr().unwrap());
    tokio::spawn(async { axum::serve(listener, app).await.unwrap() });
    (url, posted)
}

#[expect(deprecated, reason = "it is, and there are programs that have it")]
fn zipkin_exporter(url: String) -> impl OfficialExporter {
    opentelemetry_zipkin::ZipkinExporter::builder().with_collector_endpoint(url).build().unwrap()
}

// Its client blocks, and panics where it may not.
#[test]
fn zipkin_takes_our_spans() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (url, posted) = runtime.block_on(zipkin_server());
    let provider = ours(zipkin_exporter(url));
    program(&provider.tracer("test"));
    provider.shutdown().unwrap();
    assert_eq!(provider.ledger().delivered, 2);
    let posted = posted.lock();
    let [client, server] = [&posted[0][0], &posted[0][1]];
    assert_eq!((&server["name"], &server["kind"]), (&"server".into(), &"SERVER".into()));
    assert_eq!(server["traceId"], "0000000000000000000000000000abcd");
    assert_eq!(
        (&server["parentId"], &client["parentId"]),
        (&"00000000000000ef".into(), &server["id"])
    );
    assert_eq!(server["tags"]["text"], "words");
    assert_eq!(server["annotations"][0]["value"], "first");
    assert_eq!(
        (&server["timestamp"], &server["duration"]),
        (&1_700_000_000_000_000_u64.into(), &5_000.into())
    );
    assert_eq!(client["tags"]["error"], "no answer");
}

/// An official exporter that does what a test says.
#[derive(Clone)]
struct Scripted {
    script: Arc<Mutex<Vec<Act>>>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    resources: Vec<String>,
    batches: Vec<usize>,
    suppressed: bool,
    runtime: bool,
    shutdowns: usize,
}

enum Act {
    Pass,
    Fail(OTelSdkError),
    Panic,
    Block(Gate),
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    fn new(script: impl IntoIterator<Item = Act>) -> Self {
        let mut script: Vec<_> = script.into_iter().collect();
        script.reverse();
        Self { script: Arc::new(Mutex::new(script)), seen: Arc::default() }
    }
}

impl OfficialExporter for Scripted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let act = self.script.lock().pop();
        {
            let mut seen = self.seen.lock();
            seen.batches.push(batch.len());
            seen.suppressed = Context::is_current_telemetry_suppressed();
            seen.runtime = tokio::runtime::Handle::try_current().is_ok();
        }
        match act {
            None | Some(Act::Pass) => Ok(()),
            Some(Act::Fail(error)) => Err(error),
            Some(Act::Panic) => panic!("boom"),
            Some(Act::Block(gate)) => {
                // Blocks the thread, as a blocking client does.
                block_on_another_thread(gate.opened());
                Ok(())
            }
        }
    }

    fn shutdown_with_timeout(&self, _: Duration) -> OTelSdkResult {
        self.seen.lock().shutdowns += 1;
        Ok(())
    }

    fn set_resource(&mut self, resource: &OfficialResource) {
        let name = resource.get(&"service.name".into()).map(|name| name.to_string());
        self.seen.lock().resources.push(name.unwrap_or_default());
    }
}

/// Waits on a thread of its own: an executor in an executor panics.
fn block_on_another_thread(future: impl Future<Output = ()> + Send) {
    std::thread::scope(|scope| {
        scope.spawn(|| futures_executor::block_on(future));
    });
}

fn spans(provider: &TracerProvider, count: usize) {
    let tracer = provider.tracer("test");
    for _ in 0..count {
        tracer.start("work").end();
    }
}

#[test]
fn it_is_told_of_the_resource_once_and_may_use_tokio_without_telemetry() {
    let scripted = Scripted::new([]);
    let provider = ours(scripted.clone());
    for _ in 0..3 {
        spans(&provider, 1);
        provider.force_flush().unwrap();
    }
    provider.shutdown().unwrap();
    let seen = scripted.seen.lock();
    assert_eq!(
        (seen.resources.as_slice(), seen.batches.as_slice()),
        (&["ours".to_owned()][..], &[1, 1, 1][..])
    );
    assert!(seen.suppressed && seen.runtime);
    assert_eq!(seen.shutdowns, 1);
}

// row B3
#[test]
fn its_error_is_final_and_told() {
    let error = OTelSdkError::InternalFailure("quota\nexceeded".to_owned());
    let scripted = Scripted::new([Act::Fail(error)]);
    let provider = ours(scripted.clone());
    spans(&provider, 2);
    let text = provider.force_flush().unwrap_err().to_string();
    assert!(text.contains(r"quota\nexceeded"), "{text}");
    assert_eq!(provider.ledger().dropped(DropReason::PermanentError), 2);
    assert_eq!(scripted.seen.lock().batches, [2]);
}

#[test]
fn its_panic_is_counted_and_the_next_call_works() {
    let provider = ours(Scripted::new([Act::Panic]));
    spans(&provider, 2);
    let text = provider.force_flush().unwrap_err().to_string();
    assert!(text.contains("boom"), "{text}");
    spans(&provider, 1);
    provider.force_flush().unwrap();
    let ledger = provider.ledger();
    assert_eq!(
        (ledger.dropped(DropReason::ExporterPanic), ledger.delivered, ledger.panics),
        (2, 1, 1)
    );
    assert_eq!(ledger.unaccounted(), 0);
}

#[tokio::test]
async fn while_it_blocks_others_wait_and_are_told() {
    let gate = Gate::new();
    let scripted = Scripted::new([Act::Block(gate.clone())]);
    let exporter = ForeignSpanExporter::new(scripted.clone());
    let soon = || Deadline::after(std::time::Instant::now(), Duration::from_millis(50));
    let first = exporter.export(payload(), soon()).await;
    let Outcome::Permanent { error } = first else { panic!("{first:?}") };
    assert_eq!(error.kind(), ErrorKind::Timeout);
    // It never began, so it may be tried again.
    let second = exporter.export(payload(), soon()).await;
    assert!(matches!(second, Outcome::Retryable { .. }), "{second:?}");
    exporter.shutdown(soon()).await.unwrap_err();
    assert_eq!(scripted.seen.lock().shutdowns, 0);
    gate.open();
    let later = Deadline::after(std::time::Instant::now(), SOON);
    exporter.shutdown(later).await.unwrap();
    assert_eq!(scripted.seen.lock().shutdowns, 1);
    let after = exporter.export(payload(), later).await;
    assert_eq!(after.error().unwrap().kind(), ErrorKind::AlreadyShutdown);
    assert_eq!(scripted.seen.lock().batches, [2]);
}

/// Two spans.
fn payload() -> Payload {
    payload_of(&["one"])
}

/// Two spans of each of these services, in one request.
fn payload_of(services: &[&'static str]) -> Payload {
    let payloads = services.iter().map(|service| {
        let recorded = ScriptedExporter::new();
        let resource = Resource::new([KeyValue::new("service.name", *service)]);
        let builder = TracerProvider::builder().with_resource(resource);
        let provider = builder.with_batch_exporter(recorded.clone()).build();
        spans(&provider, 2);
        provider.force_flush().unwrap();
        recorded.payloads().remove(0)
    });
    payloads.reduce(|all, payload| all.merge(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn of_several_resources_each_is_told_and_what_fails_is_counted() {
    let failing = || Act::Fail(OTelSdkError::InternalFailure("quota".to_owned()));
    let scripted = Scripted::new([Act::Pass, failing(), Act::Pass, failing(), failing()]);
    let exporter = ForeignSpanExporter::new(scripted.clone());
    let outcome = exporter.export(payload_of(&["a", "b", "c"]), Deadline::NEVER).await;
    let Outcome::PartlyRejected { rejected, message, .. } = outcome else { panic!("{outcome:?}") };
    assert_eq!((rejected, message.as_str()), (2, "quota"));
    let outcome = exporter.export(payload_of(&["c", "d"]), Deadline::NEVER).await;
    assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
    let seen = scripted.seen.lock();
    assert_eq!(seen.resources, ["a", "b", "c", "d"]);
    assert_eq!(seen.batches, [2; 5]);
}

#[tokio::test]
async fn what_is_not_spans_is_refused_with_the_reason() {
    let exporter = ForeignSpanExporter::new(Scripted::new([]));
    let rope = otlp_core::Rope::new();
    let logs = Payload::from_parts(Signal::Logs, rope, 0);
    let outcome = exporter.export(logs, Deadline::NEVER).await;
    assert!(outcome.error().unwrap().to_string().contains("these are logs"), "{outcome:?}");
    let broken = otlp_core::Rope::from(vec![0x0a, 0xff]);
    let broken = Payload::from_parts(Signal::Traces, broken, 1);
    let outcome = exporter.export(broken, Deadline::NEVER).await;
    assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
}
