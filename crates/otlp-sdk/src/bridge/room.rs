//! How much memory a batch will need, as far as the one before can tell.

use otlp_core::Payload;

/// What an item of the last batch took.
#[derive(Debug, Default)]
pub(super) struct Room {
    bytes_per_item: usize,
}

impl Room {
    /// Bytes to reserve for so many items.
    pub(super) fn of(&self, items: usize) -> usize {
        self.bytes_per_item.saturating_mul(items).min(RESERVED_MAX)
    }

    /// A little more than it took, so that about the same again does not grow the buffer.
    pub(super) fn learn(&mut self, payload: &Payload) {
        self.bytes_per_item = payload.len() / payload.items().max(1) * 17 / 16;
    }
}

/// Most that is reserved before anything is written.
const RESERVED_MAX: usize = 8 * 1024 * 1024;
