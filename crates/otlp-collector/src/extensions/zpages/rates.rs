//! How many items a second passed in the last minute.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::time::sleep;

use crate::clock::now;
use crate::engine::{Board, Status};

/// Counts of moments in the last minute, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Rates(VecDeque<(Instant, HashMap<String, u64>)>);

impl Rates {
    fn note(&mut self, at: Instant, counts: HashMap<String, u64>) {
        if self.0.len() >= MOMENTS {
            self.0.pop_front();
        }
        self.0.push_back((at, counts));
    }

    /// Items a second since the oldest moment, for what counts so many at `at`. `None` before there is one.
    pub(super) fn of(&self, key: &str, count: u64, at: Instant) -> Option<f64> {
        let (then, counts) = self.0.front()?;
        let seconds = at.saturating_duration_since(*then).as_secs_f64();
        // What was not there yet has counted from zero.
        let items = count.saturating_sub(counts.get(key).copied().unwrap_or_default());
        (seconds >= SHORTEST).then(|| items as f64 / seconds)
    }
}

/// Writes down the counts every ten seconds, until it is aborted.
pub(super) async fn watch(board: Board, rates: Arc<Mutex<Rates>>) {
    loop {
        let counts = counts(&board.status());
        rates.lock().note(now(), counts);
        sleep(EVERY).await;
    }
}

fn counts(status: &Status) -> HashMap<String, u64> {
    let received = status.pipelines.iter().map(|it| (pipeline(&it.id), it.counts.received));
    let sent = status.exporters.iter().map(|it| (exporter(&it.id, it.signal), it.account.sent));
    received.chain(sent).collect()
}

/// What a pipeline's count is called.
pub(super) fn pipeline(id: &crate::config::PipelineId) -> String {
    format!("pipeline {id}")
}

/// What an exporter's count is called.
pub(super) fn exporter(id: &crate::config::ComponentId, signal: otlp_core::Signal) -> String {
    format!("exporter {id} {signal}")
}

const EVERY: Duration = Duration::from_secs(10);
/// A minute, with both its ends.
const MOMENTS: usize = 7;
/// Seconds below which a rate says nothing.
const SHORTEST: f64 = 1.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_that_of_the_last_minute() {
        let mut rates = Rates::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(rates.of("a", 10, at(0)), None);
        for moment in 0..20 {
            rates.note(at(moment * 10), HashMap::from([("a".to_owned(), moment * 1000)]));
        }
        // 60 s before the last moment it was 13,000.
        assert_eq!(rates.of("a", 19_000, at(190)), Some(100.0));
        assert_eq!(rates.of("b", 60, at(190)), Some(1.0));
        assert_eq!(rates.of("a", 19_000, at(130)), None, "it is too early to say");
        assert_eq!(rates.0.len(), MOMENTS);
    }
}
