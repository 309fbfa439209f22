//! What comes out: a table for people, one JSON object a line for programs.

use std::io::{self, Write};

use serde::Serialize;

use crate::rounds::Rounds;
use crate::rows::{Bar, Row};
use crate::stats::{Spread, ratio};

/// The figures of one row. Its JSON form is what other programs read.
#[derive(Clone, Debug, Serialize)]
pub struct Figures {
    /// Name of the row.
    pub row: &'static str,
    /// Unit of both sides.
    pub unit: &'static str,
    /// Our side.
    pub ours: Spread,
    /// The peer.
    pub peer: Spread,
    /// Who the peer is.
    pub peer_name: &'static str,
    /// Within a round, peer / ours; for rates, ours / peer.
    pub ratio: Spread,
}

impl Figures {
    /// `None` when a side has no rounds.
    #[must_use]
    pub fn of(row: &Row, rounds: &Rounds) -> Option<Self> {
        let figures = Self::new(row.name, row.unit, row.peer_name, rounds)?;
        if !row.more_is_better() {
            return Some(figures);
        }
        let ratio = ratios(&rounds.peer, &rounds.ours)?;
        Some(Self { ratio, ..figures })
    }

    /// Figures of costs: less is better. `None` when a side has no rounds.
    #[must_use]
    pub fn new(
        row: &'static str,
        unit: &'static str,
        peer_name: &'static str,
        rounds: &Rounds,
    ) -> Option<Self> {
        let (ours, peer) = (Spread::of(&rounds.ours)?, Spread::of(&rounds.peer)?);
        let ratio = ratios(&rounds.ours, &rounds.peer)?;
        Some(Self { row, unit, ours, peer, peer_name, ratio })
    }

    /// Whether every bar is reached; `None` where there is none.
    #[must_use]
    pub fn reached(&self, bars: &[Bar]) -> Option<bool> {
        if bars.is_empty() {
            return None;
        }
        Some(bars.iter().all(|bar| bar.reached(&self.ours, &self.ratio)))
    }
}

/// How many times each of the first goes into its partner. A difference may be less than nothing, and
/// then counts as nothing.
fn ratios(small: &[f64], large: &[f64]) -> Option<Spread> {
    let pairs = small.iter().zip(large);
    let ratios: Vec<f64> =
        pairs.map(|(small, large)| ratio(at_least_zero(*large), at_least_zero(*small))).collect();
    Spread::of(&ratios)
}

/// What is no number stays none.
fn at_least_zero(value: f64) -> f64 {
    if value < 0.0 { 0.0 } else { value }
}

/// Writes the head of the table.
///
/// # Errors
///
/// As the writer.
pub fn head(out: &mut impl Write) -> io::Result<()> {
    writeln!(
        out,
        "| row | unit | ours min / median / max | peer min / median / max | ratio min / median / \
         max | at least | reached | peer |\n|---|---|---|---|---|---|---|---|"
    )
}

/// Writes one line of the table.
///
/// # Errors
///
/// As the writer.
pub fn line(out: &mut impl Write, bars: &[Bar], figures: &Figures) -> io::Result<()> {
    let reached = match figures.reached(bars) {
        None => "",
        Some(true) => "yes",
        Some(false) => "NO",
    };
    let bars: Vec<_> = bars.iter().map(ToString::to_string).collect();
    writeln!(
        out,
        "| {} | {} | {} | {} | {} | {} | {reached} | {} |",
        figures.row,
        figures.unit,
        spread(&figures.ours),
        spread(&figures.peer),
        spread(&figures.ratio),
        bars.join(", "),
        figures.peer_name,
    )?;
    out.flush()
}

/// Writes the JSON line of a row.
///
/// # Errors
///
/// As the writer.
pub fn json(out: &mut impl Write, figures: &Figures) -> io::Result<()> {
    serde_json::to_writer(&mut *out, figures)?;
    out.write_all(b"\n")?;
    out.flush()
}

fn spread(spread: &Spread) -> String {
    format!("{} / {} / {}", number(spread.min), number(spread.median), number(spread.max))
}

/// Three figures that matter: a span costs 83.1 ns, not 83.1234.
fn number(value: f64) -> String {
    let magnitude = value.abs();
    if value.is_infinite() {
        "∞".to_owned()
    } else if value.is_nan() {
        "-".to_owned()
    } else if magnitude >= 100.0 || magnitude == 0.0 {
        format!("{value:.0}")
    } else if magnitude >= 10.0 {
        format!("{value:.1}")
    } else if magnitude >= 1.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(ours: &[f64], peer: &[f64]) -> Rounds {
        Rounds { ours: ours.to_vec(), peer: peer.to_vec(), notes: Vec::new() }
    }

    #[test]
    fn the_ratio_is_taken_within_a_round_and_not_from_the_medians() {
        let row = Row::named("span_root10_caller").unwrap();
        let figures = Figures::of(row, &rounds(&[1.0, 10.0, 2.0], &[10.0, 20.0, 2.0])).unwrap();
        assert_eq!(figures.ratio, Spread { min: 1.0, median: 2.0, max: 10.0 });
    }

    #[test]
    fn thread_scaling_is_ours_with_two_threads_over_ours_with_one() {
        let row = Row::named("span_threads2").unwrap();
        let figures = Figures::of(row, &rounds(&[20.0], &[10.0])).unwrap();
        assert_eq!(figures.ratio.median, 2.0);
    }

    #[test]
    fn a_difference_below_zero_counts_as_nothing() {
        let figures =
            Figures::new("row", "s", "peer", &rounds(&[-0.1, 0.5], &[1.0, -1.0])).unwrap();
        assert_eq!((figures.ratio.min, figures.ratio.max), (0.0, f64::INFINITY));
        assert_eq!(figures.ours.min, -0.1);
    }

    #[test]
    fn the_json_line_has_the_agreed_keys_and_no_other() {
        let row = Row::named("loss_1m").unwrap();
        let figures = Figures::of(row, &rounds(&[0.0], &[7.0])).unwrap();
        let mut line = Vec::new();
        json(&mut line, &figures).unwrap();
        assert_eq!(
            String::from_utf8(line).unwrap(),
            "{\"row\":\"loss_1m\",\"unit\":\"spans lost\",\
             \"ours\":{\"min\":0.0,\"median\":0.0,\"max\":0.0},\
             \"peer\":{\"min\":7.0,\"median\":7.0,\"max\":7.0},\
             \"peer_name\":\"opentelemetry_sdk + opentelemetry-otlp 0.33\",\
             \"ratio\":{\"min\":null,\"median\":null,\"max\":null}}\n"
        );
    }

    #[test]
    fn a_row_without_rounds_has_no_figures() {
        let row = Row::named("loss_1m").unwrap();
        assert!(Figures::of(row, &Rounds::default()).is_none());
    }
}
