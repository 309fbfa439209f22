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
    /// Not a new span: one that was recorded and has ended, sampled or not. Only where the pipelines do not
    /// count it anyway.
    Ended { sampled: bool },
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

    const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Local => "local",
            Self::Remote => "remote",
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
            Self::Ended { sampled } => STARTED + 2 + sampled as usize,
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

/// How many spans were started, by parent and by decision, as the conventions call them.
pub(super) fn started(
    counts: &Counts,
) -> impl Iterator<Item = (&'static str, &'static str, u64)> + '_ {
    ORIGINS.iter().flat_map(move |origin| {
        RESULTS.iter().map(move |(decision, name)| {
            let at = started_at(*origin, *decision);
            (origin.name(), *name, counts.get(at).copied().unwrap_or(0))
        })
    })
}

/// How many recorded spans have not ended, by decision. `ended` is what the pipelines know of the sampled
/// ones, if it is they who do.
pub(super) fn live(
    counts: &Counts,
    ended: Option<u64>,
) -> impl Iterator<Item = (&'static str, u64)> + '_ {
    [(Decision::RecordOnly, false), (Decision::RecordAndSample, true)].into_iter().map(
        move |(decision, sampled)| {
            let of = |counted: Counted| counts.get(counted.at()).copied().unwrap_or(0);
            let started: u64 =
                ORIGINS.iter().map(|origin| of(Counted::Started(*origin, decision))).sum();
            let ended = ended.filter(|_| sampled);
            let ended = ended.unwrap_or_else(|| of(Counted::Ended { sampled }));
            (result(decision), started.saturating_sub(ended))
        },
    )
}

/// `otel.span.sampling_result`.
fn result(decision: Decision) -> &'static str {
    let named = RESULTS.iter().find(|(of, _)| *of == decision);
    named.map_or("", |(_, name)| name)
}

const RESULTS: [(Decision, &str); 3] = [
    (Decision::Drop, "DROP"),
    (Decision::RecordOnly, "RECORD_ONLY"),
    (Decision::RecordAndSample, "RECORD_AND_SAMPLE"),
];
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
        let [dropped, sampled] = [false, true].map(|sampled| Counted::Ended { sampled });
        let others = [Counted::AfterShutdown, Counted::Limited, dropped, sampled];
        let mut places: Vec<_> = started.chain(others).map(Counted::at).collect();
        places.sort_unstable();
        assert_eq!(places, (0..STARTED + 4).collect::<Vec<_>>());
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
        let started: Vec<_> = started(&counts).collect();
        assert_eq!((started.len(), started[5]), (9, ("local", "RECORD_AND_SAMPLE", 1 << 5)));
    }

    #[test]
    fn spans_live_from_their_start_to_their_end() {
        let mut counts = Counts::default();
        counts[Counted::Started(Origin::None, Decision::RecordOnly).at()] = 10;
        counts[Counted::Started(Origin::Remote, Decision::RecordAndSample).at()] = 20;
        counts[Counted::Ended { sampled: false }.at()] = 4;
        counts[Counted::Ended { sampled: true }.at()] = 5;
        let of = |ended| live(&counts, ended).collect::<Vec<_>>();
        assert_eq!(of(None), [("RECORD_ONLY", 6), ("RECORD_AND_SAMPLE", 15)]);
        assert_eq!(of(Some(7)), [("RECORD_ONLY", 6), ("RECORD_AND_SAMPLE", 13)]);
    }
}
