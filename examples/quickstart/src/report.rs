//! What arrived, as trees, and the account.

use std::io::{self, Write};

use otlp_sdk::Ledger;
use otlp_testing::{Counts, Server, SpanRecord, TraceTree, Transport};

/// Prints everything; whether every span is accounted for.
pub(crate) fn print(server: &Server, ledgers: &[(&str, Ledger)]) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    let spans: Vec<SpanRecord> = server.spans().into_iter().map(|span| span.record).collect();
    for tree in TraceTree::all(&spans) {
        writeln!(out, "{tree}")?;
    }
    for (service, ledger) in ledgers {
        writeln!(out, "{service:<11} {ledger}")?;
    }
    for (name, transport) in [("gRPC", Transport::Grpc), ("HTTP", Transport::Http)] {
        let Counts { items, accepted, wire_bytes, .. } = server.counts_of(transport);
        writeln!(
            out,
            "server      {items} spans arrived over {name}, requests: {accepted}, bytes: {wire_bytes}"
        )?;
    }
    let services: Vec<String> = spans.iter().map(SpanRecord::service_name).collect();
    let arrived: Vec<&str> = services.iter().map(String::as_str).collect();
    let account = Account::of(&arrived, server.duplicate_spans().len(), ledgers);
    writeln!(out, "unaccounted={}", account.unaccounted)?;
    Ok(account.is_exact())
}

/// What the ledgers say against what arrived.
struct Account {
    arrived: usize,
    duplicates: usize,
    unaccounted: u64,
}

impl Account {
    /// `arrived` has the service of each span that arrived.
    fn of(arrived: &[&str], duplicates: usize, ledgers: &[(&str, Ledger)]) -> Self {
        let strangers = arrived.iter().filter(|of| ledgers.iter().all(|(known, _)| known != *of));
        let of_services = ledgers.iter().map(|(service, ledger)| {
            let arrived = arrived.iter().filter(|of| *of == service).count();
            unaccounted(arrived, ledger).unsigned_abs()
        });
        let unaccounted = of_services.sum::<u64>() + strangers.count() as u64;
        Self { arrived: arrived.len(), duplicates, unaccounted }
    }

    /// Whether something arrived, nothing twice, and every span is accounted for.
    fn is_exact(&self) -> bool {
        self.arrived > 0 && self.duplicates == 0 && self.unaccounted == 0
    }
}

/// What ended in a service and neither arrived at the server nor has a name in the ledger; below
/// zero, more arrived than the ledger knows of.
fn unaccounted(arrived: usize, ledger: &Ledger) -> i64 {
    let count = |items: u64| i64::try_from(items).unwrap_or(i64::MAX);
    let named = [ledger.dropped_total(), ledger.rejected, ledger.held, arrived as u64];
    named.into_iter().map(count).fold(count(ledger.ended), i64::saturating_sub)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ledger(ended: u64, delivered: u64) -> Ledger {
        let mut ledger = Ledger::default();
        (ledger.ended, ledger.delivered) = (ended, delivered);
        ledger
    }

    fn is_exact(arrived: &[&str], duplicates: usize, ledgers: &[(&str, Ledger)]) -> bool {
        Account::of(arrived, duplicates, ledgers).is_exact()
    }

    #[test]
    fn ledgers_that_match_what_arrived_are_exact() {
        let ledgers = [("a", ledger(2, 2)), ("b", ledger(1, 1))];
        assert!(is_exact(&["a", "b", "a"], 0, &ledgers));
    }

    #[test]
    fn losses_with_a_name_are_exact() {
        let mut ledger = ledger(6, 1);
        (ledger.rejected, ledger.held) = (2, 3);
        assert!(is_exact(&["a"], 0, &[("a", ledger)]));
    }

    #[test]
    fn a_span_that_is_nowhere_is_not_exact() {
        // The ledger believes that it was delivered, the server knows better.
        let account = Account::of(&["a"], 0, &[("a", ledger(2, 2))]);
        assert_eq!(account.unaccounted, 1);
        assert!(!account.is_exact());
    }

    #[test]
    fn a_span_that_never_ended_is_not_exact() {
        assert!(!is_exact(&["a", "a"], 0, &[("a", ledger(1, 1))]));
    }

    #[test]
    fn a_surplus_of_one_service_does_not_hide_a_loss_of_another() {
        let ledgers = [("a", ledger(2, 2)), ("b", ledger(1, 1))];
        let account = Account::of(&["a", "b", "b"], 0, &ledgers);
        assert_eq!(account.unaccounted, 2);
        assert!(!account.is_exact());
    }

    #[test]
    fn spans_of_nobody_we_know_are_not_exact() {
        assert!(!is_exact(&["a", "stranger"], 0, &[("a", ledger(1, 1))]));
    }

    #[test]
    fn a_duplicate_is_not_exact() {
        assert!(!is_exact(&["a", "a"], 1, &[("a", ledger(2, 2))]));
    }

    #[test]
    fn nothing_at_all_is_not_exact() {
        assert!(!is_exact(&[], 0, &[("a", ledger(0, 0))]));
    }
}
