//! A log record that is encoded while it is being set.
//!
//! Body and attributes go straight into OTLP bytes. What is left for the end are the scalar fields;
//! [`LogRecordEncoder::put_item`] then writes the whole in the order of the field numbers, with every
//! length known beforehand.

use std::borrow::Cow;

use crate::limits::LogRecordLimits;
use crate::wire::attribute::{AttributeList, Key};
use crate::wire::reader::Reader;
use crate::wire::value::{Body, Value, put_body};
use crate::wire::writer::{
    FIXED32, FIXED64, LEN, VARINT, fixed64_non_zero_len, key, len_field, len_non_empty_len,
    put_fixed64_non_zero, put_len_header, put_len_non_empty, put_varint_non_zero,
    varint_non_zero_len,
};
use crate::wire::{AnyValueView, View};

/// The span that a log record belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogContext {
    /// Its trace id.
    pub trace_id: [u8; 16],
    /// Its span id; all zero if only the trace is known.
    pub span_id: [u8; 8],
    /// Its W3C trace flags.
    pub trace_flags: u8,
}

/// A log record that is being set into OTLP bytes.
///
/// Clearing keeps the memory: an encoder that is used again does not allocate for a record of
/// ordinary size.
///
/// ```
/// use otlp_core::LogRecordLimits;
/// use otlp_core::log::LogRecordEncoder;
/// use otlp_core::wire::{LogRecordView, Value};
///
/// let mut encoder = LogRecordEncoder::default();
/// encoder.set_severity(9, "INFO");
/// encoder.set_body(Value::Str("user logged in"));
/// encoder.set_attribute("user.id", Value::I64(7), &LogRecordLimits::default());
///
/// let record = encoder.encode();
/// let view = LogRecordView::parse(&record)?;
/// assert_eq!(view.severity_text(), "INFO");
/// assert_eq!(view.attributes().count(), 1);
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
#[derive(Debug, Default)]
pub struct LogRecordEncoder {
    time_unix_nano: u64,
    observed_time_unix_nano: u64,
    severity_number: u8,
    severity_text: Cow<'static, str>,
    /// Field 5 with key and length, or nothing.
    body: Vec<u8>,
    body_is: Body,
    attributes: RecordAttributes,
    context: Option<LogContext>,
    event_name: Cow<'static, str>,
}

impl LogRecordEncoder {
    /// Forgets the record and keeps the memory, unless that has grown out of the ordinary.
    #[inline]
    pub fn clear(&mut self) {
        (self.time_unix_nano, self.observed_time_unix_nano) = (0, 0);
        self.severity_number = 0;
        self.severity_text = Cow::Borrowed("");
        self.event_name = Cow::Borrowed("");
        self.clear_body();
        self.attributes.0.clear();
        self.context = None;
    }

    /// Sets when it happened, in nanoseconds since the Unix epoch; 0 if that is not known.
    pub fn set_time(&mut self, unix_nano: u64) {
        self.time_unix_nano = unix_nano;
    }

    /// Sets when it was observed, in nanoseconds since the Unix epoch (row F4).
    pub fn set_observed_time(&mut self, unix_nano: u64) {
        self.observed_time_unix_nano = unix_nano;
    }

    /// Sets the severity: its number (1 to 24, 0 for none) and what its source calls it.
    pub fn set_severity(&mut self, number: u8, text: impl Into<Cow<'static, str>>) {
        self.severity_number = number;
        self.severity_text = text.into();
    }

    /// Sets the number of the severity alone.
    pub fn set_severity_number(&mut self, number: u8) {
        self.severity_number = number;
    }

    /// Sets what the source calls the severity.
    pub fn set_severity_text(&mut self, text: impl Into<Cow<'static, str>>) {
        self.severity_text = text.into();
    }

    /// Names the event that the record is; empty for a record that is none.
    pub fn set_event_name(&mut self, name: impl Into<Cow<'static, str>>) {
        self.event_name = name.into();
    }

    /// Sets what the record says. It is not cut (row G-L5), but nothing is kept beyond 47 levels of arrays
    /// or 31 of maps; [`ValueLimits::depth`](crate::ValueLimits::depth) has the reason.
    ///
    /// A body above 64 MiB, which no request could hold, is not kept; the record's length then is one that
    /// every queue refuses, so that the loss is counted and not hidden.
    pub fn set_body(&mut self, body: Value<'_>) {
        self.clear_body();
        self.body_is = put_body(&mut self.body, BODY, body);
    }

    /// An empty list for attributes of records that are encoded beforehand, see
    /// [`begin_with`](Self::begin_with).
    #[must_use]
    pub const fn attribute_list() -> AttributeList {
        AttributeList::new(6)
    }

    /// Begins with attributes that were encoded before, in a list from
    /// [`attribute_list`](Self::attribute_list) and under the same limits. Ignored if the record has
    /// attributes already.
    pub fn begin_with(&mut self, prepared: &AttributeList) {
        self.attributes.0.begin_with(prepared);
    }

    /// Counts attributes as discarded that could not be set.
    pub fn add_dropped_attributes(&mut self, dropped: u32) {
        self.attributes.0.add_dropped(dropped);
    }

    /// Sets an attribute; the last value of a key wins (row W5).
    #[inline]
    pub fn set_attribute<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        value: Value<'_>,
        limits: &LogRecordLimits,
    ) {
        self.attributes.0.set(key, value, &limits.attributes);
    }

    /// Takes an attribute out, as a processor that redacts does.
    pub fn remove_attribute(&mut self, key: &str) -> bool {
        self.attributes.0.remove(key)
    }

    /// Says which span it belongs to. Invalid ids mean "none" (row F7).
    pub fn set_context(&mut self, context: LogContext) {
        self.context = (context.trace_id != [0; 16]).then_some(context);
    }

    /// The record as a message of its own.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let sizes = self.sizes();
        let mut buf = Vec::with_capacity(sizes.written);
        self.put_message(&mut buf);
        buf
    }

    /// Appends the record as an item of its scope: field key, length, message.
    pub fn put_item(&self, buf: &mut Vec<u8>) {
        self.put_sized(self.sizes(), buf);
    }

    /// [`put_item`](Self::put_item) with sizes that were measured of the same record.
    #[inline]
    pub fn put_sized(&self, sizes: LogRecordSizes, buf: &mut Vec<u8>) {
        buf.reserve(len_field(sizes.written));
        put_len_header(buf, ITEM, sizes.written);
        self.put_message(buf);
    }

    /// Measures the record.
    #[inline]
    #[must_use]
    pub fn sizes(&self) -> LogRecordSizes {
        let written = fixed64_non_zero_len(self.time_unix_nano)
            + varint_non_zero_len(self.severity_number.into())
            + len_non_empty_len(self.severity_text.len())
            + self.body.len()
            + self.attributes.0.as_bytes().len()
            + varint_non_zero_len(self.attributes.0.dropped().into())
            + self.context.as_ref().map_or(0, context_len)
            + fixed64_non_zero_len(self.observed_time_unix_nano)
            + len_non_empty_len(self.event_name.len());
        LogRecordSizes { written, oversized: self.body_is == Body::Oversized }
    }

    #[inline]
    fn put_message(&self, buf: &mut Vec<u8>) {
        put_fixed64_non_zero(buf, key(1, FIXED64), self.time_unix_nano);
        put_varint_non_zero(buf, key(2, VARINT), self.severity_number.into());
        put_len_non_empty(buf, key(3, LEN), self.severity_text.as_bytes());
        buf.extend_from_slice(&self.body);
        buf.extend_from_slice(self.attributes.0.as_bytes());
        put_varint_non_zero(buf, key(7, VARINT), self.attributes.0.dropped().into());
        if let Some(context) = &self.context {
            put_context(buf, context);
        }
        put_fixed64_non_zero(buf, key(11, FIXED64), self.observed_time_unix_nano);
        put_len_non_empty(buf, key(12, LEN), self.event_name.as_bytes());
    }

    fn clear_body(&mut self) {
        self.body_is = Body::Whole;
        self.body.clear();
        if self.body.capacity() > BODY_BYTES_KEPT {
            self.body = Vec::new();
        }
    }
}

/// What processors and debug output read back.
impl LogRecordEncoder {
    /// When it happened, in nanoseconds since the Unix epoch; 0 if that is not known.
    #[must_use]
    pub fn time_unix_nano(&self) -> u64 {
        self.time_unix_nano
    }

    /// When it was observed, in nanoseconds since the Unix epoch; 0 if that was not set yet.
    #[must_use]
    pub fn observed_time_unix_nano(&self) -> u64 {
        self.observed_time_unix_nano
    }

    /// Number and text of the severity.
    #[must_use]
    pub fn severity(&self) -> (u8, &str) {
        (self.severity_number, &self.severity_text)
    }

    /// What the record says, if anything.
    #[must_use]
    pub fn body(&self) -> Option<AnyValueView<'_>> {
        // We wrote it: it can be read.
        let field = Reader::new(&self.body).next()?.ok()?;
        let message = field.bytes("LogRecord").ok()?;
        AnyValueView::read(Reader::new(message)).ok()
    }

    /// The attributes, encoded.
    #[must_use]
    pub fn attributes(&self) -> &AttributeList {
        &self.attributes.0
    }

    /// The span that it belongs to.
    #[must_use]
    pub fn context(&self) -> Option<LogContext> {
        self.context
    }

    /// The name of the event, if the record is one; else empty.
    #[must_use]
    pub fn event_name(&self) -> &str {
        &self.event_name
    }

    /// Bytes of memory that it keeps for the next record.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.body.capacity() + self.attributes.0.memory()
    }

    /// Whether attributes were discarded because of the limits, or arrays and maps that stood too deep, in
    /// the body as well.
    #[inline]
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.attributes.0.has_lost() || self.body_is == Body::Emptied
    }
}

/// Length of an encoded log record, measured before it is written.
#[derive(Clone, Copy, Debug)]
pub struct LogRecordSizes {
    written: usize,
    oversized: bool,
}

impl LogRecordSizes {
    /// Exact length as an item of a scope: field key, length, message. Of a record whose body is larger
    /// than any request: more than any limit.
    #[inline]
    #[must_use]
    pub const fn item_len(&self) -> usize {
        if self.oversized { OVERSIZED } else { len_field(self.written) }
    }
}

#[inline]
fn context_len(context: &LogContext) -> usize {
    let flags = if context.trace_flags == 0 { 0 } else { 5 };
    let span_id = if context.span_id == [0; 8] { 0 } else { 2 + 8 };
    flags + 2 + 16 + span_id
}

/// Flags, trace id, span id: fields 8 to 10. Bits 8 to 31 of the flags are zero (row F4).
#[inline]
fn put_context(buf: &mut Vec<u8>, context: &LogContext) {
    if context.trace_flags != 0 {
        buf.extend_from_slice(&[key(8, FIXED32), context.trace_flags, 0, 0, 0]);
    }
    buf.extend_from_slice(&[key(9, LEN), 16]);
    buf.extend_from_slice(&context.trace_id);
    if context.span_id != [0; 8] {
        buf.extend_from_slice(&[key(10, LEN), 8]);
        buf.extend_from_slice(&context.span_id);
    }
}

/// The record's own attributes: field 6.
#[derive(Debug)]
struct RecordAttributes(AttributeList);

impl Default for RecordAttributes {
    fn default() -> Self {
        Self(AttributeList::new(6))
    }
}

const ITEM: u8 = key(2, LEN);
const BODY: u8 = key(5, LEN);
/// What a cleared encoder may keep of a body.
const BODY_BYTES_KEPT: usize = 8 * 1024;
/// Larger than what any queue takes, and small enough to be added to.
const OVERSIZED: usize = usize::MAX / 4;

#[cfg(test)]
mod tests;
