//! How long each kind of row runs: enough for a stable middle, or all rows within three minutes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::rounds::Plan;
use crate::subject::Codec;

/// Rounds and sizes.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Effort {
    /// Rows in one process.
    pub plan: Plan,
    /// Rounds of an export row.
    pub export_rounds: usize,
    /// Spans per client of an export row without gzip.
    pub export_spans: u64,
    /// Exports per client of a row about metrics.
    pub metric_exports: u64,
    /// Rounds of a loss row.
    pub loss_rounds: usize,
    /// How long a loss row produces.
    pub loss_time: Duration,
    /// How long the row without a server produces.
    pub away_time: Duration,
}

impl Effort {
    /// What published figures are made with.
    pub const FULL: Self = Self {
        plan: Plan { rounds: 15, bursts: 25 },
        export_rounds: 7,
        export_spans: 384_000,
        metric_exports: 200,
        loss_rounds: 5,
        loss_time: Duration::from_secs(4),
        away_time: Duration::from_secs(60),
    };

    /// All rows within three minutes.
    pub const QUICK: Self = Self {
        plan: Plan { rounds: 7, bursts: 10 },
        export_rounds: 3,
        export_spans: 96_000,
        metric_exports: 60,
        loss_rounds: 3,
        loss_time: Duration::from_secs(1),
        away_time: Duration::from_secs(10),
    };

    /// One short round of each row, to see that the program works. The figures mean nothing.
    pub const SMOKE: Self = Self {
        plan: Plan { rounds: 1, bursts: 1 },
        export_rounds: 1,
        export_spans: 4_096,
        metric_exports: 2,
        loss_rounds: 1,
        loss_time: Duration::from_millis(20),
        away_time: Duration::from_millis(200),
    };

    /// Spans per client of an export row: half with gzip, which costs several times the rest.
    #[must_use]
    pub fn spans(&self, codec: Codec) -> u64 {
        match codec {
            Codec::None | Codec::Zstd => self.export_spans,
            Codec::Gzip | Codec::GzipDefault => self.export_spans / 2,
        }
    }
}
