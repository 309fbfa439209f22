//! What a row must reach, and whether it does.

use std::fmt;

use crate::ours;
use crate::stats::Spread;

/// One condition on a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Bar {
    /// The middle ratio is at least this.
    Ratio(f64),
    /// Our middle value is at most this, in the row's unit.
    Ours(f64),
    /// Our value is at most this in every round, in the row's unit.
    OursAlways(f64),
    /// Our value, in MiB, is at most the queue of the default configuration and so many more.
    QueueAndMebibytes(f64),
}

impl Bar {
    /// Whether the figures reach it.
    #[must_use]
    pub fn reached(self, ours: &Spread, ratio: &Spread) -> bool {
        match self {
            Self::Ratio(least) => ratio.median >= least,
            Self::Ours(most) => ours.median <= most,
            Self::OursAlways(most) => ours.max <= most,
            Self::QueueAndMebibytes(more) => ours.max <= queue_mebibytes() + more,
        }
    }
}

impl fmt::Display for Bar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ratio(least) => write!(f, "ratio ≥ {least}"),
            Self::Ours(most) => write!(f, "ours ≤ {most}"),
            Self::OursAlways(most) => write!(f, "ours always ≤ {most}"),
            Self::QueueAndMebibytes(more) => {
                write!(f, "ours ≤ queue of {} + {more}", queue_mebibytes())
            }
        }
    }
}

fn queue_mebibytes() -> f64 {
    ours::queue_bytes() as f64 / f64::from(1 << 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIGURES: Spread = Spread { min: 1.0, median: 2.0, max: 3.0 };

    #[test]
    fn a_bar_on_every_round_looks_at_the_worst_one() {
        assert!(Bar::Ours(2.0).reached(&FIGURES, &FIGURES));
        assert!(!Bar::OursAlways(2.0).reached(&FIGURES, &FIGURES));
        assert!(Bar::OursAlways(3.0).reached(&FIGURES, &FIGURES));
    }

    #[test]
    fn an_infinite_ratio_reaches_every_bar_and_one_that_is_not_a_number_none() {
        let endless = Spread { min: 1.0, median: f64::INFINITY, max: f64::INFINITY };
        assert!(Bar::Ratio(1e9).reached(&FIGURES, &endless));
        let unknown = Spread { median: f64::NAN, ..endless };
        assert!(!Bar::Ratio(0.0).reached(&FIGURES, &unknown));
    }
}
