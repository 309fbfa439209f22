//! The application, instrumented with `tracing` alone.

use std::error::Error;
use std::fmt;

use tracing::{debug, error, info, instrument, trace, warn};

use crate::courier;

/// How many orders there are, of which the last cannot be served.
pub(crate) const ORDERS: u64 = 3;

/// A day of the shop.
pub(crate) fn open() {
    // Outside of every span: a record without a trace.
    info!(orders = ORDERS, "the shop is open");
    for order in 1..=ORDERS {
        if let Err(error) = place(order) {
            warn!(order, %error, "an order was cancelled");
        }
    }
}

/// One order: a trace, with the order's number on every record that is made in it.
#[instrument(name = "place order", skip_all, fields(order.id = order, otel.kind = "server"))]
fn place(order: u64) -> Result<(), SoldOut> {
    trace!("a record that the layer's filter leaves out");
    debug!(items = 3, express = order.is_multiple_of(2), "cart is complete");
    reserve(order).inspect_err(|sold_out| {
        // Sets the status of the span, and its causes come with it.
        error!(error = sold_out as &dyn Error, "order failed");
    })?;
    courier::deliver(order);
    info!("order is on its way");
    Ok(())
}

#[instrument(name = "reserve stock", skip_all, fields(shelf))]
fn reserve(order: u64) -> Result<(), SoldOut> {
    // A field that is known later.
    tracing::Span::current().record("shelf", format!("A{order}"));
    info!("stock is reserved");
    if order < ORDERS { Ok(()) } else { Err(SoldOut { order, cause: Broken }) }
}

/// Nothing is left.
#[derive(Debug)]
struct SoldOut {
    order: u64,
    cause: Broken,
}

impl fmt::Display for SoldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "order {}: the item is sold out", self.order)
    }
}

impl Error for SoldOut {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.cause)
    }
}

#[derive(Debug)]
struct Broken;

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the last one is broken")
    }
}

impl Error for Broken {}
