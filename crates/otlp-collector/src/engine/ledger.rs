//! What became of every item.

use std::fmt;

use otlp_core::Signal;

use super::entrance::EntranceCounts;
use super::parts::{ConnectorPart, Parts, PipelinePart};
use crate::config::{ComponentId, PipelineId};
use crate::fan_out::FanOut;
use crate::sending::Account;

/// What became of every item, node by node, so that what one says it has handed on can be held against what the
/// next says it has taken.
///
/// While items are under way it need not add up; after [`stop`](super::Collector::stop) it does, or we have a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledger {
    /// The pipelines.
    pub pipelines: Vec<PipelineLedger>,
    /// The exporters, each signal for itself.
    pub exporters: Vec<ExporterLedger>,
    /// What one of several branches has not taken while another has.
    pub lost: Vec<Loss>,
    total: Total,
    unaccounted: u128,
}

/// What became of the items of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PipelineLedger {
    /// Its name.
    pub id: PipelineId,
    /// What came in.
    pub counts: EntranceCounts,
    /// What its processors have dropped, by processor and reason.
    pub dropped: Vec<(String, u64)>,
    /// What its processors have answered for as taken, and still have.
    pub held: u64,
    /// What was handed on to each of its exporters and connectors.
    pub handed_on: u64,
}

/// What became of the items of an exporter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExporterLedger {
    /// Its name.
    pub id: ComponentId,
    /// What it was given.
    pub signal: Signal,
    /// The account.
    pub account: Account,
}

/// Items that one of several branches has not taken while another has.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// Where the branches begin: a receiver, a pipeline, a connector.
    pub from: String,
    /// The branch.
    pub to: String,
    /// How many.
    pub items: u64,
}

/// Everything together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Total {
    received: u64,
    /// What there is more because it went to several branches.
    copied: u64,
    refused: u64,
    dropped: u64,
    lost: u64,
    sent: u64,
    rejected: u64,
    failed: u64,
    held: u64,
    /// What arrived although its sender was told to send it again.
    repeatable: u64,
}

impl Ledger {
    pub(super) fn of(parts: &Parts) -> Self {
        let pipelines: Vec<_> = parts.pipelines.iter().map(pipeline).collect();
        let exporters: Vec<_> = parts
            .senders
            .iter()
            .map(|it| ExporterLedger {
                id: it.id.clone(),
                signal: it.signal,
                account: it.sender.account(),
            })
            .collect();
        let mut ledger = Self {
            lost: losses(parts),
            total: Total::default(),
            unaccounted: unaccounted(parts, &pipelines, &exporters),
            pipelines,
            exporters,
        };
        ledger.total = ledger.sum_up(parts);
        ledger
    }

    /// Items of which nobody can say what became of them: zero once everything has stopped.
    #[must_use]
    pub const fn unaccounted(&self) -> u128 {
        self.unaccounted
    }

    /// Items that receivers have brought, once for each pipeline.
    #[must_use]
    pub const fn received(&self) -> u64 {
        self.total.received
    }

    /// Items that processors have dropped.
    #[must_use]
    pub const fn dropped(&self) -> u64 {
        self.total.dropped
    }

    /// Writes it to the log, a line for each part.
    pub(super) fn log(&self) {
        let Total { failed, lost, .. } = self.total;
        let is_bad = failed > 0 || lost > 0 || self.unaccounted > 0;
        for line in self.to_string().lines() {
            match is_bad {
                true => tracing::warn!(target: "otlp_collector", "{line}"),
                false => tracing::info!(target: "otlp_collector", "{line}"),
            }
        }
    }

    fn sum_up(&self, parts: &Parts) -> Total {
        let mut total = Total::default();
        for (part, ledger) in parts.pipelines.iter().zip(&self.pipelines) {
            for (origin, gate) in &part.entrances {
                if parts.receivers.iter().any(|it| it.id == *origin) {
                    let counts = gate.counts();
                    total.received += counts.received;
                    total.refused += counts.refused;
                    total.held += counts.held;
                }
            }
            total.dropped += ledger.dropped.iter().map(|(_, items)| items).sum::<u64>();
            total.held += ledger.held;
            total.repeatable += part.repeatable();
            total.copied += ledger.handed_on * (part.exits.len() as u64).saturating_sub(1);
        }
        for connector in &parts.connectors {
            let branches: usize = connector.junctions.iter().map(|it| it.lost().count()).sum();
            let given = given(parts, &self.pipelines, &connector.id, connector.signal);
            total.copied += given * (branches as u64).saturating_sub(1);
        }
        for ExporterLedger { account, .. } in &self.exporters {
            total.sent += account.sent;
            total.rejected += account.rejected;
            total.failed += account.failed;
            total.held += account.held;
            total.repeatable += account.repeatable;
        }
        total.lost = self.lost.iter().map(|it| it.items).sum();
        // What one pipeline has refused for good and another has taken, nobody was told to bring again.
        let behind_receivers = self.lost.iter().filter(|it| is_receiver(parts, &it.from));
        total.refused =
            total.refused.saturating_sub(behind_receivers.map(|it| it.items).sum::<u64>());
        total
    }
}

fn is_receiver(parts: &Parts, name: &str) -> bool {
    parts.receivers.iter().any(|it| it.id.to_string() == name)
}

fn pipeline(part: &PipelinePart) -> PipelineLedger {
    let (counts, dropped) = (part.counts(), part.dropped());
    let gone = dropped.iter().map(|(_, items)| items).sum::<u64>();
    let held = part.held();
    let left = counts.taken.saturating_sub(gone).saturating_sub(held);
    let handed_on = left.saturating_add(part.repeatable());
    PipelineLedger { id: part.id.clone(), counts, dropped, held, handed_on }
}

/// What a junction's branch has not taken.
fn lost_to(junction: &FanOut, branch: &str) -> u64 {
    junction.lost().filter(|(name, _)| *name == branch).map(|(_, items)| items).sum()
}

/// What pipelines of a signal say that they have handed on to an exporter or a connector.
fn given(parts: &Parts, ledgers: &[PipelineLedger], to: &ComponentId, signal: Signal) -> u64 {
    let pipelines = parts.pipelines.iter().zip(ledgers);
    let feeding =
        pipelines.filter(|(part, _)| part.id.signal() == signal && part.exits.contains(to));
    let given = feeding.map(|(part, ledger)| {
        ledger.handed_on.saturating_sub(lost_to(&part.junction, &to.to_string()))
    });
    given.sum()
}

/// All differences between what one says and what the next says.
fn unaccounted(parts: &Parts, ledgers: &[PipelineLedger], exporters: &[ExporterLedger]) -> u128 {
    let inside = ledgers.iter().map(|PipelineLedger { counts, .. }| {
        let known = u128::from(counts.taken) + u128::from(counts.refused) + u128::from(counts.held);
        known.abs_diff(u128::from(counts.received))
    });
    let sent = exporters.iter().map(|ExporterLedger { id, signal, account }| {
        let given = given(parts, ledgers, id, *signal);
        let between = u128::from(given.abs_diff(account.taken()));
        between + account.unaccounted().unsigned_abs()
    });
    let connected = parts.connectors.iter().map(|connector| {
        difference_behind(parts, connector, given(parts, ledgers, &connector.id, connector.signal))
    });
    inside.chain(sent).chain(connected).sum()
}

/// What a connector was given, against what the pipelines behind it have taken.
fn difference_behind(parts: &Parts, connector: &ConnectorPart, given: u64) -> u128 {
    if !connector.hands_on_all {
        return 0;
    }
    let tally = connector.node.tally();
    let dropped = tally.dropped.iter().map(|(_, items)| items).sum::<u64>();
    let handed_on = given.saturating_sub(dropped).saturating_add(tally.repeatable);
    let mut difference = 0;
    for junction in &connector.junctions {
        for (branch, lost) in junction.lost() {
            let taken = taken_from(parts, &connector.id, branch);
            difference += u128::from(handed_on.abs_diff(taken.saturating_add(lost)));
        }
    }
    difference
}

/// What a pipeline has taken of what one origin has brought.
fn taken_from(parts: &Parts, origin: &ComponentId, pipeline: &str) -> u64 {
    let part = parts.pipelines.iter().find(|it| it.id.to_string() == pipeline);
    let gates = part.into_iter().flat_map(|it| &it.entrances).filter(|(id, _)| id == origin);
    gates.map(|(_, gate)| gate.counts().taken).sum()
}

fn losses(parts: &Parts) -> Vec<Loss> {
    let of = |from: String, junction: &FanOut| {
        let lost = junction.lost().filter(|(_, items)| *items > 0);
        lost.map(|(to, items)| Loss { from: from.clone(), to: to.to_owned(), items })
            .collect::<Vec<_>>()
    };
    let receivers = parts.receivers.iter().flat_map(|it| {
        it.junctions.iter().flat_map(move |junction| of(it.id.to_string(), junction))
    });
    let pipelines = parts.pipelines.iter().flat_map(|it| of(it.id.to_string(), &it.junction));
    let connectors = parts.connectors.iter().flat_map(|it| {
        it.junctions.iter().flat_map(move |junction| of(it.id.to_string(), junction))
    });
    receivers.chain(pipelines).chain(connectors).collect()
}

impl fmt::Display for Ledger {
    /// A line for each pipeline and exporter, and one for everything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for PipelineLedger { id, counts, dropped, held: kept, handed_on } in &self.pipelines {
            let EntranceCounts { received, taken, refused, held, .. } = counts;
            write!(
                f,
                "pipeline {id}: received {received} = taken {taken} + refused {refused} + held {held}"
            )?;
            write!(f, "; dropped")?;
            show_drops(f, dropped)?;
            writeln!(f, "; kept {kept}; handed on {handed_on}")?;
        }
        for ExporterLedger { id, signal, account } in &self.exporters {
            writeln!(f, "exporter {id} ({signal}): {account}")?;
        }
        for Loss { from, to, items } in &self.lost {
            writeln!(f, "lost between {from} and {to}: {items}")?;
        }
        self.show_total(f)
    }
}

impl Ledger {
    fn show_total(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total;
        write!(f, "all: received {}", total.received)?;
        for (name, items) in [("copied", total.copied), ("repeatable", total.repeatable)] {
            if items > 0 {
                write!(f, " + {name} {items}")?;
            }
        }
        write!(f, " = sent {} + refused {} + dropped", total.sent, total.refused)?;
        let dropped: Vec<_> =
            self.pipelines.iter().flat_map(|it| it.dropped.iter().cloned()).collect();
        show_drops(f, &dropped)?;
        for (name, items) in
            [("rejected", total.rejected), ("failed", total.failed), ("lost", total.lost)]
        {
            if items > 0 {
                write!(f, " + {name} {items}")?;
            }
        }
        write!(f, " + held {}; unaccounted={}", total.held, self.unaccounted)
    }
}

fn show_drops(f: &mut fmt::Formatter<'_>, dropped: &[(String, u64)]) -> fmt::Result {
    write!(f, " {}", dropped.iter().map(|(_, items)| items).sum::<u64>())?;
    if dropped.is_empty() {
        return Ok(());
    }
    let reasons: Vec<_> = dropped.iter().map(|(why, items)| format!("{why} {items}")).collect();
    write!(f, " ({})", reasons.join(", "))
}
