//! Whether a pipeline does what it is there for.

use std::time::{Duration, Instant};

use super::entrance::Moments;
use super::status::{ExporterStatus, Phase};
use crate::clock::now;

/// Why a pipeline is not ready, if it is not.
pub(super) fn problem(
    phase: Phase,
    entrances: &[Moments],
    exporters: &[&ExporterStatus],
) -> Option<String> {
    match phase {
        Phase::Starting => return Some("it is starting".to_owned()),
        Phase::Stopping | Phase::Stopped => return Some("it is stopping".to_owned()),
        Phase::Running => {}
    }
    let now = now();
    let failing = exporters.iter().find_map(|it| {
        let for_long = since(it.progress.failing_since, now)?;
        let error = it.progress.last_error.as_ref().map_or("", |(_, error)| error);
        Some(format!("the exporter \"{}\" has failed for {for_long} s: {error}", it.id))
    });
    failing.or_else(|| entrances.iter().find_map(|it| stuck(it, now)))
}

/// What is wrong at an entrance.
fn stuck(moments: &Moments, now: Instant) -> Option<String> {
    if let Some(for_long) = since(moments.refusing_since, now) {
        let why = moments.last_refusal.as_ref().map_or("", |(_, why)| why);
        return Some(format!("everything has been refused for {for_long} s: {why}"));
    }
    let moved = moments.last_taken.max(moments.last_refusal.as_ref().map(|(at, _)| *at));
    let quiet = moments.busy_since.map(|busy| moved.map_or(busy, |moved| moved.max(busy)));
    let for_long = since(quiet, now)?;
    Some(format!("what is inside has not moved for {for_long} s"))
}

/// Seconds since then, if they are too many.
fn since(then: Option<Instant>, now: Instant) -> Option<u64> {
    let time = now.saturating_duration_since(then?);
    (time >= PATIENCE).then_some(time.as_secs())
}

const PATIENCE: Duration = Duration::from_secs(30);

#[cfg(test)]
mod tests {
    use super::*;

    fn entrance(set: impl FnOnce(&mut Moments, Instant)) -> Option<String> {
        let now = now();
        let long_ago = now.checked_sub(Duration::from_secs(31)).unwrap();
        let mut moments = Moments::default();
        set(&mut moments, long_ago);
        problem(Phase::Running, &[Moments::default(), moments], &[])
    }

    #[test]
    fn a_pipeline_that_nothing_comes_into_is_ready_once_the_collector_runs() {
        assert_eq!(entrance(|_, _| ()), None);
        assert!(problem(Phase::Starting, &[], &[]).is_some());
        assert!(problem(Phase::Stopping, &[], &[]).is_some());
    }

    #[test]
    fn one_that_refuses_all_or_does_not_move_is_not_ready_and_says_why() {
        let refusing = entrance(|moments, then| {
            moments.refusing_since = Some(then);
            moments.last_refusal = Some((now(), "the queue is full".to_owned()));
        });
        let text = "everything has been refused for 31 s: the queue is full";
        assert_eq!(refusing.as_deref(), Some(text));
        let stuck = entrance(|moments, then| moments.busy_since = Some(then));
        assert_eq!(stuck.as_deref(), Some("what is inside has not moved for 31 s"));
        let moving = entrance(|moments, then| {
            moments.busy_since = Some(then);
            moments.last_taken = Some(now());
        });
        assert_eq!(moving, None);
    }
}
