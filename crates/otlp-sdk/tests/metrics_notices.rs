//! What people are told of callbacks that panic, do not return or create instruments. Threads of the reader speak, so the
//! subscriber is the process's, and this test has it to itself.

use std::io::Write;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use opentelemetry::metrics::MeterProvider as _;
use otlp_sdk::metrics::{MeterProvider, ReaderConfig};
use otlp_testing::ScriptedExporter;
use parking_lot::Mutex;

/// A writer that gives each piece of the log to a channel.
#[derive(Clone)]
struct Pieces(mpsc::Sender<String>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.send(String::from_utf8_lossy(bytes).into_owned()).ok();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// The next message that has `text`.
fn told(log: &mpsc::Receiver<String>, text: &str) -> String {
    let until = Instant::now() + Duration::from_secs(30);
    let left = || until.saturating_duration_since(Instant::now());
    std::iter::from_fn(|| log.recv_timeout(left()).ok())
        .find(|piece| piece.contains(text))
        .unwrap_or_else(|| format!("nobody said {text:?}"))
}

#[test]
fn callbacks_that_panic_or_hang_or_create_instruments_are_told_without_a_flush() {
    let (sender, log) = mpsc::channel();
    let pieces = Pieces(sender);
    tracing_subscriber::fmt().with_writer(move || pieces.clone()).with_ansi(false).init();
    let short = Duration::from_millis(10);
    let config = ReaderConfig::default().with_interval(short).with_timeout(short);
    let provider = MeterProvider::builder()
        .with_exporter_config(ScriptedExporter::new(), config.clone())
        .build();

    let (hang, hanging) = mpsc::channel::<()>();
    let hanging = Mutex::new(Some(hanging));
    let _ = provider
        .meter("test")
        .u64_observable_gauge("gauge")
        .with_callback(move |_| match hanging.lock().take() {
            Some(hanging) => drop(hanging.recv()),
            None => panic!("not\nours"),
        })
        .build();
    let line = told(&log, "callbacks of observable instruments do not return");
    assert!(line.contains("ERROR") && line.contains("otlp_sdk"), "{line}");
    assert!(line.contains("no metrics are collected meanwhile"), "{line}");

    drop(hang);
    let line = told(&log, "a callback panicked");
    assert!(line.contains("ERROR") && line.contains("otlp_sdk"), "{line}");
    assert!(line.contains("not\\\\nours") || line.contains("not\\nours"), "{line}");
    assert!(provider.ledger().panics > 0);
    provider.shutdown().unwrap_err();

    let provider =
        MeterProvider::builder().with_exporter_config(ScriptedExporter::new(), config).build();
    let (meter, (called, calls)) = (provider.meter("test"), mpsc::channel());
    let inner = meter.clone();
    let _ = meter
        .u64_observable_gauge("creates")
        .with_callback(move |_| {
            let _ = inner.u64_counter("inner\ncounter").build();
            called.send(()).ok();
        })
        .build();
    let line = told(&log, "creates an instrument");
    assert!(line.contains("WARN") && line.contains("otlp_sdk"), "{line}");
    assert!(line.contains("inner\\ncounter"), "{line}");
    // Once, however often it happens.
    (0..3).for_each(|_| calls.recv_timeout(Duration::from_secs(30)).unwrap());
    provider.shutdown().unwrap();
    assert!(log.try_iter().all(|line| !line.contains("creates an instrument")));
}
