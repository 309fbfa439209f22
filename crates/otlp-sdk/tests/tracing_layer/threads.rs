//! Spans that several threads share.

use std::sync::mpsc;

use otlp_sdk::tracing_layer::{OtelSpanExt as _, TracingLayer};
use tracing::field::Empty;
use tracing::{Dispatch, info, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

use crate::trace_support::Bench;

fn dispatch(bench: &Bench) -> Dispatch {
    Dispatch::new(tracing_subscriber::registry().with(TracingLayer::new(&bench.provider)))
}

#[test]
fn a_span_that_is_entered_on_several_threads_ends_once() {
    let bench = Bench::new();
    let dispatch = dispatch(&bench);
    let span = tracing::dispatcher::with_default(&dispatch, || info_span!("shared"));
    std::thread::scope(|scope| {
        for number in 0..4 {
            let (span, dispatch) = (span.clone(), dispatch.clone());
            scope.spawn(move || {
                tracing::dispatcher::with_default(&dispatch, || {
                    span.in_scope(|| info_span!("child", number).in_scope(|| {}));
                });
            });
        }
    });
    drop(span);
    let shared = bench.find("shared");
    let spans = bench.spans();
    assert_eq!(spans.len(), 5);
    let children = spans.iter().filter(|span| span.parent_span_id() == shared.span_id());
    assert_eq!(children.count(), 4);
}

/// Spans are started on some threads, entered, changed and closed on others, all at once; nothing is
/// lost and the account balances in every picture.
#[test]
fn many_threads_share_spans_and_nothing_is_lost() {
    const THREADS: usize = 4;
    const SPANS: usize = 300;

    let bench = Bench::new();
    let dispatch = dispatch(&bench);
    let shared = tracing::dispatcher::with_default(&dispatch, || {
        info_span!("shared", a = Empty, b = Empty, c = Empty, d = Empty)
    });
    let lines: Vec<_> = (0..THREADS).map(|_| mpsc::channel::<tracing::Span>()).collect();
    let (senders, receivers): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
    std::thread::scope(|scope| {
        for (number, receiver) in receivers.into_iter().enumerate() {
            let (dispatch, senders, shared) = (dispatch.clone(), senders.clone(), shared.clone());
            scope.spawn(move || {
                let _default = tracing::dispatcher::set_default(&dispatch);
                let field = ["a", "b", "c", "d"][number];
                for at in 0..SPANS {
                    let span = shared.in_scope(|| info_span!("child", at, late = Empty));
                    shared.record(field, at);
                    info!(parent: &shared, number, "event");
                    span.in_scope(|| info!("inside"));
                    senders[(number + at) % THREADS].send(span).unwrap();
                    while let Ok(span) = receiver.try_recv() {
                        span.record("late", number);
                        span.set_attribute("of another thread", true).unwrap();
                        span.in_scope(|| drop(info_span!("grandchild")));
                    }
                }
                drop(senders);
                for span in receiver {
                    span.record("late", number);
                    span.set_attribute("of another thread", true).unwrap();
                    span.in_scope(|| drop(info_span!("grandchild")));
                }
            });
        }
        drop(senders);
        for _ in 0..20 {
            bench.ledger();
        }
    });
    drop(shared);
    let spans = bench.spans();
    let of = |name: &'static str| spans.iter().filter(move |span| span.name() == name);
    assert_eq!(of("child").count(), THREADS * SPANS);
    assert_eq!(of("grandchild").count(), THREADS * SPANS);
    assert!(of("child").all(|span| span.attribute_text("late").is_some()));
    assert!(of("child").all(|span| span.attribute_text("of another thread").is_some()));
    assert!(of("child").all(|span| span.span.events.len() == 1));
    let shared = of("shared").next().unwrap();
    let last = (SPANS - 1).to_string();
    for field in ["a", "b", "c", "d"] {
        assert_eq!(shared.attribute_text(field), Some(last.clone()));
    }
    let events = shared.span.events.len() + shared.span.dropped_events_count as usize;
    assert_eq!(events, THREADS * SPANS);
    assert!(of("child").all(|span| span.parent_span_id() == shared.span_id()));
    let ledger = bench.ledger();
    assert_eq!(ledger.created, 1 + 2 * (THREADS * SPANS) as u64);
    assert_eq!((ledger.ended, ledger.delivered), (ledger.created, ledger.created));
}
