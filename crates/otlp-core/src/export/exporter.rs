//! The one trait that moves encoded telemetry onwards.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::outcome::{ExportError, Outcome};
use crate::payload::Payload;

/// Takes encoded requests and hands them on: to a server, a file, another exporter.
///
/// # Contract
///
/// - [`export`](Self::export) is **one** attempt. Retry, backoff and the queue belong to whoever
///   drives the exporter, so that a payload is never multiplied by nested retries.
/// - It may be called again before an earlier call has returned; the driver bounds how many are in
///   flight (OTLP/gRPC "concurrent unary calls").
/// - It returns by `deadline`; what it does not finish by then is
///   [`Outcome::Retryable`] with [`ErrorKind::Timeout`](super::ErrorKind::Timeout).
/// - It never panics and never blocks the thread; a driver nevertheless catches both.
/// - After [`shutdown`](Self::shutdown) it answers [`Outcome::Permanent`] with
///   [`ErrorKind::AlreadyShutdown`](super::ErrorKind::AlreadyShutdown).
///
/// The futures are `Send` and are driven on a Tokio runtime with time and I/O enabled.
///
/// ```
/// use otlp_core::export::{Deadline, Exporter, Outcome};
/// use otlp_core::Payload;
///
/// /// Counts and discards.
/// #[derive(Debug, Default)]
/// struct Discard(std::sync::atomic::AtomicUsize);
///
/// impl Exporter for Discard {
///     async fn export(&self, payload: Payload, _deadline: Deadline) -> Outcome {
///         self.0.fetch_add(payload.items(), std::sync::atomic::Ordering::Relaxed);
///         Outcome::delivered()
///     }
/// }
///
/// // Chosen at run time instead of at compile time:
/// let boxed = Discard::default().boxed();
/// # drop(boxed);
/// ```
pub trait Exporter: fmt::Debug + Send + Sync + 'static {
    /// Sends one request once and says what became of it.
    fn export(&self, payload: Payload, deadline: Deadline) -> impl Future<Output = Outcome> + Send;

    /// Waits until everything that [`export`](Self::export) has taken is out of the process.
    ///
    /// An exporter that answers only when the server has answered has nothing to do.
    ///
    /// # Errors
    ///
    /// What was buffered could not be written by `deadline`.
    fn force_flush(
        &self,
        deadline: Deadline,
    ) -> impl Future<Output = Result<(), ExportError>> + Send {
        let _ = deadline;
        async { Ok(()) }
    }

    /// Releases connections and files. Calling it again does nothing.
    ///
    /// # Errors
    ///
    /// What was buffered could not be written by `deadline`.
    fn shutdown(&self, deadline: Deadline) -> impl Future<Output = Result<(), ExportError>> + Send {
        let _ = deadline;
        async { Ok(()) }
    }

    /// The `otel.component.type` of this exporter, as semantic conventions list them.
    fn component_type(&self) -> &'static str {
        "custom_exporter"
    }

    /// What messages call the destination: a URL without secrets, a file path.
    fn destination(&self) -> String {
        self.component_type().to_owned()
    }

    /// The boxed form, for a choice at run time. Costs one allocation per call.
    fn boxed(self) -> BoxedExporter
    where
        Self: Sized,
    {
        BoxedExporter(Arc::new(self))
    }
}

/// When an operation must have ended. `None` inside means no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No limit.
    pub const NEVER: Self = Self(None);

    /// A fixed instant.
    #[must_use]
    pub const fn at(instant: Instant) -> Self {
        Self(Some(instant))
    }

    /// `timeout` after `now`; no limit when the clock cannot express that.
    #[must_use]
    pub fn after(now: Instant, timeout: Duration) -> Self {
        Self(now.checked_add(timeout))
    }

    /// The instant, if there is a limit.
    #[must_use]
    pub const fn instant(self) -> Option<Instant> {
        self.0
    }

    /// The earlier of the two.
    #[must_use]
    pub fn min(self, other: Self) -> Self {
        match (self.0, other.0) {
            (Some(a), Some(b)) => Self(Some(a.min(b))),
            (a, b) => Self(a.or(b)),
        }
    }

    /// This deadline, or `timeout` after `now` where that comes first; no timeout changes nothing.
    #[must_use]
    pub fn within(self, now: Instant, timeout: Option<Duration>) -> Self {
        timeout.map_or(self, |timeout| self.min(Self::after(now, timeout)))
    }

    /// Time left from `now`: `None` without a limit, zero when it has passed.
    #[must_use]
    pub fn remaining(self, now: Instant) -> Option<Duration> {
        self.0.map(|at| at.saturating_duration_since(now))
    }

    /// Whether the deadline has passed at `now`.
    #[must_use]
    pub fn has_passed(self, now: Instant) -> bool {
        self.0.is_some_and(|at| now >= at)
    }
}

/// An [`Exporter`] chosen at run time; clones share it.
#[derive(Clone)]
pub struct BoxedExporter(Arc<dyn ErasedExporter>);

impl Exporter for BoxedExporter {
    fn export(&self, payload: Payload, deadline: Deadline) -> impl Future<Output = Outcome> + Send {
        self.0.export_erased(payload, deadline)
    }

    fn force_flush(
        &self,
        deadline: Deadline,
    ) -> impl Future<Output = Result<(), ExportError>> + Send {
        self.0.force_flush_erased(deadline)
    }

    fn shutdown(&self, deadline: Deadline) -> impl Future<Output = Result<(), ExportError>> + Send {
        self.0.shutdown_erased(deadline)
    }

    fn component_type(&self) -> &'static str {
        self.0.component_type_erased()
    }

    fn destination(&self) -> String {
        self.0.destination_erased()
    }

    fn boxed(self) -> BoxedExporter {
        self
    }
}

impl fmt::Debug for BoxedExporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The object-safe twin of [`Exporter`], implemented for every exporter.
trait ErasedExporter: fmt::Debug + Send + Sync {
    fn export_erased(&self, payload: Payload, deadline: Deadline) -> BoxFuture<'_, Outcome>;
    fn force_flush_erased(&self, deadline: Deadline) -> BoxFuture<'_, Result<(), ExportError>>;
    fn shutdown_erased(&self, deadline: Deadline) -> BoxFuture<'_, Result<(), ExportError>>;
    fn component_type_erased(&self) -> &'static str;
    fn destination_erased(&self) -> String;
}

impl<E: Exporter> ErasedExporter for E {
    fn export_erased(&self, payload: Payload, deadline: Deadline) -> BoxFuture<'_, Outcome> {
        Box::pin(self.export(payload, deadline))
    }

    fn force_flush_erased(&self, deadline: Deadline) -> BoxFuture<'_, Result<(), ExportError>> {
        Box::pin(self.force_flush(deadline))
    }

    fn shutdown_erased(&self, deadline: Deadline) -> BoxFuture<'_, Result<(), ExportError>> {
        Box::pin(self.shutdown(deadline))
    }

    fn component_type_erased(&self) -> &'static str {
        self.component_type()
    }

    fn destination_erased(&self) -> String {
        self.destination()
    }
}
