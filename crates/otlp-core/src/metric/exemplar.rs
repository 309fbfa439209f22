//! Exemplars as they are handed over, and their bytes.

use crate::wire::value::Entries;
use crate::wire::writer::{FIXED64, LEN, fixed64_non_zero_len, key, put_fixed64_non_zero, put_len};

use super::Number;
use super::points::{put_double, put_fixed64};

/// A single measurement that a point keeps as an example (row M7).
#[derive(Clone, Copy)]
pub struct Exemplar<'a> {
    /// When it was measured.
    pub time_unix_nano: u64,
    /// What was measured.
    pub value: Number,
    /// Trace and span in which it was measured, if there were any.
    pub context: Option<([u8; 16], [u8; 8])>,
    /// Attributes of the measurement that the point's own do not have.
    pub filtered_attributes: &'a dyn Entries,
}

impl Exemplar<'_> {
    /// Length of the message; `attributes` is that of the filtered ones.
    pub(super) const fn message_len(&self, attributes: usize) -> usize {
        let context = if self.context.is_some() { (2 + 8) + (2 + 16) } else { 0 };
        fixed64_non_zero_len(self.time_unix_nano) + 9 + context + attributes
    }

    pub(super) fn put_message(&self, attributes: &[u8], buf: &mut Vec<u8>) {
        put_fixed64_non_zero(buf, key(2, FIXED64), self.time_unix_nano);
        match self.value {
            Number::F64(value) => put_double(key(3, FIXED64), value, buf),
            Number::I64(value) => put_fixed64(key(6, FIXED64), value.cast_unsigned(), buf),
        }
        if let Some((trace_id, span_id)) = &self.context {
            put_len(buf, key(4, LEN), span_id);
            put_len(buf, key(5, LEN), trace_id);
        }
        buf.extend_from_slice(attributes);
    }
}
