//! The processor and its node in a pipeline.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Outcome};
use parking_lot::Mutex;

use super::checker::Checker;
use super::settings::MemoryLimiterSettings;
use crate::component::{BoxError, Host, Node, Processor, Running};
use crate::consumer::{Answer, Batch, Consumer, SharedConsumer};
use crate::memory::{Linux, Memory};
use crate::telemetry::{Instrument, Measurements, processor};

/// The settings, and the one checker of all pipelines that name this processor.
#[derive(Debug)]
pub(crate) struct MemoryLimiter {
    settings: MemoryLimiterSettings,
    memory: Arc<dyn Memory>,
    checker: Mutex<Weak<Checker>>,
}

impl MemoryLimiter {
    pub(crate) fn new(settings: MemoryLimiterSettings) -> Self {
        Self::with_memory(settings, Arc::new(Linux::default()))
    }

    pub(super) fn with_memory(settings: MemoryLimiterSettings, memory: Arc<dyn Memory>) -> Self {
        Self { settings, memory, checker: Mutex::default() }
    }

    fn checker(&self, host: &Host) -> Result<Arc<Checker>, BoxError> {
        let mut checker = self.checker.lock();
        if let Some(checker) = checker.upgrade() {
            return Ok(checker);
        }
        for warning in self.settings.warnings() {
            tracing::warn!(target: "otlp_collector", processor = %host.id(), "{warning}");
        }
        let memory = Arc::clone(&self.memory);
        let started = Arc::new(Checker::start(host.id(), &self.settings, memory)?);
        *checker = Arc::downgrade(&started);
        Ok(started)
    }
}

impl Processor for MemoryLimiter {
    fn start(
        &self,
        host: &Host,
        signal: Signal,
        next: SharedConsumer,
    ) -> Result<Arc<dyn Node>, BoxError> {
        let checker = self.checker(host)?;
        let [accepted, refused] = [const { AtomicU64::new(0) }; 2];
        Ok(Arc::new(Limited { checker, signal, next, accepted, refused }))
    }
}

#[derive(Debug)]
struct Limited {
    checker: Arc<Checker>,
    signal: Signal,
    next: SharedConsumer,
    accepted: AtomicU64,
    refused: AtomicU64,
}

impl Consumer for Limited {
    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        let items = batch.payload().items() as u64;
        if !self.checker.refuses() {
            self.accepted.fetch_add(items, Ordering::Relaxed);
            return self.next.consume(batch, deadline);
        }
        self.refused.fetch_add(items, Ordering::Relaxed);
        let error = ExportError::new(ErrorKind::Other, "data refused due to high memory usage");
        // Before the next look nothing changes.
        let retry_after = Some(self.checker.interval.max(RETRY_AFTER_MIN));
        Box::pin(std::future::ready(Outcome::Retryable { error, retry_after }))
    }

    fn holds(&self) -> bool {
        self.next.holds()
    }
}

impl Running for Limited {
    fn measure(&self, measurements: &mut Measurements) {
        let [accepted, refused] = instruments(self.signal);
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let counts = (count(&self.accepted), count(&self.refused));
        measurements.set(&accepted, counts.0);
        measurements.set(&refused, counts.1);
        processor::measure(counts.0.saturating_add(counts.1), counts.0, measurements);
    }
}

impl Node for Limited {}

macro_rules! instruments {
    ($items:literal, $unit:literal, $words:literal) => {
        [
            Instrument::counter(
                concat!("otelcol_processor_memory_limiter_accepted_", $items),
                $unit,
                concat!("Number of ", $words, " that were handed on."),
            ),
            Instrument::counter(
                concat!("otelcol_processor_memory_limiter_refused_", $items),
                $unit,
                concat!("Number of ", $words, " that were refused for want of memory."),
            ),
        ]
    };
}

const fn instruments(signal: Signal) -> [Instrument; 2] {
    match signal {
        Signal::Metrics => instruments!("metric_points", "{datapoint}", "metric points"),
        Signal::Logs => instruments!("log_records", "{record}", "log records"),
        _ => instruments!("spans", "{span}", "spans"),
    }
}

const RETRY_AFTER_MIN: Duration = Duration::from_secs(1);
