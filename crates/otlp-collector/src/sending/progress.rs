//! Whether a destination takes what it is sent.

use std::time::Instant;

use otlp_core::export::Outcome;
use otlp_core::export::text::printable_within;
use parking_lot::Mutex;

use crate::clock::now;

/// How it went with a destination lately.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ProgressSnapshot {
    /// When it last took a request, or a part of one.
    pub last_success: Option<Instant>,
    /// Since when no attempt has succeeded; `None` when the last one has.
    pub failing_since: Option<Instant>,
    /// What the last attempt failed with, and when, also if one has succeeded since.
    pub last_error: Option<(Instant, String)>,
}

/// The same, as it is written down attempt by attempt.
#[derive(Debug, Default)]
pub(super) struct Progress(Mutex<ProgressSnapshot>);

impl Progress {
    /// Writes down what an attempt has led to.
    pub(super) fn note(&self, outcome: &Outcome) {
        let now = now();
        let error = outcome.error().map(|error| printable_within(&error.to_string(), TEXT_MAX));
        let mut progress = self.0.lock();
        match error {
            None => {
                progress.last_success = Some(now);
                progress.failing_since = None;
            }
            Some(error) => {
                progress.failing_since.get_or_insert(now);
                progress.last_error = Some((now, error));
            }
        }
    }

    pub(super) fn snapshot(&self) -> ProgressSnapshot {
        self.0.lock().clone()
    }
}

/// Bytes of an error that are kept.
const TEXT_MAX: usize = 512;
