//! The guard: what keeps telemetry running, and what it says at its end.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join3;
use otlp_core::Signal;

use super::ledgers::Ledgers;
use super::start_up::StartUp;
use crate::logs::LoggerProvider;
use crate::metrics::MeterProvider;
use crate::pipeline::PipelineError;
use crate::say::say;
use crate::trace::TracerProvider;

/// Keeps telemetry running. Dropping it delivers what is held, within
/// [`BatchConfig::shutdown_timeout`](crate::BatchConfig::shutdown_timeout) (5 s unless
/// set), also while a panic unwinds.
///
/// Bind it to a name: `let _telemetry = …`. Bound to `_` it would be dropped at once.
///
/// A process that a signal ends runs no destructors, nor does one that calls `std::process::exit`, and what
/// stands in a `static` is never dropped. Where that is usual (`SIGTERM` from an orchestrator, Ctrl-C), wait
/// for the signal and let `main` return, or call [`shutdown`](Self::shutdown) or
/// [`shutdown_async`](Self::shutdown_async).
///
/// While no server is there, the end of the program takes as long as the shutdown may:
/// [`with_shutdown_timeout`](crate::TelemetryBuilder::with_shutdown_timeout). Spans that are still open then
/// are counted and told of, and lost: end them first, or leave their scope.
#[must_use = "telemetry ends when the guard is dropped: bind it to a name that lives as long as main"]
#[derive(Debug)]
pub struct TelemetryGuard {
    pub(super) providers: Providers,
    pub(super) timeout: Duration,
    pub(super) start_up: StartUp,
    /// Whether [`shutdown`](Self::shutdown) has begun, and told how it ended.
    pub(super) ended: AtomicBool,
}

/// The providers of all signals.
#[derive(Debug)]
pub(super) struct Providers {
    pub(super) tracer: TracerProvider,
    pub(super) logger: LoggerProvider,
    pub(super) meter: MeterProvider,
}

impl TelemetryGuard {
    /// The provider that was installed, for tracers of a concrete type: they cost less than those of
    /// [`global::tracer`](opentelemetry::global::tracer).
    #[must_use]
    pub fn tracer_provider(&self) -> &TracerProvider {
        &self.providers.tracer
    }

    /// The provider of loggers, for a bridge from `tracing` or `log`. The API has no global place for it.
    #[must_use]
    pub fn logger_provider(&self) -> &LoggerProvider {
        &self.providers.logger
    }

    /// The meter provider that was installed.
    #[must_use]
    pub fn meter_provider(&self) -> &MeterProvider {
        &self.providers.meter
    }

    /// A layer for `tracing`: its spans become spans and its events log records; span events where logs go
    /// nowhere, as with `OTEL_LOGS_EXPORTER=none`.
    ///
    /// ```no_run
    /// use tracing_subscriber::prelude::*;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let telemetry = otlp_sdk::init()?;
    /// tracing_subscriber::registry()
    ///     .with(tracing_subscriber::fmt::layer())
    ///     .with(telemetry.tracing_layer())
    ///     .init();
    /// telemetry.announce();
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "tracing")]
    #[cfg_attr(docsrs, doc(cfg(feature = "tracing")))]
    #[must_use]
    pub fn tracing_layer(&self) -> crate::tracing_layer::TracingLayer {
        let Providers { tracer, logger, .. } = &self.providers;
        let layer = crate::tracing_layer::TracingLayer::new(tracer);
        if logger.is_active() { layer.with_logger_provider(logger) } else { layer }
    }

    /// Says once more, through `tracing`, what was set up and what was wrong with the settings.
    ///
    /// [`init`](crate::init()) says it too. But a subscriber with a layer that needs a provider can only be
    /// installed after it; then call this to see the messages.
    pub fn announce(&self) {
        self.start_up.announce();
    }

    /// What became of every span, data point and log record, at this moment.
    #[must_use]
    pub fn ledger(&self) -> Ledgers {
        self.providers.ledgers()
    }

    /// Delivers every span that ended and every record that was emitted before the call, and what the
    /// instruments show now, and waits for it, 30 s at most.
    ///
    /// # Errors
    ///
    /// Says what was not delivered and why; see [`TracerProvider::force_flush`].
    pub fn force_flush(&self) -> Result<(), FlushError> {
        self.force_flush_with_timeout(crate::provider::FLUSH_TIMEOUT)
    }

    /// [`force_flush`](Self::force_flush) with a time limit of your own.
    ///
    /// # Errors
    ///
    /// As for `force_flush`.
    pub fn force_flush_with_timeout(&self, timeout: Duration) -> Result<(), FlushError> {
        FlushError::of(self.providers.force_flush(timeout))
    }

    /// [`force_flush`](Self::force_flush) within a time limit, without blocking the thread.
    ///
    /// # Errors
    ///
    /// As for `force_flush`.
    pub async fn force_flush_async(&self, timeout: Duration) -> Result<(), FlushError> {
        let Providers { tracer, logger, meter } = &self.providers;
        let (traces, metrics, logs) = join3(
            tracer.force_flush_async(timeout),
            meter.force_flush_async(timeout),
            logger.force_flush_async(timeout),
        )
        .await;
        FlushError::of([traces, metrics, logs])
    }

    /// Ends telemetry now, within
    /// [`BatchConfig::shutdown_timeout`](crate::BatchConfig::shutdown_timeout), and says
    /// how that went. What is recorded later is counted and nobody is told: as dropped (`after_shutdown`) what
    /// was open, as [`started_after_shutdown`](crate::Ledger::started_after_shutdown) what was not begun.
    ///
    /// # Errors
    ///
    /// Says what was not delivered and why, with the whole account. It is not logged then: handle the
    /// error, or drop the guard, which logs it. From the second call on it is
    /// [`AlreadyShutdown`](PipelineError::AlreadyShutdown). On a thread that would wait for itself, such as an
    /// exporter's, nothing is begun ([`NoWorker`](PipelineError::NoWorker)); dropping the guard elsewhere then
    /// still delivers.
    pub fn shutdown(&self) -> Result<Ledgers, ShutdownError> {
        self.account(self.providers.shutdown(self.timeout))
    }

    /// [`shutdown`](Self::shutdown) without blocking the thread.
    ///
    /// # Errors
    ///
    /// As for `shutdown`.
    pub async fn shutdown_async(&self) -> Result<Ledgers, ShutdownError> {
        let Providers { tracer, logger, meter } = &self.providers;
        let (traces, metrics, logs) = join3(
            tracer.shutdown_async(self.timeout),
            meter.shutdown_async(self.timeout),
            logger.shutdown_async(self.timeout),
        )
        .await;
        self.account([traces, metrics, logs])
    }

    fn account(&self, answers: Answers) -> Result<Ledgers, ShutdownError> {
        // Where it was refused, as on a thread of our own, nothing has begun: the guard still has it to do.
        if !answers.iter().any(|answer| matches!(answer, Err(PipelineError::NoWorker(_)))) {
            self.ended.store(true, Ordering::Relaxed);
        }
        let ledgers = self.providers.ledgers();
        match FlushError::of(answers) {
            Ok(()) => Ok(ledgers),
            Err(error) => Err(ShutdownError { error, ledgers: Box::new(ledgers) }),
        }
    }

    /// A guard of nothing: nothing is recorded and nothing is sent. For a program that prefers to
    /// run without telemetry when it cannot be set up:
    ///
    /// ```no_run
    /// # use otlp_sdk::TelemetryGuard;
    /// let _telemetry = otlp_sdk::init().unwrap_or_else(|error| {
    ///     eprintln!("no telemetry: {error}");
    ///     TelemetryGuard::disabled()
    /// });
    /// ```
    pub fn disabled() -> Self {
        Self {
            providers: Providers {
                tracer: TracerProvider::builder().build(),
                logger: LoggerProvider::builder().build(),
                meter: MeterProvider::builder().build(),
            },
            timeout: Duration::ZERO,
            start_up: StartUp { disabled: true, ..StartUp::default() },
            ended: AtomicBool::new(false),
        }
    }
}

/// What the signals have answered, in the order of [`Signal::ALL`].
type Answers = [Result<(), PipelineError>; Signal::ALL.len()];

impl Providers {
    /// All at the same time, within one limit: what is away must not use up the time of what is there.
    fn force_flush(&self, timeout: Duration) -> Answers {
        let begun = Instant::now();
        let left = || timeout.saturating_sub(begun.elapsed());
        let traces = self.tracer.start_flush(timeout);
        let logs = self.logger.start_flush(left());
        let metrics = self.meter.force_flush_with_timeout(left());
        [traces.finish(), metrics, logs.finish()]
    }

    fn shutdown(&self, timeout: Duration) -> Answers {
        let begun = Instant::now();
        let left = || timeout.saturating_sub(begun.elapsed());
        let traces = self.tracer.start_shutdown(timeout);
        let logs = self.logger.start_shutdown(left());
        let metrics = self.meter.shutdown_with_timeout(left());
        let finish = |underway: Result<crate::provider::Underway<'_>, PipelineError>| {
            underway.and_then(crate::provider::Underway::finish)
        };
        [finish(traces), metrics, finish(logs)]
    }

    fn ledgers(&self) -> Ledgers {
        let (traces, logs) = (self.tracer.ledger(), self.logger.ledger());
        Ledgers { traces, metrics: self.meter.ledger(), logs }
    }
}

/// What a flush could not do, signal by signal.
///
/// Its `Debug` text is the same as its `Display` text, since that is what a program shows whose
/// `main` returns it.
#[derive(Clone)]
#[non_exhaustive]
pub struct FlushError {
    /// The signals that failed, and how; at least one.
    pub errors: Vec<(Signal, PipelineError)>,
}

impl FlushError {
    fn of(answers: Answers) -> Result<(), Self> {
        let answers = Signal::ALL.into_iter().zip(answers);
        let errors: Vec<_> =
            answers.filter_map(|(signal, answer)| Some((signal, answer.err()?))).collect();
        if errors.is_empty() { Ok(()) } else { Err(Self { errors }) }
    }

    /// What went wrong with one signal.
    #[must_use]
    pub fn of_signal(&self, signal: Signal) -> Option<&PipelineError> {
        self.errors.iter().find(|(of, _)| *of == signal).map(|(_, error)| error)
    }

    /// Without the signals that were shut down before.
    fn without_repetition(mut self) -> Self {
        self.errors.retain(|(_, error)| !matches!(error, PipelineError::AlreadyShutdown));
        self
    }
}

impl fmt::Display for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (signal, error) in &self.errors {
            write!(f, "{separator}{signal}: {error}")?;
            separator = "; ";
        }
        Ok(())
    }
}

impl fmt::Debug for FlushError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

// Without a source: the text has the errors of all signals, and a report of the chain would repeat them.
impl std::error::Error for FlushError {}

/// What was lost at the end of telemetry.
///
/// Its `Debug` text is the same as its `Display` text, since that is what a program shows whose
/// `main` returns it.
#[derive(thiserror::Error)]
#[non_exhaustive]
#[error("telemetry ended with losses: {error}; {ledgers}")]
pub struct ShutdownError {
    /// What went wrong.
    pub error: FlushError,
    /// What became of everything.
    pub ledgers: Box<Ledgers>,
}

impl fmt::Debug for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        if *self.ended.get_mut() {
            return;
        }
        let lost = FlushError::of(self.providers.shutdown(self.timeout));
        if let Err(error) = lost.map_err(FlushError::without_repetition)
            && !error.errors.is_empty()
        {
            let ledgers = self.providers.ledgers();
            say!(Warn, %error, %ledgers, "telemetry ended with losses");
        }
    }
}
