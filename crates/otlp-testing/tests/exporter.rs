//! The scripted exporter, the account, the oracle and the trace tree.

mod support;

use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_core::{Payload, Rope, Signal};
use otlp_testing::{Account, Gate, ScriptedExporter, Server, Step, TraceTree, oracle};
use prost::Message as _;
use support::{post, request, request_of, span, text};

fn payload(ids: impl IntoIterator<Item = u8>) -> Payload {
    let request = request(ids);
    let items = oracle::spans(&request).len();
    Payload::from_parts(Signal::Traces, request.encode_to_vec().into(), items)
}

fn busy() -> Outcome {
    Outcome::retryable(ExportError::new(ErrorKind::HttpStatus(503), "busy"))
}

#[tokio::test]
async fn without_a_script_everything_is_delivered_and_decodes() {
    let exporter = ScriptedExporter::new();
    let outcome = exporter.export(payload([1, 2]), Deadline::NEVER).await;
    assert!(matches!(outcome, Outcome::Delivered { warning: None, .. }));
    assert_eq!(exporter.spans()[1].name(), "span 2");
    assert_eq!((exporter.exports(), exporter.delivered()), (1, 2));
}

#[tokio::test]
async fn the_script_is_followed_and_only_delivered_spans_count() {
    let exporter = ScriptedExporter::new();
    let partly = Outcome::partly_rejected(1, String::new());
    exporter.respond_with([busy().into(), partly.into()]);
    assert!(exporter.export(payload([1]), Deadline::NEVER).await.error().is_some());
    let _ = exporter.export(payload([2, 3, 4]), Deadline::NEVER).await;
    let _ = exporter.export(payload([5]), Deadline::NEVER).await;
    let names: Vec<_> = exporter.spans().iter().map(|span| span.name().to_owned()).collect();
    assert_eq!(names, ["span 2", "span 3", "span 5"]);
    assert_eq!((exporter.payloads().len(), exporter.delivered_payloads().len()), (3, 2));
}

#[tokio::test]
async fn a_closure_decides_by_the_payload() {
    let exporter = ScriptedExporter::new();
    exporter.respond_by(|payload| match payload.items() {
        1 => Outcome::delivered().into(),
        _ => busy().into(),
    });
    assert!(exporter.export(payload([1]), Deadline::NEVER).await.error().is_none());
    assert!(exporter.export(payload([1, 2]), Deadline::NEVER).await.error().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_gate_holds_calls_and_concurrency_is_counted() {
    let exporter = ScriptedExporter::new();
    let gate = Gate::new();
    exporter.respond_with((0..3).map(|_| Step::Hold(gate.clone(), Outcome::delivered())));
    let calls: Vec<_> = (1..=3)
        .map(|id| {
            let exporter = exporter.clone();
            tokio::spawn(async move { exporter.export(payload([id]), Deadline::NEVER).await })
        })
        .collect();
    exporter.concurrent_reach(3).await;
    assert_eq!((exporter.finished(), exporter.delivered()), (0, 0));
    gate.open();
    exporter.finished_reach(3).await;
    for call in calls {
        assert!(call.await.unwrap().error().is_none());
    }
    // One more on its own does not lower the most.
    let _ = exporter.export(payload([4]), Deadline::NEVER).await;
    assert_eq!((exporter.concurrent_max(), exporter.concurrent()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn delays_and_deadlines_follow_the_paused_clock() {
    let exporter = ScriptedExporter::new();
    exporter.respond_with([
        Step::Delay(Duration::from_secs(60), Outcome::delivered()),
        Step::UntilDeadline,
    ]);
    let began = tokio::time::Instant::now();
    let _ = exporter.export(payload([1]), Deadline::NEVER).await;
    assert_eq!(began.elapsed().as_secs(), 60);
    let deadline = Deadline::after(tokio::time::Instant::now().into_std(), Duration::from_secs(10));
    let outcome = exporter.export(payload([2]), deadline).await;
    assert_eq!(outcome.error().unwrap().kind(), ErrorKind::Timeout);
    assert_eq!(began.elapsed().as_secs(), 70);
    assert_eq!(exporter.deadlines(), [Deadline::NEVER, deadline]);
}

#[tokio::test]
async fn a_panic_and_a_dropped_call_end_the_call() {
    let exporter = ScriptedExporter::new();
    exporter.respond_with([Step::Panic("boom"), Step::Hang]);
    let call = std::panic::AssertUnwindSafe(exporter.export(payload([1]), Deadline::NEVER));
    let panic = call.catch_unwind().await.unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "boom");
    assert!(exporter.export(payload([2]), Deadline::NEVER).now_or_never().is_none());
    assert_eq!((exporter.exports(), exporter.finished(), exporter.concurrent()), (2, 2, 0));
    assert!(exporter.spans().is_empty());
}

#[tokio::test]
async fn after_shutdown_nothing_is_taken() {
    let exporter = ScriptedExporter::new();
    exporter.force_flush(Deadline::NEVER).await.unwrap();
    exporter.shutdown(Deadline::at(Instant::now())).await.unwrap();
    let outcome = exporter.clone().boxed().export(payload([1]), Deadline::NEVER).await;
    assert_eq!(outcome.error().unwrap().kind(), ErrorKind::AlreadyShutdown);
    assert_eq!((exporter.flushes(), exporter.shutdowns(), exporter.delivered()), (1, 1, 0));
}

#[tokio::test]
async fn an_account_is_exact_or_says_what_is_wrong() {
    let server = Server::start();
    post(&server, [1, 2, 3]).send().await.unwrap();
    let sent = || oracle::spans(&request([1, 2, 3])).into_iter().map(|span| span.key());
    let account = Account { ended: 3, delivered: 3, ..Account::default() };
    assert!(account.compare(sent(), &server).is_exact());

    post(&server, [3, 9]).send().await.unwrap();
    let account = Account { ended: 6, delivered: 5, ..Account::default() };
    let verdict = account.compare(sent(), &server);
    assert!(!verdict.is_sound());
    assert_eq!(
        verdict.to_string(),
        "unaccounted 1, missing 1, unacknowledged 0, invented 1, duplicates 1"
    );
}

#[test]
fn envelopes_do_not_matter_to_the_normal_form() {
    let mut one = request([2]);
    one.resource_spans.extend(request([1]).resource_spans);
    one.resource_spans.push(Default::default());
    assert_eq!(oracle::normalise(&one), oracle::normalise(&request([1, 2])));
    assert_ne!(oracle::normalise(&one), oracle::normalise(&request([1, 3])));
    let bytes = one.encode_to_vec();
    let (head, tail) = bytes.split_at(10);
    let rope: Rope = [head.to_vec().into(), tail.to_vec().into()].into_iter().collect();
    assert_eq!(oracle::decode_traces(rope).unwrap(), one);
}

#[test]
fn a_repeated_key_is_found() {
    let attributes = vec![text("a", "1"), text("b", "2"), text("a", "3")];
    let repeated = request_of(vec![Span { attributes, ..span(1) }]);
    // W5
    assert_eq!(oracle::spans(&repeated)[0].repeated_keys(), ["span: a"]);
    assert!(oracle::spans(&request([1]))[0].repeated_keys().is_empty());
}

fn child(id: u8, parent: u8) -> Span {
    Span { parent_span_id: vec![parent; 8], ..span(id) }
}

#[test]
fn a_trace_prints_as_a_tree() {
    let mut failed = child(4, 2);
    failed.status = Some(Status { code: 2, message: "no\nroute".to_owned() });
    failed.attributes.extend((0..4).map(|n| text(&format!("k{n}"), "v")));
    let spans = vec![child(5, 1), failed, child(3, 2), child(2, 1), span(1), child(6, 99)];
    let trees = TraceTree::all(&oracle::spans(&request_of(spans)));
    assert_eq!(trees.len(), 1);
    let tree = &trees[0];
    assert_eq!((tree.len(), tree.roots(), tree.orphans()), (6, 1, 1));
    assert_eq!(tree.services(), ["shop"]);
    let expected = "\
trace 07070707070707070707070707070707
span 1  internal  500 ns  @shop  {n=1}
├─ span 2  internal  500 ns  @shop  {n=2}
│  ├─ span 3  internal  500 ns  @shop  {n=3}
│  └─ span 4  internal  500 ns  @shop  ERROR(no\\nroute)  {n=4, k0=v, k1=v, k2=v, +1 more}
└─ span 5  internal  500 ns  @shop  {n=5}
(parent missing) span 6  internal  500 ns  @shop  {n=6}
";
    assert_eq!(tree.to_string(), expected);
}

#[test]
fn spans_that_are_their_own_ancestors_are_shown_all_the_same() {
    let circle = vec![child(1, 2), child(2, 1), child(3, 3)];
    let trees = TraceTree::all(&oracle::spans(&request_of(circle)));
    assert_eq!((trees[0].len(), trees[0].roots(), trees[0].orphans()), (3, 0, 3));
}
