//! The account of every item: where it is, or what became of it.

use std::fmt;

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
    /// The export thread could not be started, so nothing can be delivered.
    NoWorker,
}

impl DropReason {
    /// Every reason.
    pub const ALL: [Self; 9] = [
        Self::QueueFull,
        Self::TooLarge,
        Self::PermanentError,
        Self::RetriesExhausted,
        Self::EncoderFailure,
        Self::ExporterPanic,
        Self::AfterShutdown,
        Self::ShutdownTimeout,
        Self::NoWorker,
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
            Self::NoWorker => "no_worker",
        }
    }
}

/// A count per reason.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Drops([u64; DropReason::ALL.len()]);

impl fmt::Debug for Drops {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counted = self.iter().filter(|(_, count)| *count > 0);
        f.debug_map().entries(counted.map(|(reason, count)| (reason.name(), count))).finish()
    }
}

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
    /// Spans that were started, recording or not, and log records that were emitted. Zero for metrics, whose
    /// data points begin when they are collected.
    pub created: u64,
    /// Of these, what is not recorded: spans dropped by the sampler, and spans and records that are
    /// suppressed, or started without a processor, on an export thread, or too deep within a hook of a
    /// processor.
    pub sampled_out: u64,
    /// Of these, what was started after shutdown and so is not recorded (row T3).
    pub started_after_shutdown: u64,
    /// Of these, spans that are recorded for processors only and never exported.
    pub record_only: u64,
    /// Recorded spans and records that ended without some of the attributes, events or links that were set
    /// on them, because of their limits, or without an array or map that stood too deep in a value or body.
    /// They are delivered like others, with their dropped counts.
    pub limited: u64,
    /// Sampled spans that have ended, records that were emitted and data points that were collected, and so
    /// are owed to the exporter.
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

    /// What was lost since `before`: how much, and a text such as `queue_full 12, rejected 3`. What
    /// ended after shutdown does not count: nobody waited for it.
    pub(crate) fn losses_since(&self, before: &Self) -> (u64, String) {
        let drops = self.drops().filter(|(reason, _)| *reason != DropReason::AfterShutdown);
        let drops = drops
            .map(|(reason, count)| (reason.name(), count.saturating_sub(before.dropped(reason))));
        let rejected = [("rejected", self.rejected.saturating_sub(before.rejected))];
        let new = drops.chain(rejected).filter(|(_, count)| *count > 0);
        let (mut lost, mut text) = (0, String::new());
        for (name, count) in new {
            let separator = if text.is_empty() { "" } else { ", " };
            text.push_str(&format!("{separator}{name} {count}"));
            lost += count;
        }
        (lost, text)
    }

    /// `ended − delivered − rejected − dropped − held`: zero unless we have a bug.
    #[must_use]
    pub fn unaccounted(&self) -> i128 {
        let known = [self.delivered, self.rejected, self.dropped_total(), self.held];
        i128::from(self.ended) - known.iter().map(|count| i128::from(*count)).sum::<i128>()
    }
}

impl fmt::Display for Ledger {
    /// `ended 10 = delivered 7 + rejected 0 + dropped 2 (queue_full 2) + held 1; unaccounted=0`, and
    /// behind that, if there were any, items that lost a part to their limits, panics that were caught, and
    /// what was begun after the shutdown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { ended, delivered, rejected, held, .. } = self;
        write!(
            f,
            "ended {ended} = delivered {delivered} + rejected {rejected} + dropped {}",
            self.dropped_total()
        )?;
        let mut separator = " (";
        for (reason, count) in self.drops() {
            write!(f, "{separator}{} {count}", reason.name())?;
            separator = ", ";
        }
        if separator == ", " {
            f.write_str(")")?;
        }
        write!(f, " + held {held}; unaccounted={}", self.unaccounted())?;
        let others = [
            ("limited", self.limited),
            ("panics", self.panics),
            ("started after shutdown", self.started_after_shutdown),
        ];
        for (name, count) in others {
            if count > 0 {
                write!(f, "; {name} {count}")?;
            }
        }
        Ok(())
    }
}

/// What the worker has taken over from the threads, and where it is now.
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

#[cfg(not(loom))]
#[cfg(test)]
mod tests {
    use super::*;

    fn ledger() -> Ledger {
        let mut entries = Entries { held: 10, ..Entries::default() };
        entries.deliver(4, 1);
        entries.drop_held(DropReason::PermanentError, 3);
        let Entries { held, delivered, rejected, drops, .. } = entries;
        Ledger { ended: 10, held, delivered, rejected, drops, ..Ledger::default() }
    }

    #[test]
    fn every_item_has_one_place() {
        let ledger = ledger();
        assert_eq!((ledger.delivered, ledger.rejected, ledger.held), (3, 1, 3));
        assert_eq!(ledger.dropped(DropReason::PermanentError), 3);
        assert_eq!(ledger.unaccounted(), 0);
    }

    #[test]
    fn a_missing_and_an_invented_item_show() {
        assert_eq!(Ledger { ended: 11, ..ledger() }.unaccounted(), 1);
        assert_eq!(Ledger { ended: 9, ..ledger() }.unaccounted(), -1);
    }

    #[test]
    fn a_server_cannot_reject_more_than_it_was_sent() {
        let mut entries = Entries { held: 2, ..Entries::default() };
        entries.deliver(2, u64::MAX);
        assert_eq!((entries.delivered, entries.rejected, entries.held), (0, 2, 0));
    }

    #[test]
    fn it_reads_as_a_sum() {
        let text = "ended 10 = delivered 3 + rejected 1 + dropped 3 (permanent_error 3) + held 3; unaccounted=0";
        assert_eq!(ledger().to_string(), text);
        let panicked = Ledger { panics: 2, limited: 1, ..ledger() };
        assert_eq!(panicked.to_string(), format!("{text}; limited 1; panics 2"));
        assert!(format!("{panicked:?}").contains("{\"permanent_error\": 3}"));
    }

    #[test]
    fn each_reason_has_its_own_count_and_name() {
        let mut drops = Drops::NONE;
        for (count, reason) in (1..).zip(DropReason::ALL) {
            drops.add(reason, count);
        }
        let counts: Vec<_> = DropReason::ALL.into_iter().map(|reason| drops.of(reason)).collect();
        assert_eq!(counts, (1..=DropReason::ALL.len() as u64).collect::<Vec<_>>());
        let mut names: Vec<_> = DropReason::ALL.into_iter().map(DropReason::name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), DropReason::ALL.len());
    }
}
