//! What an exporter of the official SDK holds of the export thread: batches go in, outcomes come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use opentelemetry_sdk::error::{OTelSdkError, OTelSdkResult};
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter};
use otlp_core::{Payload, Signal};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::account::Account;
use super::config::ExportConfig;
use super::courier::{Job, Report};
use super::groups::Encoded;
use super::timer::SpareTimer;
use super::worker::{self, Command, Plan, Settle};
use crate::foreign::caught;
use crate::notice::{line, printable};
use crate::pipeline::DropReason;

/// One exporter's hold of the thread. A clone is another one; the thread shuts the wrapped exporter
/// down and ends when the last of them is shut down or dropped.
#[derive(Debug)]
pub(super) struct Link {
    shared: Arc<Shared>,
    open: AtomicBool,
}

#[derive(Debug)]
struct Shared {
    signal: Signal,
    commands: mpsc::UnboundedSender<Command>,
    account: Account,
    config: ExportConfig,
    /// Links that are open.
    open: AtomicUsize,
    thread: Mutex<Option<ThreadId>>,
    /// Why there is no thread.
    no_thread: Mutex<Option<String>>,
    destination: Arc<str>,
    timer: SpareTimer,
}

impl Link {
    /// Starts the thread. Should that fail, everything that is handed in is dropped, counted, and an
    /// error that says why.
    pub(super) fn new<E: Exporter>(signal: Signal, exporter: E, config: ExportConfig) -> Self {
        let account = Account::default();
        // Asked once and guarded: it is the user's code, and it is only for messages.
        let destination = caught(|| exporter.destination()).unwrap_or_else(|_| {
            account.count_panic();
            "unknown: the exporter panicked when asked".to_owned()
        });
        let destination: Arc<str> = printable(&destination).into();
        let (sender, commands) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            signal,
            commands: sender,
            account: account.clone(),
            config: config.clone(),
            open: AtomicUsize::new(1),
            thread: Mutex::new(None),
            no_thread: Mutex::new(None),
            destination: Arc::clone(&destination),
            timer: SpareTimer::default(),
        });
        spawn(&shared, Plan { signal, exporter, destination, account, config, commands });
        Self { shared, open: AtomicBool::new(true) }
    }

    pub(super) fn account(&self) -> &Account {
        &self.shared.account
    }

    pub(super) fn max_request_bytes(&self) -> usize {
        self.shared.config.max_request_bytes
    }

    /// Hands a batch in; the future is its outcome. It is on its way whether or not that is awaited.
    pub(super) fn export(
        &self,
        encoded: Encoded,
    ) -> impl Future<Output = OTelSdkResult> + Send + use<> {
        let Encoded { payload, too_large } = encoded;
        let (shared, items) = (Arc::clone(&self.shared), payload.items());
        if too_large > 0 {
            shared.account.refuse(too_large, DropReason::TooLarge);
        }
        let outcome = self.hand_in(payload);
        async move {
            if let Some(outcome) = outcome? {
                shared.answer(items, outcome).await?;
            }
            match too_large {
                0 => Ok(()),
                lost => {
                    Err(shared.lost(lost, DropReason::TooLarge.name(), &larger_than_any_request()))
                }
            }
        }
    }

    fn hand_in(&self, payload: Payload) -> Result<Option<oneshot::Receiver<Report>>, OTelSdkError> {
        let (shared, items) = (&self.shared, payload.items());
        if items == 0 {
            return Ok(None);
        }
        if !self.open.load(Ordering::Acquire) {
            shared.account.refuse(items, DropReason::AfterShutdown);
            return Err(OTelSdkError::AlreadyShutdown);
        }
        if shared.is_own_thread() {
            shared.account.refuse(items, DropReason::PermanentError);
            return Err(own_thread());
        }
        let max = shared.config.max_held_bytes;
        let Some(held) = shared.account.take_in(&payload, max) else {
            return Err(shared.lost(items, DropReason::QueueFull.name(), &queue_full(max)));
        };
        let (reply, outcome) = oneshot::channel();
        let deadline = within(shared.config.limit());
        // Without a thread the job comes back and is counted where it is dropped.
        let _ = shared.commands.send(Command::Export(Job { payload, held, deadline, reply }));
        Ok(Some(outcome))
    }

    /// Waits for what was handed in before. Blocks the thread, as the official trait has it.
    pub(super) fn force_flush(&self) -> OTelSdkResult {
        if !self.open.load(Ordering::Acquire) {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        self.shared.settle(self.shared.config.limit(), false)
    }

    /// Shuts down: delivers what was handed in, and with the last link the wrapped exporter.
    pub(super) fn shutdown(&self, timeout: Duration) -> OTelSdkResult {
        if !self.open.swap(false, Ordering::AcqRel) {
            return Err(OTelSdkError::AlreadyShutdown);
        }
        let last = self.shared.open.fetch_sub(1, Ordering::AcqRel) == 1;
        self.shared.settle(Some(timeout), last)
    }
}

impl Clone for Link {
    /// Of a link that was shut down, another one that is.
    fn clone(&self) -> Self {
        let open = self.open.load(Ordering::Acquire);
        if open {
            self.shared.open.fetch_add(1, Ordering::AcqRel);
        }
        Self { shared: Arc::clone(&self.shared), open: AtomicBool::new(open) }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let open = *self.open.get_mut();
        if open && self.shared.open.fetch_sub(1, Ordering::AcqRel) == 1 {
            // Nobody waits for it.
            let (reply, _) = sync_channel(1);
            let deadline = within(Some(self.shared.config.shutdown_timeout));
            let settle = Settle { deadline, shutdown: true, reply };
            let _ = self.shared.commands.send(Command::Settle(settle));
        }
    }
}

impl Shared {
    /// The outcome of a batch; at the latest when the thread should have answered, since an exporter that
    /// blocks it must not hold the caller, whose runtime may have no timer.
    async fn answer(&self, items: usize, outcome: oneshot::Receiver<Report>) -> OTelSdkResult {
        let limit = self.config.limit().unwrap_or(PATIENCE_MAX).min(PATIENCE_MAX);
        let report = match self.timer.within(limit.saturating_add(GRACE), outcome).await {
            Some(report) => report.map_err(|_| self.gone(items))?,
            None => return Err(self.overdue(limit)),
        };
        match report.error {
            None => Ok(()),
            Some((reason, error)) => Err(self.lost(report.lost, reason, &error)),
        }
    }

    fn settle(&self, timeout: Option<Duration>, shutdown: bool) -> OTelSdkResult {
        if self.is_own_thread() {
            return Err(own_thread());
        }
        let (reply, answer) = sync_channel(1);
        let deadline = within(timeout);
        let asked = self.commands.send(Command::Settle(Settle { deadline, shutdown, reply }));
        asked.map_err(|_| self.gone(0))?;
        let limit = timeout.unwrap_or(PATIENCE_MAX).min(PATIENCE_MAX);
        match answer.recv_timeout(limit.saturating_add(GRACE)) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(OTelSdkError::InternalFailure(line(&error))),
            Err(RecvTimeoutError::Timeout) => Err(self.overdue(limit)),
            Err(RecvTimeoutError::Disconnected) => Err(self.gone(0)),
        }
    }

    /// On the export thread nobody can wait for it.
    fn is_own_thread(&self) -> bool {
        *self.thread.lock() == Some(std::thread::current().id())
    }

    fn lost(&self, items: usize, reason: &str, error: &ExportError) -> OTelSdkError {
        let (error, what) = (line(error), worker::items(self.signal, items as u64));
        let text = format!("{items} {what} not delivered ({reason}): {error}");
        OTelSdkError::InternalFailure(text)
    }

    /// The thread has ended without an answer.
    fn gone(&self, items: usize) -> OTelSdkError {
        let (reason, text) = match &*self.no_thread.lock() {
            Some(why) => {
                (DropReason::NoWorker, format!("the export thread could not be started: {why}"))
            }
            None => (DropReason::ShutdownTimeout, "shutdown has ended before they were".to_owned()),
        };
        let error = ExportError::new(ErrorKind::Other, text);
        let error = match self.account.last_error() {
            Some(cause) => error.with_source(cause),
            None => error,
        };
        self.lost(items, reason.name(), &error)
    }

    /// The thread does not answer: an exporter blocks it.
    fn overdue(&self, limit: Duration) -> OTelSdkError {
        match worker::not_in_time(&self.account, self.signal, &self.destination) {
            Some(late) => {
                let text = format!("the export thread does not answer within {limit:?}");
                let error = ExportError::new(ErrorKind::Timeout, text).with_source(late);
                OTelSdkError::InternalFailure(line(&error))
            }
            None => OTelSdkError::Timeout(limit),
        }
    }
}

fn spawn<E: Exporter>(shared: &Arc<Shared>, plan: Plan<E>) {
    let name = format!("otlp-{}", shared.signal.name());
    // The thread must not keep its own sender alive, so it holds no more than the place for its id.
    let weak = Arc::downgrade(shared);
    let life = move || {
        if let Err(error) = worker::run(plan)
            && let Some(shared) = weak.upgrade()
        {
            *shared.no_thread.lock() = Some(error.to_string());
        }
    };
    // Without a thread the exporter is dropped here, and its destructor is not ours.
    let started = caught(|| std::thread::Builder::new().name(name).spawn(life));
    match started {
        Ok(Ok(thread)) => *shared.thread.lock() = Some(thread.thread().id()),
        Ok(Err(error)) => *shared.no_thread.lock() = Some(error.to_string()),
        Err(panic) => *shared.no_thread.lock() = Some(printable(&panic)),
    }
}

fn within(timeout: Option<Duration>) -> Deadline {
    Deadline::NEVER.within(Instant::now(), timeout)
}

fn own_thread() -> OTelSdkError {
    let text = "called on the export thread itself, which cannot wait for itself";
    OTelSdkError::InternalFailure(text.to_owned())
}

fn queue_full(max: usize) -> ExportError {
    let text = format!("earlier batches hold the {max} bytes that may be held");
    ExportError::new(ErrorKind::Other, text)
}

fn larger_than_any_request() -> ExportError {
    ExportError::new(ErrorKind::RequestTooLarge, "the body alone is larger than any request")
}

/// A thread that keeps the deadline answers within this time after it.
const GRACE: Duration = Duration::from_millis(300);
/// A deadline further away than this is none, and the clock could not express it.
const PATIENCE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);
