//! What comes out: a table for people, one JSON object a line for programs.

use std::io::{self, Write};

use serde::Serialize;

use crate::rounds::Rounds;
use crate::rows::Row;
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
        let pairs = rounds.ours.iter().zip(&rounds.peer);
        let ratios: Vec<f64> = pairs
            .map(
                |(&ours, &peer)| {
                    if row.more_is_better() { ratio(ours, peer) } else { ratio(peer, ours) }
                },
            )
            .collect();
        Some(Self {
            row: row.name,
            unit: row.unit,
            ours: Spread::of(&rounds.ours)?,
            peer: Spread::of(&rounds.peer)?,
            peer_name: row.peer_name,
            ratio: Spread::of(&ratios)?,
        })
    }

    /// Whether every bar of the row is reached; `None` for a row without.
    #[must_use]
    pub fn reached(&self, row: &Row) -> Option<bool> {
        if row.bars.is_empty() {
            return None;
        }
        Some(row.bars.iter().all(|bar| bar.reached(&self.ours, &self.ratio)))
    }
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
pub fn line(out: &mut impl Write, row: &Row, figures: &Figures) -> io::Result<()> {
    let bars: Vec<_> = row.bars.iter().map(ToString::to_string).collect();
    let reached = match figures.reached(row) {
        None => "",
        Some(true) => "yes",
        Some(false) => "NO",
    };
    writeln!(
        out,
        "| {} | {} | {} | {} | {} | {} | {reached} | {} |",
        row.name,
        row.unit,
        spread(&figures.ours),
        spread(&figures.peer),
        spread(&figures.ratio),
        bars.join(", "),
        row.peer_name,
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
