//! Making a span, on the caller's thread: by attributes, in trees, under samplers.
//!
//! Spans go through a batch processor to an exporter that counts them. The flush between two
//! bursts is outside the clock.

#![allow(missing_docs, reason = "criterion's macros write undocumented items")]

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use otlp_benches::peers::official;
use otlp_benches::rounds::BURST;
use otlp_benches::subject::{LocalExport, Queue, Sampling, Subject};
use otlp_benches::workload::{TREE_SPANS, Work};
use otlp_benches::{ours, subject::Failure};

criterion_group!(benches, span_creation, tree, samplers);
criterion_main!(benches);

fn span_creation(criterion: &mut Criterion) {
    for attributes in [0, 4, 10, 50, 100] {
        compare(
            criterion,
            "span",
            &attributes.to_string(),
            Work::Root { attributes },
            Sampling::On,
        );
    }
}

fn tree(criterion: &mut Criterion) {
    compare(criterion, "tree", "10 spans", Work::Tree, Sampling::On);
}

fn samplers(criterion: &mut Criterion) {
    let samplers = [
        ("always_on", Sampling::On),
        ("always_off", Sampling::Off),
        ("ratio 0.01", Sampling::Ratio(0.01)),
        ("parent-based ratio 0.01", Sampling::ParentBasedRatio(0.01)),
    ];
    for (name, sampling) in samplers {
        compare(criterion, "sampler", name, Work::Root { attributes: 10 }, sampling);
    }
}

fn compare(criterion: &mut Criterion, group: &str, name: &str, work: Work, sampling: Sampling) {
    let ours = done(ours::local(sampling, LocalExport::Count, Queue::Default));
    let peer = official::local(sampling, LocalExport::Count, Queue::Default);
    let mut group = criterion.benchmark_group(group);
    group.throughput(Throughput::Elements(1));
    let sides: [(&str, &dyn Subject); 2] = [("ours", &ours), ("official", &peer)];
    for (side, subject) in sides {
        group.bench_function(BenchmarkId::new(side, name), |bencher| {
            bencher.iter_custom(|spans| make(subject, work, spans));
        });
    }
    group.finish();
}

/// At least `spans` spans in bursts; the time is scaled to exactly as many.
fn make(subject: &dyn Subject, work: Work, spans: u64) -> Duration {
    let whole = spans.next_multiple_of(TREE_SPANS as u64);
    let (mut left, mut total) = (whole, Duration::ZERO);
    while left > 0 {
        let burst = left.min(BURST as u64);
        let start = Instant::now();
        subject.make(work, burst as usize);
        total += start.elapsed();
        done(subject.flush());
        left -= burst;
    }
    total.mul_f64(spans as f64 / whole as f64)
}

#[expect(clippy::panic, reason = "a bench that goes on would measure something else")]
fn done<T>(result: Result<T, Failure>) -> T {
    result.unwrap_or_else(|error| panic!("{error}"))
}
