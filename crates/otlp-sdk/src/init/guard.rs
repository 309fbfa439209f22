//! The guard: what keeps telemetry running, and what it says at its end.

use std::fmt;
use std::time::Duration;

use super::start_up::StartUp;
use crate::pipeline::{Ledger, PipelineError};
use crate::trace::TracerProvider;

/// Keeps telemetry running. Dropping it delivers what is held, within
/// [`BatchConfig::shutdown_timeout`](crate::trace::BatchConfig::shutdown_timeout) (5 s unless
/// set), also while a panic unwinds.
///
/// Bind it to a name: `let _telemetry = …`. Bound to `_` it would be dropped at once.
///
/// A process that a signal ends runs no destructors. Where that is usual (`SIGTERM` from an
/// orchestrator, Ctrl-C), wait for the signal and let `main` return, or call
/// [`shutdown`](Self::shutdown) or [`shutdown_async`](Self::shutdown_async).
#[must_use = "telemetry ends when the guard is dropped: bind it to a name that lives as long as main"]
#[derive(Debug)]
pub struct TelemetryGuard {
    pub(super) provider: TracerProvider,
    pub(super) timeout: Duration,
    pub(super) start_up: StartUp,
}

impl TelemetryGuard {
    /// The provider that was installed, for tracers of a concrete type: they cost less than those of
    /// [`global::tracer`](opentelemetry::global::tracer).
    #[must_use]
    pub fn tracer_provider(&self) -> &TracerProvider {
        &self.provider
    }

    /// Says once more, through `tracing`, what was set up and what was wrong with the settings.
    ///
    /// [`init`](crate::init()) says it too. But a subscriber with a layer of
    /// `tracing-opentelemetry` can only be installed after it, since the layer needs a tracer;
    /// then call this to see the messages.
    pub fn announce(&self) {
        self.start_up.announce();
    }

    /// What became of every span that was owed to each exporter; see [`TracerProvider::ledgers`].
    #[must_use]
    pub fn ledgers(&self) -> Vec<Ledger> {
        self.provider.ledgers()
    }

    /// What became of every span, at this moment. With two exporters each span is owed to both, and
    /// counts twice; [`ledgers`](Self::ledgers) tells them apart.
    #[must_use]
    pub fn ledger(&self) -> Ledger {
        self.provider.ledger()
    }

    /// Delivers every span that ended before the call, and waits for it, 30 s at most.
    ///
    /// # Errors
    ///
    /// Says what was not delivered and why; see [`TracerProvider::force_flush`].
    pub fn force_flush(&self) -> Result<(), PipelineError> {
        self.provider.force_flush()
    }

    /// [`force_flush`](Self::force_flush) without blocking the thread.
    ///
    /// # Errors
    ///
    /// As for `force_flush`.
    pub async fn force_flush_async(&self, timeout: Duration) -> Result<(), PipelineError> {
        self.provider.force_flush_async(timeout).await
    }

    /// Ends telemetry now, within
    /// [`BatchConfig::shutdown_timeout`](crate::trace::BatchConfig::shutdown_timeout), and says
    /// how that went.
    ///
    /// # Errors
    ///
    /// Says what was not delivered and why, with the whole account. It is not logged then: handle the
    /// error, or drop the guard, which logs it.
    pub fn shutdown(self) -> Result<Ledger, ShutdownError> {
        let result = self.provider.shutdown_with_timeout(self.timeout);
        self.account(result)
    }

    /// [`shutdown`](Self::shutdown) without blocking the thread.
    ///
    /// # Errors
    ///
    /// As for `shutdown`.
    pub async fn shutdown_async(self) -> Result<Ledger, ShutdownError> {
        let result = self.provider.shutdown_async(self.timeout).await;
        self.account(result)
    }

    fn account(&self, result: Result<(), PipelineError>) -> Result<Ledger, ShutdownError> {
        let ledger = self.provider.ledger();
        match result {
            Ok(()) => Ok(ledger),
            Err(error) => Err(ShutdownError { error, ledger: Box::new(ledger) }),
        }
    }

    /// A guard of nothing: spans are not recorded and nothing is sent. For a program that prefers to
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
            provider: TracerProvider::builder().build(),
            timeout: Duration::ZERO,
            start_up: StartUp::default(),
        }
    }
}

/// What was lost at the end of telemetry.
///
/// Its `Debug` text is the same as its `Display` text, since that is what a program shows whose
/// `main` returns it.
#[derive(thiserror::Error)]
#[non_exhaustive]
#[error("telemetry ended with losses: {error}; {ledger}")]
pub struct ShutdownError {
    /// What went wrong.
    #[source]
    pub error: PipelineError,
    /// What became of every span.
    pub ledger: Box<Ledger>,
}

impl fmt::Debug for ShutdownError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Drop for TelemetryGuard {
    fn drop(&mut self) {
        match self.provider.shutdown_with_timeout(self.timeout) {
            Ok(()) | Err(PipelineError::AlreadyShutdown) => {}
            Err(error) => {
                let ledger = self.provider.ledger();
                tracing::warn!(target: "otlp_sdk", %error, %ledger, "telemetry ended with losses");
            }
        }
    }
}
