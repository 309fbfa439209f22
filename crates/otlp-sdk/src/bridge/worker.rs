//! The export thread: takes batches and calls from the official SDK's threads and carries them out.

use std::collections::BTreeSet;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use otlp_core::Signal;
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter};
use tokio::sync::{mpsc, watch};
use tokio::time::MissedTickBehavior;

use super::account::Account;
use super::config::ExportConfig;
use super::courier::{Courier, Job};
use super::gate::now;
use super::voice::{Voice, hush};
use crate::foreign::caught;
use crate::pipeline::thread::quiet_runtime;
use crate::pipeline::{DropReason, delivery};

/// What is asked of the export thread.
#[derive(Debug)]
pub(super) enum Command {
    Export(Job),
    Settle(Settle),
}

/// A flush, or a shutdown.
#[derive(Debug)]
pub(super) struct Settle {
    pub(super) deadline: Deadline,
    pub(super) shutdown: bool,
    pub(super) reply: SyncSender<Result<(), ExportError>>,
}

/// What the thread is started with.
#[derive(Debug)]
pub(super) struct Plan<E> {
    pub(super) signal: Signal,
    pub(super) exporter: E,
    pub(super) destination: Arc<str>,
    pub(super) account: Account,
    pub(super) config: ExportConfig,
    pub(super) commands: mpsc::UnboundedReceiver<Command>,
}

/// The life of the thread.
pub(super) fn run<E: Exporter>(plan: Plan<E>) -> io::Result<()> {
    let runtime = quiet_runtime(hush)?;
    let account = plan.account.clone();
    let mut worker = Worker::new(plan);
    let ran = caught(|| runtime.block_on(worker.run()));
    worker.end();
    // The exporter goes with the worker, and its destructor is not ours.
    let dropped = caught(|| drop(worker));
    for _ in [ran, dropped].iter().filter(|it| it.is_err()) {
        account.count_panic();
    }
    // A name look-up may still be running on a helper thread; it must not hold up the exit.
    runtime.shutdown_background();
    Ok(())
}

struct Worker<E> {
    signal: Signal,
    destination: Arc<str>,
    courier: Rc<Courier<E>>,
    voice: Rc<Voice>,
    account: Account,
    commands: mpsc::UnboundedReceiver<Command>,
    shutdown_timeout: Duration,
    work: FuturesUnordered<LocalFuture<Event>>,
    /// Numbers of the batches under way.
    under_way: BTreeSet<u64>,
    next: u64,
    /// The oldest batch under way, or the next one.
    oldest: watch::Sender<u64>,
    closing: bool,
}

type LocalFuture<T> = Pin<Box<dyn Future<Output = T>>>;

/// What has ended.
enum Event {
    Batch(u64),
    Flush,
    Shutdown(Settled),
}

/// A shutdown that has ended, and whoever waits for it.
struct Settled {
    reply: SyncSender<Result<(), ExportError>>,
    result: Result<(), ExportError>,
}

impl<E: Exporter> Worker<E> {
    fn new(plan: Plan<E>) -> Self {
        let Plan { signal, exporter, destination, account, config, commands } = plan;
        let shutdown_timeout = config.shutdown_timeout;
        let voice = Voice::new(signal, Arc::clone(&destination), account.clone(), &config);
        let voice = Rc::new(voice);
        let (to, said_by) = (Arc::clone(&destination), Rc::clone(&voice));
        let courier = Courier::new(exporter, to, account.clone(), said_by, &config);
        Self {
            signal,
            destination,
            courier: Rc::new(courier),
            voice,
            account,
            commands,
            shutdown_timeout,
            work: FuturesUnordered::new(),
            under_way: BTreeSet::new(),
            next: 0,
            oldest: watch::Sender::new(0),
            closing: false,
        }
    }

    async fn run(&mut self) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // An exporter that has nothing to do does not wake.
            let listens = !self.under_way.is_empty() || self.voice.holds_back();
            tokio::select! {
                biased;
                Some(event) = self.work.next() => match event {
                    Event::Batch(number) => self.on_batch_done(number),
                    Event::Flush => {}
                    Event::Shutdown(settled) => return self.answer(settled),
                },
                command = self.commands.recv(), if !self.closing => match command {
                    Some(Command::Export(job)) => self.start_batch(job),
                    Some(Command::Settle(settle)) => self.start_settling(settle),
                    // Nobody is left who could ask for anything.
                    None => self.start_settling(self.farewell()),
                },
                _ = tick.tick(), if listens => self.voice.overdue(),
                // At shutdown something is always under way, so this is never all there is.
                else => return,
            }
        }
    }

    fn start_batch(&mut self, job: Job) {
        let number = self.next;
        self.next += 1;
        self.under_way.insert(number);
        self.tell_oldest();
        let courier = Rc::clone(&self.courier);
        self.work.push(Box::pin(async move {
            courier.carry(job).await;
            Event::Batch(number)
        }));
    }

    fn on_batch_done(&mut self, number: u64) {
        self.under_way.remove(&number);
        self.tell_oldest();
        if self.under_way.is_empty() {
            self.voice.overdue();
        }
    }

    fn tell_oldest(&self) {
        let oldest = self.under_way.first().copied().unwrap_or(self.next);
        self.oldest.send_replace(oldest);
    }

    /// Waits for the batches that came before, then settles with the exporter.
    fn start_settling(&mut self, settle: Settle) {
        let Settle { deadline, shutdown, reply } = settle;
        if shutdown {
            self.closing = true;
            self.account.close();
        }
        let (mut oldest, until) = (self.oldest.subscribe(), self.next);
        let (courier, account) = (Rc::clone(&self.courier), self.account.clone());
        let (signal, destination) = (self.signal, Arc::clone(&self.destination));
        self.work.push(Box::pin(async move {
            let all =
                delivery::by(deadline, oldest.wait_for(|oldest| *oldest >= until)).await.is_some();
            let exporter = &*courier.exporter;
            let result = match shutdown {
                true => delivery::shutdown(exporter, deadline).await,
                false => delivery::force_flush(exporter, deadline).await,
            };
            if result.as_ref().is_err_and(|error| error.kind() == ErrorKind::Panic) {
                account.count_panic();
            }
            let late = if all { None } else { not_in_time(&account, signal, &destination) };
            let result = late.map_or(result, Err);
            if shutdown {
                return Event::Shutdown(Settled { reply, result });
            }
            // Whoever asked may have stopped waiting.
            let _ = reply.try_send(result);
            Event::Flush
        }));
    }

    /// Whoever asked for the shutdown may end the program with the answer, so it comes last.
    fn answer(&mut self, Settled { reply, result }: Settled) {
        self.end();
        let _ = reply.try_send(result);
    }

    /// Lets go of everything that is still here, and says so.
    fn end(&mut self) {
        let held = usize::try_from(self.account.ledger().held).unwrap_or(usize::MAX);
        let late = not_in_time(&self.account, self.signal, &self.destination);
        self.let_work_go();
        if let Some(error) = late {
            let reason =
                if self.closing { DropReason::ShutdownTimeout } else { DropReason::NoWorker };
            self.voice.dropped(held, reason, &error);
        }
        self.voice.last_words();
    }

    /// Requests in flight are the exporter's futures, whose destructors are not ours either: one by one,
    /// so that each is let go.
    fn let_work_go(&mut self) {
        for future in std::mem::take(&mut self.work) {
            if caught(|| drop(future)).is_err() {
                self.account.count_panic();
            }
        }
        // What was handed in and not begun.
        self.commands.close();
        while self.commands.try_recv().is_ok() {}
    }

    fn farewell(&self) -> Settle {
        let (reply, _) = std::sync::mpsc::sync_channel(1);
        let deadline = Deadline::after(now(), self.shutdown_timeout);
        Settle { deadline, shutdown: true, reply }
    }
}

/// What is held although the time is over, and why; `None` if nothing is.
pub(super) fn not_in_time(
    account: &Account,
    signal: Signal,
    destination: &str,
) -> Option<ExportError> {
    let held = account.ledger().held;
    let unanswered =
        || ExportError::new(ErrorKind::Timeout, format!("no answer from {destination} yet"));
    let text = || format!("{held} {} not delivered in time", items(signal, held));
    (held > 0).then(|| {
        let cause = account.last_error().unwrap_or_else(unanswered);
        ExportError::new(ErrorKind::Timeout, text()).with_source(cause)
    })
}

/// What so many items are called.
pub(super) fn items(signal: Signal, count: u64) -> String {
    format!("{}{}", signal.item(), if count == 1 { "" } else { "s" })
}

/// How often is looked for what has to be told, while there is something to do.
const TICK: Duration = Duration::from_secs(1);
