//! Views of `opentelemetry.proto.trace.v1` and of the trace service's request.

use super::WireError;
use super::common::Attributes;
use super::groups::{Names, RequestView, ResourceGroupView, ScopeGroupView, SignalItem, sealed};
use super::reader::Reader;
use super::view::{Merged, View, Views};

/// A view of an `ExportTraceServiceRequest`.
///
/// ```
/// use otlp_core::wire::TracesRequestView;
///
/// // One resource, one scope, one span named "hi".
/// let request = b"\x0a\x08\x12\x06\x12\x04\x2a\x02hi";
/// let mut names = Vec::new();
/// for resource in TracesRequestView::parse(request)?.resources() {
///     for scope in resource?.scopes() {
///         for span in scope?.items() {
///             names.push(span?.name());
///         }
///     }
/// }
/// assert_eq!(names, ["hi"]);
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
pub type TracesRequestView<'a> = RequestView<'a, SpanView<'a>>;

/// A view of a `ResourceSpans`.
pub type ResourceSpansView<'a> = ResourceGroupView<'a, SpanView<'a>>;

/// A view of a `ScopeSpans`.
pub type ScopeSpansView<'a> = ScopeGroupView<'a, SpanView<'a>>;

impl sealed::Sealed for SpanView<'_> {}

impl<'a> SignalItem<'a> for SpanView<'a> {
    const NAMES: Names = Names {
        request: &("ExportTraceServiceRequest", 1),
        resource: &("ResourceSpans", 1),
        scopes: &("ResourceSpans", 2),
        scope: &("ScopeSpans", 1),
        items: &("ScopeSpans", 2),
    };
}

/// A view of a `Span`.
///
/// Ids are given as they stand, of whatever length; [`valid_trace_id`](Self::valid_trace_id) and
/// its siblings give them only if they are valid.
#[derive(Clone, Copy, Debug)]
pub struct SpanView<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    trace_state: &'a str,
    parent_span_id: &'a [u8],
    flags: u32,
    name: &'a str,
    kind: i32,
    start_time_unix_nano: u64,
    end_time_unix_nano: u64,
    dropped_attributes_count: u32,
    dropped_events_count: u32,
    dropped_links_count: u32,
    status: StatusView<'a>,
    fields: Reader<'a>,
}

impl<'a> SpanView<'a> {
    /// Reads an encoded `Span`.
    ///
    /// # Errors
    ///
    /// As [`View::read`].
    pub fn parse(message: &'a [u8]) -> Result<Self, WireError> {
        Self::read(Reader::new(message))
    }

    /// The trace id: 16 bytes in a valid span.
    #[must_use]
    pub const fn trace_id(&self) -> &'a [u8] {
        self.trace_id
    }

    /// The span id: 8 bytes in a valid span.
    #[must_use]
    pub const fn span_id(&self) -> &'a [u8] {
        self.span_id
    }

    /// The W3C `tracestate`; may be empty.
    #[must_use]
    pub const fn trace_state(&self) -> &'a str {
        self.trace_state
    }

    /// The parent's span id; empty for a root span.
    #[must_use]
    pub const fn parent_span_id(&self) -> &'a [u8] {
        self.parent_span_id
    }

    /// W3C trace flags in bits 0 to 7, remoteness of the parent in bits 8 and 9 (row F1). Other
    /// bits are to be ignored and kept.
    #[must_use]
    pub const fn flags(&self) -> u32 {
        self.flags
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// 1 internal, 2 server, 3 client, 4 producer, 5 consumer; 0 may be read as internal (row F3).
    #[must_use]
    pub const fn kind(&self) -> i32 {
        self.kind
    }

    /// When the span started, in nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn start_time_unix_nano(&self) -> u64 {
        self.start_time_unix_nano
    }

    /// When the span ended, in nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn end_time_unix_nano(&self) -> u64 {
        self.end_time_unix_nano
    }

    /// How many attributes were discarded.
    #[must_use]
    pub const fn dropped_attributes_count(&self) -> u32 {
        self.dropped_attributes_count
    }

    /// How many events were discarded.
    #[must_use]
    pub const fn dropped_events_count(&self) -> u32 {
        self.dropped_events_count
    }

    /// How many links were discarded.
    #[must_use]
    pub const fn dropped_links_count(&self) -> u32 {
        self.dropped_links_count
    }

    /// How the operation ended.
    #[must_use]
    pub const fn status(&self) -> StatusView<'a> {
        self.status
    }

    /// The span's attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Merged::whole(self.fields).views(&(Self::NAME, 9))
    }

    /// The span's events.
    #[must_use]
    pub fn events(&self) -> Views<'a, EventView<'a>> {
        events_in(self.fields)
    }

    /// The span's links.
    #[must_use]
    pub fn links(&self) -> Views<'a, LinkView<'a>> {
        links_in(self.fields)
    }

    /// The trace id, unless it is invalid: of another length or all zero (row F2).
    #[must_use]
    pub fn valid_trace_id(&self) -> Option<[u8; 16]> {
        valid_id(self.trace_id)
    }

    /// The span id, unless it is invalid: of another length or all zero (row F2).
    #[must_use]
    pub fn valid_span_id(&self) -> Option<[u8; 8]> {
        valid_id(self.span_id)
    }

    /// The parent's span id; `None` for a root span and if it is invalid (row F2).
    #[must_use]
    pub fn valid_parent_span_id(&self) -> Option<[u8; 8]> {
        valid_id(self.parent_span_id)
    }

    /// The encoded span, without key and length.
    #[must_use]
    pub fn encoded(&self) -> &'a [u8] {
        self.fields.rest()
    }

    const NAME: &'static str = "Span";

    fn empty(fields: Reader<'a>) -> Self {
        Self {
            trace_id: &[],
            span_id: &[],
            trace_state: "",
            parent_span_id: &[],
            flags: 0,
            name: "",
            kind: 0,
            start_time_unix_nano: 0,
            end_time_unix_nano: 0,
            dropped_attributes_count: 0,
            dropped_events_count: 0,
            dropped_links_count: 0,
            status: StatusView::default(),
            fields,
        }
    }
}

/// The events among the fields of a span.
pub(crate) fn events_in(fields: Reader<'_>) -> Views<'_, EventView<'_>> {
    Merged::whole(fields).views(&(SpanView::NAME, 11))
}

/// The links among the fields of a span.
pub(crate) fn links_in(fields: Reader<'_>) -> Views<'_, LinkView<'_>> {
    Merged::whole(fields).views(&(SpanView::NAME, 13))
}

impl<'a> View<'a> for SpanView<'a> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        let mut span = Self::empty(fields);
        for field in fields {
            let field = field?;
            match field.number {
                1 => span.trace_id = field.bytes(Self::NAME)?,
                2 => span.span_id = field.bytes(Self::NAME)?,
                3 => span.trace_state = field.text(Self::NAME)?,
                4 => span.parent_span_id = field.bytes(Self::NAME)?,
                5 => span.name = field.text(Self::NAME)?,
                6 => span.kind = field.int32(Self::NAME)?,
                7 => span.start_time_unix_nano = field.fixed64(Self::NAME)?,
                8 => span.end_time_unix_nano = field.fixed64(Self::NAME)?,
                10 => span.dropped_attributes_count = field.uint32(Self::NAME)?,
                12 => span.dropped_events_count = field.uint32(Self::NAME)?,
                14 => span.dropped_links_count = field.uint32(Self::NAME)?,
                15 => span.status.merge(field.message(Self::NAME)?)?,
                16 => span.flags = field.fixed32(Self::NAME)?,
                _ => {}
            }
        }
        Ok(span)
    }
}

/// A view of a span's `Status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatusView<'a> {
    code: i32,
    message: &'a str,
}

impl<'a> StatusView<'a> {
    /// 0 unset, 1 ok, 2 error.
    #[must_use]
    pub const fn code(&self) -> i32 {
        self.code
    }

    /// What went wrong; empty unless the code is 2.
    #[must_use]
    pub const fn message(&self) -> &'a str {
        self.message
    }

    fn merge(&mut self, fields: Reader<'a>) -> Result<(), WireError> {
        const NAME: &str = "Status";
        for field in fields {
            let field = field?;
            match field.number {
                2 => self.message = field.text(NAME)?,
                3 => self.code = field.int32(NAME)?,
                _ => {}
            }
        }
        Ok(())
    }
}

impl<'a> View<'a> for StatusView<'a> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        let mut status = Self::default();
        status.merge(fields)?;
        Ok(status)
    }
}

/// A view of a span's `Event`.
#[derive(Clone, Copy, Debug)]
pub struct EventView<'a> {
    time_unix_nano: u64,
    name: &'a str,
    dropped_attributes_count: u32,
    fields: Reader<'a>,
}

impl<'a> EventView<'a> {
    /// When it happened, in nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn time_unix_nano(&self) -> u64 {
        self.time_unix_nano
    }

    /// The name.
    #[must_use]
    pub const fn name(&self) -> &'a str {
        self.name
    }

    /// How many attributes were discarded.
    #[must_use]
    pub const fn dropped_attributes_count(&self) -> u32 {
        self.dropped_attributes_count
    }

    /// The event's attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Merged::whole(self.fields).views(&(Self::NAME, 3))
    }

    const NAME: &'static str = "Event";
}

impl<'a> View<'a> for EventView<'a> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        let mut event = Self { time_unix_nano: 0, name: "", dropped_attributes_count: 0, fields };
        for field in fields {
            let field = field?;
            match field.number {
                1 => event.time_unix_nano = field.fixed64(Self::NAME)?,
                2 => event.name = field.text(Self::NAME)?,
                4 => event.dropped_attributes_count = field.uint32(Self::NAME)?,
                _ => {}
            }
        }
        Ok(event)
    }
}

/// A view of a span's `Link`.
#[derive(Clone, Copy, Debug)]
pub struct LinkView<'a> {
    trace_id: &'a [u8],
    span_id: &'a [u8],
    trace_state: &'a str,
    dropped_attributes_count: u32,
    flags: u32,
    fields: Reader<'a>,
}

impl<'a> LinkView<'a> {
    /// The linked trace: 16 bytes in a valid link.
    #[must_use]
    pub const fn trace_id(&self) -> &'a [u8] {
        self.trace_id
    }

    /// The linked span: 8 bytes in a valid link.
    #[must_use]
    pub const fn span_id(&self) -> &'a [u8] {
        self.span_id
    }

    /// The linked span's `tracestate`; may be empty.
    #[must_use]
    pub const fn trace_state(&self) -> &'a str {
        self.trace_state
    }

    /// How many attributes were discarded.
    #[must_use]
    pub const fn dropped_attributes_count(&self) -> u32 {
        self.dropped_attributes_count
    }

    /// W3C trace flags in bits 0 to 7, remoteness of the linked context in bits 8 and 9 (row F1).
    #[must_use]
    pub const fn flags(&self) -> u32 {
        self.flags
    }

    /// The link's attributes.
    #[must_use]
    pub fn attributes(&self) -> Attributes<'a> {
        Merged::whole(self.fields).views(&(Self::NAME, 4))
    }

    /// The linked trace's id, unless it is invalid: of another length or all zero (row F2).
    #[must_use]
    pub fn valid_trace_id(&self) -> Option<[u8; 16]> {
        valid_id(self.trace_id)
    }

    /// The linked span's id, unless it is invalid: of another length or all zero (row F2).
    #[must_use]
    pub fn valid_span_id(&self) -> Option<[u8; 8]> {
        valid_id(self.span_id)
    }

    const NAME: &'static str = "Link";
}

impl<'a> View<'a> for LinkView<'a> {
    fn read(fields: Reader<'a>) -> Result<Self, WireError> {
        let mut link = Self {
            trace_id: &[],
            span_id: &[],
            trace_state: "",
            dropped_attributes_count: 0,
            flags: 0,
            fields,
        };
        for field in fields {
            let field = field?;
            match field.number {
                1 => link.trace_id = field.bytes(Self::NAME)?,
                2 => link.span_id = field.bytes(Self::NAME)?,
                3 => link.trace_state = field.text(Self::NAME)?,
                5 => link.dropped_attributes_count = field.uint32(Self::NAME)?,
                6 => link.flags = field.fixed32(Self::NAME)?,
                _ => {}
            }
        }
        Ok(link)
    }
}

pub(super) fn valid_id<const N: usize>(id: &[u8]) -> Option<[u8; N]> {
    let id: [u8; N] = id.try_into().ok()?;
    (id != [0; N]).then_some(id)
}
