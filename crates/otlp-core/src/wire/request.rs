//! The envelopes of a request, walked at the byte level: counting and splitting.
//!
//! The three signals have the same envelopes: a request holds resource envelopes (field 1), each
//! of them scope envelopes (field 2), each of them items (field 2). Walking them reads one key and
//! one length per item; what is in an item, a resource or a scope is not looked at.

mod cursor;
mod fields;
mod split;

use self::cursor::{Cursor, Level};
pub use self::fields::{RopeField, RopeFields};
pub use self::split::split;

use super::WireError;
use crate::payload::Rope;
use crate::signal::Signal;

/// Counts the spans, log records or metric data points of a request.
///
/// Costs a few nanoseconds per item and no allocation.
///
/// # Errors
///
/// The envelopes are not well-formed. For metrics the walk goes down to the data points, so a
/// metric that is not well-formed is an error too.
pub fn count_items(signal: Signal, request: &Rope) -> Result<usize, WireError> {
    let mut count = 0usize;
    let mut request = Cursor::new(request);
    while let Some(mut resource) = request.next_child(Level::REQUEST)? {
        while let Some(mut scope) = resource.next_child(Level::RESOURCE)? {
            while let Some(item) = scope.next_child(Level::SCOPE)? {
                count = count.saturating_add(weight(signal, item)?);
            }
        }
    }
    Ok(count)
}

/// Counts the items of the protocol's count in `item`, the message of one child of a scope envelope: the
/// data points of a metric; 1 for a span or a log record, which is not looked into.
///
/// # Errors
///
/// A metric that is not well-formed.
pub fn count_in_item(signal: Signal, item: &Rope) -> Result<usize, WireError> {
    weight(signal, Cursor::new(item))
}

/// How many items of the protocol's count a child of a scope envelope is.
fn weight(signal: Signal, item: Cursor<'_>) -> Result<usize, WireError> {
    if signal.counts_points() { count_points(item) } else { Ok(1) }
}

/// Counts the data points of a metric.
///
/// The data is a `oneof`: fields of the same kind merge, another kind replaces what was there.
fn count_points(mut metric: Cursor<'_>) -> Result<usize, WireError> {
    let (mut kind, mut count) = (0, 0usize);
    while let Some((number, mut data)) = metric.next_message(Level::METRIC)? {
        if number != kind {
            (kind, count) = (number, 0);
        }
        while data.next_child(Level::DATA)?.is_some() {
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}

#[cfg(test)]
mod tests;
