//! Views of `opentelemetry.proto.logs.v1` and of the logs service's request.

use super::WireError;
use super::common::{AnyValueView, Attributes};
use super::groups::{Names, RequestView, ResourceGroupView, ScopeGroupView, SignalItem, sealed};
use super::reader::Reader;
use super::trace::valid_id;
use super::view::{Merged, View};

/// A view of an `ExportLogsServiceRequest`.
///
/// ```
/// use otlp_core::wire::LogsRequestView;
///
/// // One resource, one scope, one record of the event "hi".
/// let request = b"\x0a\x08\x12\x06\x12\x04\x62\x02hi";
/// let mut names = Vec::new();
/// for resource in LogsRequestView::parse(request)?.resources() {
///     for scope in resource?.scopes() {
///         for record in scope?.items() {
///             names.push(record?.event_name());
///         }
///     }
/// }
/// assert_eq!(names, ["hi"]);
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
pub type LogsRequestView<'a> = RequestView<'a, LogRecordView<'a>>;

/// A view of a `ResourceLogs`.
pub type ResourceLogsView<'a> = ResourceGroupView<'a, LogRecordView<'a>>;

/// A view of a `ScopeLogs`.
pub type ScopeLogsView<'a> = ScopeGroupView<'a, LogRecordView<'a>>;

impl sealed::Sealed for LogRecordView<'_> {}

impl<'a> SignalItem<'a> for LogRecordView<'a> {
    const NAMES: Names = Names {
        request: &("ExportLogsServiceRequest", 1),
        resource: &("ResourceLogs", 1),
        scopes: &("ResourceLogs", 2),
        scope: &("ScopeLogs", 1),
        items: &("ScopeLogs", 2),
    };
}

/// A view of a `LogRecord`.
///
/// Ids are given as they stand, of whatever length; [`valid_trace_id`](Self::valid_trace_id) and
/// [`valid_span_id`](Self::valid_span_id) give them only if they are valid.
#[derive(Clone, Copy, Debug)]
pub struct LogRecordView<'a> {
    time_unix_nano: u64,
    observed_time_unix_nano: u64,
    severity_number: i32,
    severity_text: &'a str,
    body: Option<AnyValueView<'a>>,
    dropped_attributes_count: u32,
    flags: u32,
    trace_id: &'a [u8],
    span_id: &'a [u8],
    event_name: &'a str,
    fields: Reader<'a>,
}

impl<'a> LogRecordView<'a> {
    /// Reads an encoded `LogRecord`.
    ///
    /// # Errors
    ///
    /// As [`View::read`].
    pub fn parse(message: &'a [u8]) -> Result<Self, WireError> {
        Self::read(Reader::new(message))
    }

    /// When it happened, in nanoseconds since the Unix epoch; 0 if that is not known.
    #[must_use]
    pub const fn time_unix_nano(&self) -> u64 {
        self.time_unix_nano
    }

    /// When it was observed, in nanoseconds since the Unix epoch (row F4).
    #[must_use]
    pub const fn observed_time_unix_nano(&self) -> u64 {
        self.observed_time_unix_nano
    }

    /// 1 to 4 trace, 5 to 8 debug, 9 to 12 info, 13 to 16 warn, 17 to 20 error, 21 to 24 fatal; 0 if it
    /// was not said.
    #[must_use]
    pub const fn severity_number(&self) -> i32 {
        self.severity_number
    }

    /// The severity as its source calls it; may be empty.
    #[must_use]
    pub const fn severity_text(&self) -> &'a str {
        self.severity_text
    }

    /// What the record says, if anything.
    #[must_use]
    pub const fn body(&self) -> Option<AnyValueView<'a>> {
        self.body
    }

    /// The record's attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Merged::whole(self.fields).views(&(Self::NAME, 6))
    }

    /// How many attributes were discarded.
    #[must_use]
    pub const fn dropped_attributes_count(&self) -> u32 {
        self.dropped_attributes_count
    }

    /// W3C trace flags in bits 0 to 7; the others are to be ignored (row F4).
    #[must_use]
    pub const fn flags(&self) -> u32 {
        self.flags
    }

    /// The trace that it belongs to: 16 bytes, or none.
    #[must_use]
    pub const fn trace_id(&self) -> &'a [u8] {
        self.trace_id
    }

    /// The span that it belongs to: 8 bytes, or none.
    #[must_use]
    pub const fn span_id(&self) -> &'a [u8] {
        self.span_id
    }

    /// The name of the event, if the record is one; else empty.
    #[must_use]
    pub const fn event_name(&self) -> &'a str {
        self.event_name
    }

    /// The trace id, unless it is invalid: of another length or all zero (row F7).
    #[must_use]
    pub fn valid_trace_id(&self) -> Option<[u8; 16]> {
        valid_id(self.trace_id)
    }

    /// The span id, unless it is invalid: of another length or all zero (row F7).
    #[must_use]
    pub fn valid_span_id(&self) -> Option<[u8; 8]> {
        valid_id(self.span_id)
    }

    /// The encoded record, without key and length.
    #[must_use]
    pub fn encoded(&self) -> &'a [u8] {
        self.fields.rest()
    }

    const NAME: &'static str = "LogRecord";

    const fn empty(fields: Reader<'a>) -> Self {
        Self {
            time_unix_nano: 0,
            observed_time_unix_nano: 0,
            severity_number: 0,
            severity_text: "",
            body: None,
            dropped_attributes_count: 0,
            flags: 0,
            trace_id: &[],
            span_id: &[],
            event_name: "",
            fields,
        }
    }
}

impl<'a> View<'a> for LogRecordView<'a> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        let mut record = Self::empty(fields);
        for field in fields {
            let field = field?;
            match field.number {
                1 => record.time_unix_nano = field.fixed64(Self::NAME)?,
                2 => record.severity_number = field.int32(Self::NAME)?,
                3 => record.severity_text = field.text(Self::NAME)?,
                5 if record.body.is_none() => {
                    let pieces = Merged::whole(fields).child(&(Self::NAME, 5));
                    record.body = Some(AnyValueView::read_fields(pieces)?);
                }
                7 => record.dropped_attributes_count = field.uint32(Self::NAME)?,
                8 => record.flags = field.fixed32(Self::NAME)?,
                9 => record.trace_id = field.bytes(Self::NAME)?,
                10 => record.span_id = field.bytes(Self::NAME)?,
                11 => record.observed_time_unix_nano = field.fixed64(Self::NAME)?,
                12 => record.event_name = field.text(Self::NAME)?,
                _ => {}
            }
        }
        Ok(record)
    }
}
