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
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter};
use tokio::sync::{mpsc, watch};

use super::account::Account;
use super::config::ExportConfig;
use super::courier::{Courier, Job};
use super::gate::now;
use crate::foreign::caught;
use crate::pipeline::delivery;
use crate::pipeline::thread::{quiet_runtime, suppress_for_good};

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
    worker.let_work_go();
    // The exporter goes with the worker, and its destructor is not ours.
    let dropped = caught(|| drop(worker));
    for _ in [ran, dropped].iter().filter(|it| it.is_err()) {
        account.count_panic();
    }
    // A name look-up may still be running on a helper thread; it must not hold up the exit.
    runtime.shutdown_background();
    Ok(())
}

/// The official SDK knows nothing of our export thread, and `tracing` spans that a transport starts here
/// would come back as more to export. So nothing is told to a subscriber from here; what has to be said
/// is in the result of the call.
fn hush() {
    suppress_for_good();
    std::mem::forget(tracing::dispatcher::set_default(&tracing::Dispatch::none()));
}

struct Worker<E> {
    courier: Rc<Courier<E>>,
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
    Shutdown,
}

impl<E: Exporter> Worker<E> {
    fn new(plan: Plan<E>) -> Self {
        let Plan { exporter, destination, account, config, commands } = plan;
        let shutdown_timeout = config.shutdown_timeout;
        let courier = Courier::new(exporter, destination, account.clone(), &config);
        Self {
            courier: Rc::new(courier),
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
        loop {
            tokio::select! {
                biased;
                Some(event) = self.work.next() => match event {
                    Event::Batch(number) => self.on_batch_done(number),
                    Event::Flush => {}
                    Event::Shutdown => return,
                },
                command = self.commands.recv(), if !self.closing => match command {
                    Some(Command::Export(job)) => self.start_batch(job),
                    Some(Command::Settle(settle)) => self.start_settling(settle),
                    // Nobody is left who could ask for anything.
                    None => self.start_settling(self.farewell()),
                },
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
            let result = if all { result } else { Err(not_in_time(&account)) };
            // Whoever asked may have stopped waiting.
            let _ = reply.try_send(result);
            if shutdown { Event::Shutdown } else { Event::Flush }
        }));
    }

    /// Requests in flight are the exporter's futures, whose destructors are not ours either: one by one,
    /// so that each is let go.
    fn let_work_go(&mut self) {
        for future in std::mem::take(&mut self.work) {
            if caught(|| drop(future)).is_err() {
                self.account.count_panic();
            }
        }
    }

    fn farewell(&self) -> Settle {
        let (reply, _) = std::sync::mpsc::sync_channel(1);
        let deadline = Deadline::after(now(), self.shutdown_timeout);
        Settle { deadline, shutdown: true, reply }
    }
}

fn not_in_time(account: &Account) -> ExportError {
    let text = format!("{} items were not delivered in time", account.ledger().held);
    ExportError::new(ErrorKind::Timeout, text)
}
