//! What became of everything, signal by signal.

use std::fmt;

use otlp_core::Signal;

use crate::pipeline::Ledger;

/// What became of every span, data point and log record: a consistent picture of each signal.
///
/// With two exporters of a signal each item is owed to both and counts twice; the providers' own `ledgers`
/// tell them apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ledgers {
    /// Of the spans.
    pub traces: Ledger,
    /// Of the data points.
    pub metrics: Ledger,
    /// Of the log records.
    pub logs: Ledger,
}

impl Ledgers {
    /// The account of one signal; an empty one for a signal that the SDK does not know.
    #[must_use]
    pub fn of(&self, signal: Signal) -> Ledger {
        match signal {
            Signal::Traces => self.traces,
            Signal::Metrics => self.metrics,
            Signal::Logs => self.logs,
            _ => Ledger::default(),
        }
    }

    /// What is missing in the accounts of all signals: zero unless we have a bug.
    #[must_use]
    pub fn unaccounted(&self) -> i128 {
        Signal::ALL.iter().map(|signal| self.of(*signal).unaccounted()).sum()
    }
}

impl fmt::Display for Ledgers {
    /// A line for each signal that was used, `traces: ended 10 = delivered 10 + …; unaccounted=0`; that of
    /// the traces if none was.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let used = |signal: &&Signal| self.of(**signal) != Ledger::default();
        let mut separator = "";
        for signal in Signal::ALL.iter().filter(used) {
            write!(f, "{separator}{signal}: {}", self.of(*signal))?;
            separator = "\n";
        }
        if separator.is_empty() {
            write!(f, "{}: {}", Signal::Traces, self.traces)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_signal_that_was_used_has_a_line() {
        let used = Ledger { ended: 1, delivered: 1, ..Ledger::default() };
        let text = "ended 1 = delivered 1 + rejected 0 + dropped 0 + held 0; unaccounted=0";
        let ledgers = Ledgers { logs: used, ..Ledgers::default() };
        assert_eq!(ledgers.to_string(), format!("logs: {text}"));
        let ledgers = Ledgers { traces: used, ..ledgers };
        assert_eq!(ledgers.to_string(), format!("traces: {text}\nlogs: {text}"));
        assert!(Ledgers::default().to_string().starts_with("traces: ended 0 "));
    }

    #[test]
    fn what_is_missing_anywhere_shows() {
        let missing = Ledger { ended: 2, ..Ledger::default() };
        let ledgers = Ledgers { metrics: missing, ..Ledgers::default() };
        assert_eq!((ledgers.unaccounted(), ledgers.of(Signal::Metrics).ended), (2, 2));
    }
}
