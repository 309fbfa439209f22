//! What arrived, as trees, and the account.

use std::io::{self, Write};

use otlp_sdk::trace::Ledger;
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
    let duplicates = server.duplicate_spans().len();
    let unaccounted = unaccounted(spans.len(), ledgers);
    writeln!(out, "unaccounted={unaccounted}")?;
    Ok(unaccounted == 0 && duplicates == 0 && !spans.is_empty())
}

/// What ended and neither arrived at the server nor has a name in a ledger.
fn unaccounted(arrived: usize, ledgers: &[(&str, Ledger)]) -> i128 {
    let sum = |count: fn(&Ledger) -> u64| -> i128 {
        ledgers.iter().map(|(_, ledger)| i128::from(count(ledger))).sum()
    };
    let named = sum(Ledger::dropped_total) + sum(|l| l.rejected) + sum(|l| l.held);
    sum(|l| l.ended) - named - arrived as i128
}
