//! Exemplars: single measurements that a point keeps as examples.

use super::super::WireError;
use super::super::common::Attributes;
use super::super::reader::Reader;
use super::super::trace::valid_id;
use super::super::view::{Merged, View};
use super::Number;

/// A view of an `Exemplar`.
#[derive(Clone, Copy, Debug)]
pub struct ExemplarView<'a> {
    time_unix_nano: u64,
    value: Option<Number>,
    span_id: &'a [u8],
    trace_id: &'a [u8],
    fields: Reader<'a>,
}

impl<'a> ExemplarView<'a> {
    /// When it was measured, in nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn time_unix_nano(&self) -> u64 {
        self.time_unix_nano
    }

    /// What was measured, if that was said.
    #[must_use]
    pub const fn value(&self) -> Option<Number> {
        self.value
    }

    /// The span in which it was measured: 8 bytes, or none.
    #[must_use]
    pub const fn span_id(&self) -> &'a [u8] {
        self.span_id
    }

    /// The trace in which it was measured: 16 bytes, or none.
    #[must_use]
    pub const fn trace_id(&self) -> &'a [u8] {
        self.trace_id
    }

    /// The span id, unless it is invalid: of another length or all zero (row F2).
    #[must_use]
    pub fn valid_span_id(&self) -> Option<[u8; 8]> {
        valid_id(self.span_id)
    }

    /// The trace id, unless it is invalid: of another length or all zero (row F2).
    #[must_use]
    pub fn valid_trace_id(&self) -> Option<[u8; 16]> {
        valid_id(self.trace_id)
    }

    /// Attributes of the measurement that the point's own do not have (row M7).
    #[must_use]
    pub fn filtered_attributes(&self) -> Attributes<'a> {
        Merged::whole(self.fields).views(&(Self::NAME, 7))
    }

    const NAME: &'static str = "Exemplar";
}

impl<'a> View<'a> for ExemplarView<'a> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        let mut exemplar =
            Self { time_unix_nano: 0, value: None, span_id: &[], trace_id: &[], fields };
        for field in fields {
            let field = field?;
            match field.number {
                2 => exemplar.time_unix_nano = field.fixed64(Self::NAME)?,
                3 => exemplar.value = Some(Number::F64(field.double(Self::NAME)?)),
                4 => exemplar.span_id = field.bytes(Self::NAME)?,
                5 => exemplar.trace_id = field.bytes(Self::NAME)?,
                6 => exemplar.value = Some(Number::I64(field.fixed64(Self::NAME)?.cast_signed())),
                _ => {}
            }
        }
        Ok(exemplar)
    }
}
