//! The account of every item: where it is, or what became of it.

use std::fmt;

use parking_lot::Mutex;

/// Why an item was dropped. Every loss has one of these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DropReason {
    /// The queue held as many bytes or items as it may.
    QueueFull,
    /// The item alone is larger than a request may be, or the server called it so.
    TooLarge,
    /// The server refused it for good, or the request could not be made.
    PermanentError,
    /// The time for retries was over.
    RetriesExhausted,
    /// The item could not be put into a valid request.
    EncoderFailure,
    /// The exporter panicked on the request that held it.
    ExporterPanic,
    /// It ended after shutdown.
    AfterShutdown,
    /// Shutdown ran out of time before it was delivered.
    ShutdownTimeout,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::QueueFull,
        Self::TooLarge,
        Self::PermanentError,
        Self::RetriesExhausted,
        Self::EncoderFailure,
        Self::ExporterPanic,
        Self::AfterShutdown,
        Self::ShutdownTimeout,
    ];

    /// The name in messages and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::TooLarge => "too_large",
            Self::PermanentError => "permanent_error",
            Self::RetriesExhausted => "retries_exhausted",
            Self::EncoderFailure => "encoder_failure",
            Self::ExporterPanic => "exporter_panic",
            Self::AfterShutdown => "after_shutdown",
            Self::ShutdownTimeout => "shutdown_timeout",
        }
    }
}

/// A count per reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Drops([u64; DropReason::ALL.len()]);

impl Drops {
    pub(crate) const NONE: Self = Self([0; DropReason::ALL.len()]);

    pub(crate) fn add(&mut self, reason: DropReason, items: u64) {
        if let Some(count) = self.0.get_mut(reason as usize) {
            *count += items;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (reason, count) in other.iter() {
            self.add(reason, count);
        }
    }

    pub(crate) fn of(&self, reason: DropReason) -> u64 {
        self.0.get(reason as usize).copied().unwrap_or(0)
    }

    pub(crate) fn total(&self) -> u64 {
        self.0.iter().sum()
    }

    fn iter(&self) -> impl Iterator<Item = (DropReason, u64)> {
        DropReason::ALL.into_iter().zip(self.0)
    }
}

/// What became of everything that ended: a consistent picture of one moment.
///
/// `ended = delivered + rejected + dropped + held` holds in every picture, and each of the five is
/// counted on its own where it happens, so [`unaccounted`](Self::unaccounted) is a check and not a
/// definition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// Spans that were started, recording or not.
    pub created: u64,
    /// Of these, spans that the sampler dropped, or that were suppressed.
    pub sampled_out: u64,
    /// Of these, spans that are recorded for processors only and never exported.
    pub record_only: u64,
    /// Sampled spans that have ended and so are owed to the exporter.
    pub ended: u64,
    /// Taken by the server.
    pub delivered: u64,
    /// Refused by the server in a partial success.
    pub rejected: u64,
    /// Still here: in a thread's buffer, in the queue, in a request, or waiting for a retry.
    pub held: u64,
    pub(crate) drops: Drops,
    /// Panics that were caught in exporters, processors, samplers and id generators.
    pub panics: u64,
}

impl Ledger {
    /// Items dropped for `reason`.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.drops.of(reason)
    }

    /// Items dropped for any reason.
    #[must_use]
    pub fn dropped_total(&self) -> u64 {
        self.drops.total()
    }

    /// Each reason that has a count, with it.
    pub fn drops(&self) -> impl Iterator<Item = (DropReason, u64)> {
        self.drops.iter().filter(|(_, count)| *count > 0)
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.ended += other.ended;
        self.delivered += other.delivered;
        self.rejected += other.rejected;
        self.held += other.held;
        self.panics += other.panics;
        self.drops.merge(&other.drops);
    }

    /// `ended − delivered − rejected − dropped − held`: zero unless we have a bug.
    #[must_use]
    pub fn unaccounted(&self) -> i128 {
        let known = [self.delivered, self.rejected, self.dropped_total(), self.held];
        i128::from(self.ended) - known.iter().map(|count| i128::from(*count)).sum::<i128>()
    }
}

impl fmt::Display for Ledger {
    /// `ended 10 = delivered 7 + rejected 0 + dropped 2 (queue_full 2) + held 1; unaccounted=0`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ended, delivered, rejected, held, .. } = self;
        write!(f, "ended {ended} = delivered {delivered} + rejected {rejected} + dropped {}", self.dropped_total())?;
        let mut separator = " (";
        for (reason, count) in self.drops() {
            write!(f, "{separator}{} {count}", reason.name())?;
            separator = ", ";
        }
        if separator == ", " {
            f.write_str(")")?;
        }
        write!(f, " + held {held}; unaccounted={}", self.unaccounted())
    }
}

/// What the worker has taken over from the threads, and where it is now.
///
/// Only the worker writes; whoever takes a picture locks it, and while it is locked nothing moves
/// from a thread's lane to the worker. That is what makes the picture consistent.
#[derive(Debug, Default)]
pub(crate) struct Account(Mutex<Entries>);

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Entries {
    /// Sums of lanes whose thread has ended.
    pub(crate) retired_ended: u64,
    pub(crate) retired_drops: Drops,
    /// In the queue, in requests, or waiting for a retry.
    pub(crate) held: u64,
    pub(crate) delivered: u64,
    pub(crate) rejected: u64,
    pub(crate) drops: Drops,
}

impl Entries {
    pub(crate) fn deliver(&mut self, items: u64, rejected: u64) {
        let rejected = rejected.min(items);
        self.held -= items;
        self.rejected += rejected;
        self.delivered += items - rejected;
    }

    pub(crate) fn drop_held(&mut self, reason: DropReason, items: u64) {
        self.held -= items;
        self.drops.add(reason, items);
    }
}

impl Account {
    pub(crate) fn lock(&self) -> parking_lot::MutexGuard<'_, Entries> {
        self.0.lock()
    }
}
