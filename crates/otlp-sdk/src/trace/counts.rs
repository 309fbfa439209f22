//! What is counted when spans start and end, and what the counts say.

use opentelemetry::trace::SpanContext;

use super::sampler::Decision;
use crate::pipeline::Ledger;
use crate::provider::Counts;

/// Which count a span moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    /// It was started (semantic conventions, `otel.sdk.span.started`).
    Started(Origin, Decision),
    /// It was started after shutdown.
    AfterShutdown,
    /// Not a new span: one that has ended without part of what was set.
    Limited,
}

/// Where the parent of a span is (`otel.span.parent.origin`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    None,
    Local,
    Remote,
}

impl Origin {
    #[inline]
    pub(crate) fn of(parent: Option<&SpanContext>) -> Self {
        match parent {
            None => Self::None,
            Some(parent) if parent.is_remote() => Self::Remote,
            Some(_) => Self::Local,
        }
    }
}

impl Counted {
    /// Its place among the counts.
    #[inline]
    pub(crate) const fn at(self) -> usize {
        match self {
            Self::Started(origin, decision) => started_at(origin, decision),
            Self::AfterShutdown => STARTED,
            Self::Limited => STARTED + 1,
        }
    }
}

#[inline]
const fn started_at(origin: Origin, decision: Decision) -> usize {
    let decision = match decision {
        Decision::Drop => 0,
        Decision::RecordOnly => 1,
        Decision::RecordAndSample => 2,
    };
    DECISIONS * origin as usize + decision
}

/// Puts into an account what only the tracer knows.
pub(crate) fn add_to(ledger: &mut Ledger, counts: &Counts) {
    let of = |counted: Counted| counts.get(counted.at()).copied().unwrap_or(0);
    let started = |decision| {
        ORIGINS.iter().map(|origin| of(Counted::Started(*origin, decision))).sum::<u64>()
    };
    ledger.started_after_shutdown = of(Counted::AfterShutdown);
    ledger.sampled_out = started(Decision::Drop);
    ledger.record_only = started(Decision::RecordOnly);
    ledger.limited = of(Counted::Limited);
    ledger.created = started(Decision::RecordAndSample)
        + ledger.sampled_out
        + ledger.record_only
        + ledger.started_after_shutdown;
}

const ORIGINS: [Origin; 3] = [Origin::None, Origin::Local, Origin::Remote];
const DECISIONS: usize = 3;
/// Counts of started spans.
const STARTED: usize = ORIGINS.len() * DECISIONS;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_count_has_a_place_of_its_own() {
        let decisions = [Decision::Drop, Decision::RecordOnly, Decision::RecordAndSample];
        let started = ORIGINS.iter().flat_map(|origin| {
            decisions.iter().map(|decision| Counted::Started(*origin, *decision))
        });
        let others = [Counted::AfterShutdown, Counted::Limited];
        let mut places: Vec<_> = started.chain(others).map(Counted::at).collect();
        places.sort_unstable();
        assert_eq!(places, (0..STARTED + 2).collect::<Vec<_>>());
        assert!(places.len() <= Counts::default().len());
    }

    #[test]
    fn every_span_is_created_and_in_one_class_at_most() {
        let mut counts = Counts::default();
        for (at, count) in counts.iter_mut().enumerate() {
            *count = 1 << at;
        }
        let mut ledger = Ledger::default();
        add_to(&mut ledger, &counts);
        assert_eq!(ledger.sampled_out, 0b001_001_001);
        assert_eq!(ledger.record_only, 0b010_010_010);
        assert_eq!(ledger.started_after_shutdown, 1 << 9);
        assert_eq!(ledger.limited, 1 << 10);
        assert_eq!(ledger.created, (1 << 10) - 1);
    }
}
