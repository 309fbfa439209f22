//! What arrived, as trees, and the account of application and collector.

use std::io::{self, Write};

use otlp_collector::engine;
use otlp_sdk::Ledger;
use otlp_testing::{SpanRecord, TraceTree};

/// Prints everything; whether every span is accounted for.
pub(crate) fn print(
    spans: &[SpanRecord],
    services: &[(&str, Ledger)],
    collector: &engine::Ledger,
) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    for tree in TraceTree::all(spans) {
        writeln!(out, "{tree}")?;
    }
    for (service, ledger) in services {
        writeln!(out, "{service:<11} {ledger}")?;
    }
    for line in collector.to_string().lines() {
        writeln!(out, "collector   {line}")?;
    }
    let ledgers = services.iter().map(|(_, ledger)| ledger);
    let account = Account {
        on_their_way: ledgers.map(on_its_way).sum(),
        received: collector.received(),
        dropped: collector.dropped(),
        arrived: spans.len() as u64,
        of_collector: collector.unaccounted(),
    };
    writeln!(out, "unaccounted={}", account.unaccounted())?;
    Ok(account.is_exact())
}

/// What a service has ended, and of which it does not say that it has gone elsewhere.
fn on_its_way(ledger: &Ledger) -> u64 {
    let elsewhere = ledger.dropped_total() + ledger.rejected + ledger.held;
    ledger.ended.saturating_sub(elsewhere)
}

/// What one says against what the next says.
struct Account {
    /// What the services have sent.
    on_their_way: u64,
    /// What the collector has received, and dropped on purpose.
    received: u64,
    dropped: u64,
    /// What came out at its end.
    arrived: u64,
    /// What the collector itself cannot account for.
    of_collector: u128,
}

impl Account {
    fn unaccounted(&self) -> u128 {
        let kept = self.received.saturating_sub(self.dropped);
        let between = self.on_their_way.abs_diff(self.received) + kept.abs_diff(self.arrived);
        self.of_collector + u128::from(between)
    }

    /// Whether something arrived, something was dropped on purpose, and every span is accounted for.
    fn is_exact(&self) -> bool {
        self.arrived > 0 && self.dropped > 0 && self.unaccounted() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: Account =
        Account { on_their_way: 10, received: 10, dropped: 2, arrived: 8, of_collector: 0 };

    #[test]
    fn numbers_that_match_are_exact() {
        assert!(EXACT.is_exact());
    }

    #[test]
    fn a_span_that_is_missing_anywhere_is_not_exact() {
        for wrong in [
            Account { on_their_way: 11, ..EXACT },
            Account { received: 9, ..EXACT },
            Account { dropped: 3, ..EXACT },
            Account { arrived: 7, ..EXACT },
            Account { of_collector: 1, ..EXACT },
        ] {
            assert_eq!(wrong.unaccounted().min(1), 1);
            assert!(!wrong.is_exact());
        }
    }

    #[test]
    fn one_too_many_does_not_hide_one_too_few() {
        // Two surplus spans arrive at the collector, and two are lost in it.
        let account = Account { on_their_way: 8, arrived: 6, ..EXACT };
        assert_eq!(account.unaccounted(), 4);
    }

    #[test]
    fn nothing_at_all_is_not_exact() {
        let nothing =
            Account { on_their_way: 0, received: 0, dropped: 0, arrived: 0, of_collector: 0 };
        assert!(!nothing.is_exact());
    }

    #[test]
    fn what_a_service_says_has_gone_elsewhere_is_not_waited_for() {
        let mut ledger = Ledger::default();
        (ledger.ended, ledger.rejected, ledger.held) = (6, 2, 3);
        assert_eq!(on_its_way(&ledger), 1);
    }
}
