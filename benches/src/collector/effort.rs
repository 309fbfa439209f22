//! How long the rows of collectors run.

use std::time::Duration;

/// Rounds and times.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Rounds; ratios are taken within a round.
    pub rounds: usize,
    /// Load before anything is measured.
    pub warm_up: Duration,
    /// Load while it is measured.
    pub time: Duration,
    /// How long a collector has nothing to do before its idle memory is read.
    pub idle: Duration,
    /// Rounds under overload.
    pub overload_rounds: usize,
    /// How long the overload lasts.
    pub overload: Duration,
}

impl Effort {
    /// What published figures are made with.
    pub const FULL: Self = Self {
        rounds: 7,
        warm_up: Duration::from_secs(1),
        time: Duration::from_secs(5),
        idle: Duration::from_secs(2),
        overload_rounds: 1,
        overload: Duration::from_secs(60),
    };

    /// All rows within six minutes with three collectors.
    pub const QUICK: Self = Self {
        rounds: 3,
        warm_up: Duration::from_millis(300),
        time: Duration::from_millis(1_500),
        idle: Duration::from_millis(500),
        overload_rounds: 1,
        overload: Duration::from_secs(10),
    };

    /// To see that the program works. The figures mean nothing.
    pub const SMOKE: Self = Self {
        rounds: 1,
        warm_up: Duration::from_millis(20),
        time: Duration::from_millis(200),
        idle: Duration::from_millis(20),
        overload_rounds: 1,
        overload: Duration::from_millis(300),
    };
}
