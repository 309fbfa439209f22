//! An exporter chosen at compile time against one chosen at run time.

#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use std::hint::black_box;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use otlp_core::export::{Deadline, Exporter, Outcome};
use otlp_core::{Payload, Rope, Signal};

criterion_group!(benches, dispatch);
criterion_main!(benches);

fn dispatch(criterion: &mut Criterion) {
    let payload = Payload::from_parts(Signal::Traces, Rope::from(Bytes::from_static(&[0; 64])), 1);
    let (fixed, boxed) = (Discard::default(), Discard::default().boxed());
    let mut group = criterion.benchmark_group("dispatch");
    group.bench_function("static", |bencher| {
        bencher.iter(|| export(black_box(&fixed), &payload));
    });
    group.bench_function("boxed", |bencher| {
        bencher.iter(|| export(black_box(&boxed), &payload));
    });
    group.finish();
    assert!(fixed.0.load(Ordering::Relaxed) > 0, "the exporter was never called");
}

/// Counts and discards: what is left is the call itself.
#[derive(Debug, Default)]
struct Discard(AtomicUsize);

impl Exporter for Discard {
    async fn export(&self, payload: Payload, _deadline: Deadline) -> Outcome {
        self.0.fetch_add(payload.items(), Ordering::Relaxed);
        Outcome::delivered()
    }
}

fn export(exporter: &impl Exporter, payload: &Payload) -> Option<Outcome> {
    let future = pin!(exporter.export(payload.clone(), Deadline::NEVER));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(outcome) => Some(outcome),
        Poll::Pending => None,
    }
}
