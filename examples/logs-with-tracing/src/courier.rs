//! Stands for a dependency that knows neither `tracing` nor OpenTelemetry: it logs through `log`.

/// Brings the parcel of an order to its customer.
pub(crate) fn deliver(order: u64) {
    log::debug!(target: TARGET, "looking for a free courier");
    log::info!(target: TARGET, "parcel {order} is handed over");
}

/// As a crate of its own it would have its own name.
pub(crate) const TARGET: &str = "courier";
