//! All collectors in turn, round by round.

use super::contestant::{Program, Who};
use super::course::{Course, Gauge, Sample};
use super::effort::Effort;
use super::rows::Row;
use crate::report::Figures;
use crate::rounds::Rounds;
use crate::subject::Failure;

/// Who takes part; ours is the first.
pub type Field = [(Who, Program)];

/// What all rounds of a course have given.
#[derive(Clone, Debug)]
pub struct Results {
    samples: Vec<(Who, Vec<Sample>)>,
}

/// Checks each collector, then measures all of them in rounds; who begins a round turns.
///
/// # Errors
///
/// A process failed, or spans were lost or damaged. The error says with whom.
pub fn run(course: Course, field: &Field, effort: &Effort) -> Result<Results, Failure> {
    let field: Vec<_> = field.iter().filter(|(who, _)| course.admits(*who)).collect();
    for (who, program) in &field {
        course.check(program).map_err(|error| format!("{}: {error}", who.name()))?;
    }
    let mut samples: Vec<_> = field.iter().map(|(who, _)| (*who, Vec::new())).collect();
    let rounds = if course == Course::Overload { effort.overload_rounds } else { effort.rounds };
    for round in 0..rounds {
        for turn in 0..field.len() {
            let index = (round + turn) % field.len();
            let (Some((who, program)), Some((_, samples))) =
                (field.get(index), samples.get_mut(index))
            else {
                continue;
            };
            let sample = course.run(program, *who, effort);
            samples.push(sample.map_err(|error| format!("{}: {error}", who.name()))?);
        }
    }
    Ok(Results { samples })
}

impl Results {
    /// The figures of a row, one against each peer; without peers those of ours alone.
    #[must_use]
    pub fn figures(&self, row: &Row) -> Vec<Figures> {
        let Some((ours, peers)) = self.samples.split_first() else { return Vec::new() };
        let ours = values(&ours.1, row.gauge);
        if peers.is_empty() {
            let nothing = vec![f64::NAN; ours.len()];
            let rounds = Rounds { ours, peer: nothing, notes: Vec::new() };
            return Figures::new(row.name, row.unit, NOBODY, &rounds).into_iter().collect();
        }
        let against = |(who, samples): &(Who, Vec<Sample>)| {
            let peer = values(samples, row.gauge);
            let rounds = Rounds { ours: ours.clone(), peer, notes: Vec::new() };
            Figures::new(row.name, row.unit, who.name(), &rounds)
        };
        peers.iter().filter_map(against).collect()
    }

    /// What there is to say of the last round of each.
    pub fn notes(&self) -> impl Iterator<Item = (Who, &str)> {
        let notes = self.samples.iter();
        notes
            .filter_map(|(who, samples)| Some((*who, samples.last()?.note.as_str())))
            .filter(|(_, note)| !note.is_empty())
    }
}

fn values(samples: &[Sample], gauge: Gauge) -> Vec<f64> {
    samples.iter().filter_map(|sample| sample.figures.get(&gauge).copied()).collect()
}

/// The peer of a row that has none. Its figures are not numbers, which JSON writes as null.
pub const NOBODY: &str = "nobody";

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(values: &[f64]) -> Vec<Sample> {
        let sample =
            |value: &f64| Sample { figures: [(Gauge::Cpu, *value)].into(), ..Sample::default() };
        values.iter().map(sample).collect()
    }

    #[test]
    fn a_row_has_figures_against_each_peer() {
        let samples = vec![
            (Who::Ours, samples(&[1.0, 2.0])),
            (Who::Prost, samples(&[6.0, 12.0])),
            (Who::Go, samples(&[10.0, 16.0])),
        ];
        let figures = Results { samples }.figures(Row::named("pass_100").unwrap());
        let ratios: Vec<_> = figures.iter().map(|one| (one.peer_name, one.ratio.median)).collect();
        assert_eq!(ratios, [("prost decode + encode", 6.0), ("Go collector", 9.0)]);
    }

    #[test]
    fn without_a_peer_there_are_our_figures_and_no_ratio() {
        let results = Results { samples: vec![(Who::Ours, samples(&[3.0]))] };
        let figures = results.figures(Row::named("pass_100").unwrap());
        assert_eq!(figures.len(), 1);
        let json = serde_json::to_value(&figures[0]).unwrap();
        assert_eq!(json["ours"]["median"], 3.0);
        assert!(json["ratio"]["median"].is_null() && json["peer"]["median"].is_null());
        assert_eq!(json["peer_name"], NOBODY);
    }
}
