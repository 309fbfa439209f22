//! The log records that both sides make: events of `tracing`.

use tracing::info;

use super::address;

/// Message of every record.
pub const BODY: &str = "request handled";

/// What `tracing` takes for their target, and OTLP for the name of their scope.
pub const TARGET: &str = module_path!();

/// Logs so many records: three strings, an integer and the message.
pub fn run(records: usize) {
    (0..records).for_each(record);
}

fn record(i: usize) {
    info!(
        http.request.method = "GET",
        http.route = "/users/{id}",
        server.address = address(i),
        app.sequence = i as i64,
        "request handled",
    );
}
