//! What is said of a destination that does not take what it is sent.

use otlp_core::export::Outcome;

use crate::seldom::Seldom;

/// Says what goes wrong with a destination, each kind at most every ten seconds.
#[derive(Debug)]
pub(super) struct Voice {
    /// The name of the exporter, and where it sends to.
    who: String,
    again: Seldom,
    lost: Seldom,
    told: Seldom,
}

impl Voice {
    pub(super) fn new(name: &str, destination: &str) -> Self {
        let who = match name == destination {
            true => format!("exporter {name}"),
            false => format!("exporter {name} ({destination})"),
        };
        Self { who, again: Seldom::new(), lost: Seldom::new(), told: Seldom::new() }
    }

    /// An attempt has failed, and there will be another.
    pub(super) fn tries_again(&self, outcome: &Outcome) {
        self.again.warn(|| format!("{}: it will be tried again: {}", self.who, why(outcome)));
    }

    /// A request has ended. `is_lost`: nobody will bring it again.
    pub(super) fn ended(&self, outcome: &Outcome, items: usize, is_lost: bool) {
        match outcome {
            Outcome::Delivered { warning: None, .. } => {}
            Outcome::Delivered { warning: Some(warning), .. } => {
                self.told.warn(|| format!("{}: the destination says: {warning}", self.who));
            }
            Outcome::PartlyRejected { rejected, message, .. } => self.told.warn(|| {
                format!("{}: {rejected} of {items} items were rejected: {message}", self.who)
            }),
            failed if is_lost => {
                self.lost
                    .error(|| format!("{}: {items} items are lost: {}", self.who, why(failed)));
            }
            failed => self.told.warn(|| {
                format!(
                    "{}: {items} items are given back to their sender: {}",
                    self.who,
                    why(failed)
                )
            }),
        }
    }
}

fn why(outcome: &Outcome) -> String {
    outcome.error().map(ToString::to_string).unwrap_or_default()
}
