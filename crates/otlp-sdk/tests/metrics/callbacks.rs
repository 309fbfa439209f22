//! Callbacks of observable instruments that panic, hang, or call back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::Duration;

use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use otlp_sdk::PipelineError;
use otlp_sdk::metrics::{MeterProvider, PeriodicReader};
use otlp_testing::Server;

use crate::support::{config, http, metrics, received, values};

/// Blocks callbacks until it is dropped.
#[derive(Default)]
struct Blockade(Option<mpsc::Sender<()>>);

impl Blockade {
    /// A callback that says that it has begun, and then hangs until the blockade is gone.
    fn callback(&mut self) -> (impl Fn() + Send + Sync + use<>, mpsc::Receiver<()>) {
        let (begin, begun) = mpsc::channel();
        let (open, opened) = mpsc::channel();
        self.0 = Some(open);
        let opened = Mutex::new(opened);
        let hang = move || {
            begin.send(()).ok();
            opened.lock().unwrap().recv().ok();
        };
        (hang, begun)
    }
}

#[test]
fn a_callback_that_panics_costs_its_own_observation_only() {
    let server = Server::start();
    let provider = MeterProvider::builder().with_exporter_config(http(&server), config()).build();
    let meter = provider.meter("test");
    let calls = AtomicU64::new(0);
    let _ = meter
        .u64_observable_gauge("shaky")
        .with_callback(move |it| match calls.fetch_add(1, Ordering::Relaxed) {
            0 => panic!("not\nours"),
            n => it.observe(n, &[]),
        })
        .build();
    let _ = meter.u64_observable_gauge("solid").with_callback(|it| it.observe(7, &[])).build();
    let counter = meter.u64_counter("counter").build();
    counter.add(1, &[]);

    let error = provider.force_flush().unwrap_err();
    assert_eq!(
        error.to_string(),
        "metrics could not be collected: a callback panicked: not\\nours"
    );
    assert_eq!(provider.ledger().panics, 1);
    assert_eq!([values(&server, "solid"), values(&server, "counter")], [[7], [1]]);
    provider.force_flush().unwrap();
    assert_eq!(values(&server, "shaky"), [1]);
    assert_eq!(provider.ledger().panics, 1);
}

#[test]
fn a_callback_that_creates_instruments_gets_some_that_do_nothing_and_nobody_waits_for_ever() {
    let server = Server::start();
    let provider = MeterProvider::builder().with_exporter_config(http(&server), config()).build();
    let other = MeterProvider::builder().with_exporter_config(http(&server), config()).build();
    let meter = provider.meter("test");
    let (inner, another, foreign) = (meter.clone(), provider.clone(), other.meter("other"));
    let _ = meter
        .u64_observable_gauge("creates")
        .with_callback(move |it| {
            inner.u64_counter("own.meter").build().add(1, &[]);
            another.meter("another").f64_histogram("other.meter").build().record(1.0, &[]);
            let never = inner.i64_observable_gauge("observable");
            let _ = never.with_callback(|it| it.observe(1, &[])).build();
            // This provider's lock is free.
            foreign.u64_counter("other.provider").build().add(1, &[]);
            it.observe(7, &[]);
        })
        .build();
    let panics = meter.u64_observable_gauge("panics");
    let _ = panics.with_callback(|_| panic!("after that the thread is out of it too")).build();

    // A lock that is held for ever would be an error of the deadline.
    for _ in 0..2 {
        let error = provider.force_flush_with_timeout(Duration::from_secs(30)).unwrap_err();
        assert!(error.to_string().contains("a callback panicked"), "{error}");
    }
    meter.u64_counter("afterwards").build().add(3, &[]);
    provider.force_flush().unwrap_err();
    other.force_flush().unwrap();
    assert_eq!(values(&server, "creates"), [7, 7, 7]);
    assert_eq!(values(&server, "afterwards"), [3]);
    assert_eq!(values(&server, "other.provider"), [3]);
    let metrics = metrics(&received(&server));
    let lost = ["own.meter", "other.meter", "observable"];
    assert!(metrics.iter().all(|metric| !lost.contains(&metric.name.as_str())), "{metrics:?}");
}

#[test]
fn in_the_official_provider_a_callback_that_panics_is_told_and_nothing_else_panics() {
    let server = Server::start();
    let reader = PeriodicReader::builder(http(&server)).with_config(config()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
    let _ = provider
        .meter("test")
        .u64_observable_gauge("shaky")
        .with_callback(|_| panic!("not ours"))
        .build();
    let error = reader.force_flush().unwrap_err();
    assert!(error.to_string().ends_with("a callback panicked: not ours"), "{error}");
    // Its lock is poisoned from here on, which is told as well.
    let error = reader.force_flush().unwrap_err();
    assert!(matches!(&error, PipelineError::Collection(_)), "{error}");
    assert_eq!(reader.ledger().panics, 1);
    assert!(provider.shutdown().is_err());
}

#[test]
fn a_view_that_panics_says_nothing() {
    let server = Server::start();
    let provider = MeterProvider::builder()
        .with_view(|_| panic!("not ours"))
        .with_exporter_config(http(&server), config())
        .build();
    provider.meter("test").u64_counter("counter").build().add(1, &[]);
    let _ = provider.force_flush();
    assert_eq!(values(&server, "counter"), [1]);
    assert_eq!(provider.ledger().panics, 1);
}

#[test]
fn while_a_callback_hangs_deliveries_go_on_and_the_end_keeps_its_deadline() {
    let server = Server::start();
    let mut blockade = Blockade::default();
    let (hang, begun) = blockade.callback();
    let reader = PeriodicReader::builder(http(&server)).with_config(config()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
    let meter = provider.meter("test");
    let counter = meter.u64_counter("counter").build();
    counter.add(1, &[]);
    server.pause();
    let timeout = Duration::from_millis(50);
    reader.force_flush_with_timeout(timeout).unwrap_err();
    assert_eq!(reader.ledger().held, 1);
    let _ = meter.u64_observable_gauge("hangs").with_callback(move |_| hang()).build();

    let flush = |timeout| reader.force_flush_with_timeout(timeout);
    let error = flush(timeout).unwrap_err();
    let text =
        "metrics could not be collected: callbacks of observable instruments did not return within";
    assert!(error.to_string().starts_with(text), "{error}");
    begun.recv_timeout(Duration::from_secs(30)).unwrap();
    server.resume();
    // What was collected before is delivered all the same.
    server.wait_for_items(otlp_core::Signal::Metrics, 1, Duration::from_secs(30)).unwrap();
    let error = reader.shutdown_with_timeout(timeout).unwrap_err();
    assert!(matches!(&error, PipelineError::Collection(_)), "{error}");
    assert_eq!(values(&server, "counter"), [1]);
    assert!(matches!(reader.shutdown(), Err(PipelineError::AlreadyShutdown)));
    provider.shutdown().unwrap();
    assert_eq!(reader.ledger().unaccounted(), 0);
}

#[test]
fn a_callback_that_flushes_or_shuts_down_is_refused_and_not_deadlocked() {
    let server = Server::start();
    let reader = PeriodicReader::builder(http(&server)).with_config(config()).build();
    let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
    let found = Arc::new(OnceLock::new());
    let (inner, inner_found) = (reader.clone(), Arc::clone(&found));
    let _ = provider
        .meter("test")
        .u64_observable_gauge("gauge")
        .with_callback(move |it| {
            let _ = inner_found.set([inner.force_flush(), inner.shutdown()]);
            it.observe(1, &[]);
        })
        .build();
    reader.force_flush().unwrap();
    let refused = found.get().unwrap();
    assert!(refused.iter().all(|it| matches!(it, Err(PipelineError::NoWorker(_)))), "{refused:?}");
    assert_eq!(values(&server, "gauge"), [1]);
    reader.shutdown().unwrap();
}

#[test]
fn collections_come_one_after_the_other_however_many_ask() {
    // M10
    let server = Server::start();
    let config = config().with_interval(Duration::from_millis(10));
    let reader = PeriodicReader::builder(http(&server)).with_config(config).build();
    let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
    let (inside, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let seen = Arc::clone(&most);
    let _ = provider
        .meter("test")
        .u64_observable_gauge("gauge")
        .with_callback(move |it| {
            seen.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            std::thread::yield_now();
            inside.fetch_sub(1, Ordering::SeqCst);
            it.observe(1, &[]);
        })
        .build();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..20).for_each(|_| reader.force_flush().unwrap()));
        }
    });
    assert_eq!(most.load(Ordering::SeqCst), 1);
    reader.shutdown().unwrap();
    assert_eq!(reader.ledger().delivered, reader.ledger().ended);
}
