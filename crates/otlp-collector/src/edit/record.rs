//! What matching looks at in a record beside its attributes.

use otlp_core::Signal;
use otlp_core::wire::reader::{Field, Reader};
use otlp_core::wire::{AnyValueView, WireError};

use super::fields::{length_delimited, number};
use super::sampling::Identity;

/// The fields of a span, a log record or a metric that can be matched; those that the others have are empty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Record<'a> {
    pub(super) name: &'a [u8],
    pub(super) kind: i32,
    pub(super) status: i32,
    pub(super) severity: i32,
    pub(super) severity_text: &'a [u8],
    pub(super) body: Body<'a>,
    pub(super) identity: Identity<'a>,
}

/// The body of a log record, which nearly always stands in one piece.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Body<'a> {
    #[default]
    None,
    One(&'a [u8]),
    /// In several pieces: the whole record.
    Many(&'a [u8]),
}

impl<'a> Record<'a> {
    /// The numbers of the fields that [`take`](Self::take) takes up, as a set.
    pub(super) const fn wanted(signal: Signal) -> u32 {
        match signal {
            Signal::Traces => 1 << 5 | 1 << 6 | 1 << 15,
            Signal::Logs => 1 << 2 | 1 << 3 | 1 << 5,
            _ => 0,
        }
    }

    /// The numbers of the fields that identify it, as a set.
    pub(super) const fn identity(signal: Signal) -> u32 {
        match signal {
            Signal::Traces => 1 << 1 | 1 << 3,
            Signal::Logs => 1 << 9,
            _ => 0,
        }
    }

    /// Takes up one field of a `record` of this signal.
    #[inline]
    pub(super) fn take(
        &mut self,
        signal: Signal,
        field: &Field<'a>,
        record: &'a [u8],
    ) -> Result<(), WireError> {
        match (signal, field.number) {
            (Signal::Traces, 1) => self.identity.trace_id = length_delimited(field, "Span")?,
            (Signal::Traces, 3) => self.identity.trace_state = length_delimited(field, "Span")?,
            (Signal::Logs, 9) => self.identity.trace_id = length_delimited(field, "LogRecord")?,
            (Signal::Traces, 5) => self.name = length_delimited(field, "Span")?,
            (Signal::Traces, 6) => self.kind = number(field, "Span")?,
            (Signal::Traces, 15) => self.take_status(length_delimited(field, "Span")?)?,
            (Signal::Logs, 2) => self.severity = number(field, "LogRecord")?,
            (Signal::Logs, 3) => self.severity_text = length_delimited(field, "LogRecord")?,
            (Signal::Logs, 5) => {
                let piece = length_delimited(field, "LogRecord")?;
                self.body = match self.body {
                    Body::None => Body::One(piece),
                    _ => Body::Many(record),
                };
            }
            _ => {}
        }
        Ok(())
    }

    /// A status in several pieces is merged: the last code counts.
    fn take_status(&mut self, status: &[u8]) -> Result<(), WireError> {
        for field in Reader::new(status) {
            let field = field?;
            if field.number == 3 {
                self.status = number(&field, "Status")?;
            }
        }
        Ok(())
    }
}

impl Body<'_> {
    /// Does something with the body's value; a record without a body has an empty one.
    pub(super) fn with<R>(
        self,
        read: impl FnOnce(AnyValueView<'_>) -> Result<R, WireError>,
    ) -> Result<R, WireError> {
        match self {
            Body::None => read(AnyValueView::Empty),
            Body::One(value) => read(AnyValueView::parse(value)?),
            Body::Many(record) => {
                let mut value = Vec::new();
                for field in Reader::new(record) {
                    let field = field?;
                    if field.number == 5 {
                        value.extend_from_slice(length_delimited(&field, "LogRecord")?);
                    }
                }
                read(AnyValueView::parse(&value)?)
            }
        }
    }
}
