//! The node of a pipeline that hands batches to an exporter.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use otlp_core::Payload;
use otlp_core::export::{BoxedExporter, Deadline, ErrorKind, ExportError, Exporter as _, Outcome};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::account::{Account, Counters, Owed};
use super::delivery::Deliveries;
use super::progress::{Progress, ProgressSnapshot};
use super::queue::{Entry, Queue, Refused, Reply, Room};
use super::settings::{BatchSettings, QueueSettings, QueueSizer, SendingSettings, SettingsError};
use super::storage::{Kept, MemoryStorage, Storage};
use super::voice::Voice;
use crate::consumer::{Answer, Batch, Consumer};
use crate::gathering::{Gathered, Part, in_time, is_taken};
use crate::under_way::UnderWay;

/// Sends batches of one signal through an exporter: see [the module](super).
///
/// Dropped without a [`shutdown`](Self::shutdown) it gives up what it holds.
pub struct Sender {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Debug)]
struct Shared {
    deliveries: Deliveries,
    /// `None` where each batch is delivered before it is answered for.
    queue: Option<Queue>,
    /// Where the queue keeps what waits.
    storage: Arc<dyn Storage>,
    /// Nothing more is taken.
    is_closed: AtomicBool,
    /// Deliveries in the tasks of those who wait for them.
    under_way: UnderWay,
}

impl Sender {
    /// Starts the tasks that send, on the current Tokio runtime, which needs time and whatever the exporter
    /// needs. What waits is in memory.
    ///
    /// # Errors
    ///
    /// The settings do not go together.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn start(
        exporter: BoxedExporter,
        settings: SendingSettings,
    ) -> Result<Self, SettingsError> {
        let name = exporter.component_type();
        Self::start_with(name, exporter, settings, Arc::new(MemoryStorage))
    }

    /// Starts by a name for messages, and with another place for what waits.
    ///
    /// # Errors
    ///
    /// As for [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn start_with(
        name: &str,
        exporter: BoxedExporter,
        settings: SendingSettings,
        storage: Arc<dyn Storage>,
    ) -> Result<Self, SettingsError> {
        settings.check()?;
        let QueueSettings { enabled, num_consumers, queue_size, sizer, .. } = settings.queue;
        let batch = settings.queue.batch.clone();
        let shared = Arc::new(Shared {
            storage,
            queue: enabled.then(|| Queue::new(sizer, queue_size.get())),
            is_closed: AtomicBool::new(false),
            under_way: UnderWay::default(),
            deliveries: Deliveries {
                voice: Voice::new(name, &exporter.destination()),
                exporter,
                settings,
                counters: Counters::default(),
                progress: Progress::default(),
                stop: watch::Sender::new(None),
            },
        });
        let mut tasks = JoinSet::new();
        match batch {
            _ if !enabled => {}
            Some(batch) => {
                let shared = Arc::clone(&shared);
                tasks.spawn(async move { shared.send_batches(&batch, num_consumers.get()).await });
            }
            None => {
                for _ in 0..num_consumers.get() {
                    let shared = Arc::clone(&shared);
                    tasks.spawn(async move { shared.send_each().await });
                }
            }
        }
        Ok(Self { shared, tasks: Mutex::new(tasks) })
    }

    /// What became of everything so far.
    #[must_use]
    pub fn account(&self) -> Account {
        self.shared.deliveries.counters.account()
    }

    /// When it last got something through, and what has failed since.
    #[must_use]
    pub fn progress(&self) -> ProgressSnapshot {
        self.shared.deliveries.progress.snapshot()
    }

    /// What messages call the destination.
    #[must_use]
    pub fn destination(&self) -> String {
        self.shared.deliveries.exporter.destination()
    }

    /// The counters themselves, which outlive the sender.
    #[cfg(test)]
    pub(super) fn counters(&self) -> Counters {
        self.shared.deliveries.counters.clone()
    }

    /// What waits in the queue, in units of its sizer, and most that may; zero without a queue.
    #[must_use]
    pub fn queue_size(&self) -> (usize, usize) {
        self.shared.queue.as_ref().map_or((0, 0), Queue::size)
    }

    /// The units of [`queue_size`](Self::queue_size); `None` without a queue.
    #[must_use]
    pub fn queue_sizer(&self) -> Option<QueueSizer> {
        self.shared.queue.as_ref().map(Queue::sizer)
    }

    /// Whoever waits for the delivery of a batch has his answer by then: before the end, while his connection is still
    /// there. What waits in a queue that has answered has more time.
    pub(crate) fn answer_by(&self, deadline: Deadline) {
        if !self.holds() {
            self.shared.deliveries.stop.send_replace(Some(deadline));
        }
    }

    /// Takes nothing more, sends what waits, and ends. What is not delivered by `deadline` is given up and
    /// counted as failed. A second call waits for nothing.
    pub async fn shutdown(&self, deadline: Deadline) {
        self.shared.is_closed.store(true, Ordering::Release);
        self.shared.deliveries.stop.send_replace(Some(deadline));
        if let Some(queue) = &self.shared.queue {
            queue.close();
        }
        let mut tasks = std::mem::take(&mut *self.tasks.lock());
        // Each delivery ends by the deadline; a task that does not is an exporter that blocks its thread.
        while tasks.join_next().await.is_some() {}
        self.shared.under_way.until_empty().await;
        let _ = self.shared.deliveries.exporter.shutdown(deadline).await;
    }
}

impl Consumer for Sender {
    fn holds(&self) -> bool {
        self.shared.queue.is_some() && !self.shared.deliveries.settings.queue.wait_for_result
    }

    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        Box::pin(self.shared.take(batch, deadline))
    }
}

impl Shared {
    async fn take(&self, batch: Batch, deadline: Deadline) -> Outcome {
        let items = batch.payload().items();
        let counters = &self.deliveries.counters;
        if batch.is_repeated() {
            counters.comes_again(items);
        }
        let Some(queue) = &self.queue else {
            if self.is_closed.load(Ordering::Acquire) {
                counters.refused(items);
                return ended();
            }
            let _trip = self.under_way.begin();
            let owed = counters.received(items, false);
            let delivery = self.deliveries.deliver(batch.payload(), owed, deadline).await;
            if !is_taken(&delivery.outcome) {
                counters.repeatable(delivery.settled);
            }
            return delivery.outcome;
        };
        let (reply, answer) = match self.deliveries.settings.queue.wait_for_result {
            true => Some(oneshot::channel()).unzip(),
            false => (None, None),
        };
        if let Err(refusal) = self.enqueue(queue, batch, Reply(reply), deadline).await {
            counters.refused(items);
            return refusal;
        }
        match answer {
            None => Outcome::delivered(),
            Some(answer) => in_time(answer, deadline).await.unwrap_or_else(ended),
        }
    }

    async fn enqueue(
        &self,
        queue: &Queue,
        batch: Batch,
        reply: Reply,
        deadline: Deadline,
    ) -> Result<(), Outcome> {
        let items = batch.payload().items();
        let is_answered = reply.0.is_none();
        let room = self.room(queue, batch.payload(), deadline).await?;
        let kept = self.storage.keep(batch).await.map_err(Outcome::retryable)?;
        let take_on = || self.deliveries.counters.received(items, is_answered);
        queue.push(room, kept, reply, take_on).map_err(refusal)
    }

    /// Room in the queue; waits for it if that is what is to be done.
    async fn room<'q>(
        &self,
        queue: &'q Queue,
        payload: &Payload,
        deadline: Deadline,
    ) -> Result<Room<'q>, Outcome> {
        let room = match queue.reserve(payload) {
            Err(Refused::Full) if self.deliveries.settings.queue.block_on_overflow => {
                let room = queue.wait_for_room(payload);
                match deadline.instant() {
                    None => room.await,
                    Some(at) => {
                        tokio::time::timeout_at(at.into(), room).await.unwrap_or(Err(Refused::Full))
                    }
                }
            }
            reserved => reserved,
        };
        room.map_err(refusal)
    }

    /// What waited, to be sent. What the storage has lost is given up.
    async fn bring(&self, kept: Box<dyn Kept>) -> Result<Batch, Outcome> {
        kept.bring().await.map_err(|error| {
            tracing::error!(target: "otlp_collector", "sending_queue: what waited is lost: {error}");
            Outcome::permanent(error)
        })
    }

    /// Sends one request after the other.
    async fn send_each(&self) {
        let Some(queue) = &self.queue else { return };
        let counters = &self.deliveries.counters;
        while let Some(Entry { kept, owed, reply, .. }) = queue.pop().await {
            match self.bring(kept).await {
                Ok(batch) => {
                    let payload = batch.payload();
                    let delivery = self.deliveries.deliver(payload, owed, Deadline::NEVER).await;
                    reply.send(&delivery.outcome, delivery.settled, counters);
                }
                Err(outcome) => reply.send(&outcome, 0, counters),
            }
        }
    }

    /// Puts requests together and sends them, so many at a time.
    async fn send_batches(self: Arc<Self>, settings: &BatchSettings, concurrency: usize) {
        let Some(queue) = &self.queue else { return };
        let places = Arc::new(Semaphore::new(concurrency));
        let (mut gathered, mut sending) = (Gathered::default(), JoinSet::new());
        let mut flush_at = None;
        loop {
            let overdue = async {
                match flush_at {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let (enough, ended) = tokio::select! {
                entry = queue.pop() => match entry {
                    Some(entry) => (self.gather(entry, &mut gathered, settings).await, false),
                    None => (true, true),
                },
                () = overdue => (true, false),
                Some(_) = sending.join_next() => continue,
            };
            if enough {
                flush_at = None;
                for part in std::mem::take(&mut gathered).into_parts(settings.limit()) {
                    // While all places are taken the queue fills, which is the bound.
                    let place = Arc::clone(&places).acquire_owned().await;
                    let shared = Arc::clone(&self);
                    sending.spawn(async move {
                        shared.send_part(part).await;
                        drop(place);
                    });
                }
            } else if flush_at.is_none() && !gathered.is_empty() {
                flush_at = Some(Instant::now() + settings.flush_timeout.min(FLUSH_MAX));
            }
            if ended {
                break;
            }
        }
        while sending.join_next().await.is_some() {}
    }

    /// Puts a batch together with others, and says whether that is enough.
    async fn gather(
        &self,
        Entry { kept, owed, reply, .. }: Entry,
        gathered: &mut Gathered<Owed>,
        settings: &BatchSettings,
    ) -> bool {
        match self.bring(kept).await {
            Ok(batch) => gathered.add(batch, owed, reply.0),
            Err(outcome) => reply.send(&outcome, 0, &self.deliveries.counters),
        }
        settings.is_enough(gathered.items(), gathered.bytes())
    }

    async fn send_part(&self, mut part: Part<Owed>) {
        let Some(owed) = part.take_debt() else { return };
        let delivery = self.deliveries.deliver(part.payload(), owed, Deadline::NEVER).await;
        let repeatable = part.end(&delivery.outcome, delivery.settled);
        self.deliveries.counters.repeatable(repeatable);
    }
}

fn refusal(refused: Refused) -> Outcome {
    match refused {
        Refused::Full => full(),
        Refused::TooLarge => larger_than_the_queue(),
        Refused::Closed => ended(),
    }
}

fn full() -> Outcome {
    refused(ErrorKind::Other, "the sending queue is full")
}

fn ended() -> Outcome {
    refused(ErrorKind::AlreadyShutdown, "the exporter is shutting down")
}

fn larger_than_the_queue() -> Outcome {
    let error = "the request is larger than the whole sending queue";
    Outcome::TooLarge { error: ExportError::new(ErrorKind::RequestTooLarge, error) }
}

fn refused(kind: ErrorKind, text: &'static str) -> Outcome {
    Outcome::retryable(ExportError::new(kind, text))
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("exporter", &self.shared.deliveries.exporter)
            .field("account", &self.account())
            .finish_non_exhaustive()
    }
}

/// A time to flush that is further away is none.
const FLUSH_MAX: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
