//! A span that is encoded while it is being recorded.
//!
//! Attributes, events and links go straight into OTLP bytes under the limits. What is left for the
//! end are the scalar fields; [`SpanEncoder::put_item`] then writes the whole in the order of the
//! field numbers, with every length known beforehand.

mod items;

use std::borrow::Cow;

use bytes::Bytes;

use crate::limits::SpanLimits;
use crate::wire::attribute::{AttributeList, Key};
use crate::wire::reader::Reader;
use crate::wire::trace::{EventView, LinkView, events_in, links_in};
use crate::wire::value::Value;
use crate::wire::writer::{
    FIXED32, FIXED64, LEN, VARINT, fixed64_non_zero_len, key, len_field, len_non_empty_len,
    put_fixed64_non_zero, put_len, put_len_header, put_len_non_empty, put_varint_non_zero,
    varint_non_zero_len,
};

use self::items::{Items, Scratch};
use super::EncodedSpan;

/// Ids and context of a span: what is fixed when it starts.
#[derive(Clone, Debug, Default)]
pub struct SpanIdentity {
    /// Trace id.
    pub trace_id: [u8; 16],
    /// Span id.
    pub span_id: [u8; 8],
    /// The W3C trace flags of the span itself.
    pub trace_flags: u8,
    /// The W3C `tracestate` header, empty if there is none.
    pub trace_state: Cow<'static, str>,
    /// The parent, if there is one.
    pub parent: Option<ParentContext>,
}

/// The parent of a span.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParentContext {
    /// Its span id.
    pub span_id: [u8; 8],
    /// Whether it came from another process.
    pub is_remote: bool,
}

/// What a link points at.
#[derive(Clone, Copy, Debug)]
pub struct LinkContext<'a> {
    /// Trace id of the linked span.
    pub trace_id: [u8; 16],
    /// Span id of the linked span.
    pub span_id: [u8; 8],
    /// Its W3C trace flags.
    pub trace_flags: u8,
    /// Whether it came from another process.
    pub is_remote: bool,
    /// Its W3C `tracestate` header, empty if there is none.
    pub trace_state: &'a str,
}

/// `Span.SpanKind` of the protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum SpanKind {
    /// Work within one process; the default (row F3).
    #[default]
    Internal = 1,
    /// The server's side of a call.
    Server = 2,
    /// The client's side of a call.
    Client = 3,
    /// Hands a message over.
    Producer = 4,
    /// Takes a message.
    Consumer = 5,
}

/// `Status.StatusCode` of the protocol, in the order of what beats what (row T13).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum StatusCode {
    /// Nothing was said.
    #[default]
    Unset,
    /// The operation failed.
    Error,
    /// The application says that it succeeded; final.
    Ok,
}

impl StatusCode {
    const fn number(self) -> u8 {
        match self {
            Self::Unset => 0,
            Self::Ok => 1,
            Self::Error => 2,
        }
    }
}

/// A span that is being recorded into OTLP bytes.
///
/// Clearing keeps the memory: an encoder that is used again does not allocate for a span of
/// ordinary size. Setters take the limits as an argument, so that one set of limits serves all
/// spans of a provider.
#[derive(Debug, Default)]
pub struct SpanEncoder {
    identity: SpanIdentity,
    name: Cow<'static, str>,
    /// Memory for a name that is copied.
    spare_name: String,
    kind: SpanKind,
    start_unix_nano: u64,
    attributes: SpanAttributes,
    events: Items,
    links: Items,
    scratch: Scratch,
    status: StatusCode,
    status_message: Cow<'static, str>,
}

impl SpanEncoder {
    /// Starts recording a span, after [`clear`](Self::clear) or on a new encoder.
    #[inline]
    pub fn start(
        &mut self,
        identity: SpanIdentity,
        name: impl Into<Cow<'static, str>>,
        kind: SpanKind,
        start_unix_nano: u64,
    ) {
        self.identity = identity;
        self.name = name.into();
        self.kind = kind;
        self.start_unix_nano = start_unix_nano;
    }

    /// Forgets what the span has recorded and keeps the memory. Ids, kind and start time stand
    /// until the next [`start`](Self::start), which sets them all.
    #[inline]
    pub fn clear(&mut self) {
        self.keep_memory_of_name();
        if let Cow::Owned(_) = self.identity.trace_state {
            self.identity.trace_state = Cow::Borrowed("");
        }
        self.attributes.0.clear();
        if self.events.count | self.links.count > 0 {
            self.scratch.clear();
        }
        self.events.clear();
        self.links.clear();
        if self.status != StatusCode::Unset {
            self.status = StatusCode::Unset;
            self.status_message = Cow::Borrowed("");
        }
    }

    /// An empty list for attributes of spans that are encoded beforehand, see
    /// [`begin_with`](Self::begin_with).
    #[must_use]
    pub const fn attribute_list() -> AttributeList {
        AttributeList::new(9)
    }

    /// An empty list for the attributes of an event, see
    /// [`add_encoded_event`](Self::add_encoded_event).
    #[must_use]
    pub const fn event_attribute_list() -> AttributeList {
        AttributeList::new(3)
    }

    /// Begins with attributes that were encoded before, in a list from
    /// [`attribute_list`](Self::attribute_list) and under the same limits. Ignored if the span has
    /// attributes already.
    #[inline]
    pub fn begin_with(&mut self, prepared: &AttributeList) {
        self.attributes.0.begin_with(prepared);
    }

    /// Replaces ids, parent and trace state, as for a parent that becomes known late.
    pub fn set_identity(&mut self, identity: SpanIdentity) {
        self.identity = identity;
    }

    /// Replaces the kind.
    pub fn set_kind(&mut self, kind: SpanKind) {
        self.kind = kind;
    }

    /// Counts attributes as discarded that could not be set.
    pub fn add_dropped_attributes(&mut self, dropped: u32) {
        self.attributes.0.add_dropped(dropped);
    }

    /// Sets an attribute; the last value of a key wins (row T12).
    #[inline]
    pub fn set_attribute<'k>(
        &mut self,
        key: impl Into<Key<'k>>,
        value: Value<'_>,
        limits: &SpanLimits,
    ) {
        self.attributes.0.set(key, value, &limits.attributes);
    }

    /// [`set_attribute`](Self::set_attribute) for a string.
    #[inline(always)]
    pub fn set_str<'k>(&mut self, key: impl Into<Key<'k>>, text: &str, limits: &SpanLimits) {
        self.attributes.0.set_str(key, text, &limits.attributes);
    }

    /// [`set_attribute`](Self::set_attribute) for an integer.
    #[inline(always)]
    pub fn set_i64<'k>(&mut self, key: impl Into<Key<'k>>, int: i64, limits: &SpanLimits) {
        self.attributes.0.set_i64(key, int, &limits.attributes);
    }

    /// [`set_attribute`](Self::set_attribute) for a floating-point number.
    #[inline(always)]
    pub fn set_f64<'k>(&mut self, key: impl Into<Key<'k>>, number: f64, limits: &SpanLimits) {
        self.attributes.0.set_f64(key, number, &limits.attributes);
    }

    /// [`set_attribute`](Self::set_attribute) for a boolean.
    #[inline(always)]
    pub fn set_bool<'k>(&mut self, key: impl Into<Key<'k>>, value: bool, limits: &SpanLimits) {
        self.attributes.0.set_bool(key, value, &limits.attributes);
    }

    /// Adds an event. `attributes` is called to set the event's own attributes.
    pub fn add_event(
        &mut self,
        name: &str,
        time_unix_nano: u64,
        limits: &SpanLimits,
        attributes: impl FnOnce(&mut dyn FnMut(&str, Value<'_>)),
    ) {
        self.add_event_with_dropped(name, time_unix_nano, 0, limits, attributes);
    }

    /// [`add_event`](Self::add_event) for an event that has lost `dropped` attributes before; they
    /// are added to those that the limits discard.
    pub fn add_event_with_dropped(
        &mut self,
        name: &str,
        time_unix_nano: u64,
        dropped: u32,
        limits: &SpanLimits,
        attributes: impl FnOnce(&mut dyn FnMut(&str, Value<'_>)),
    ) {
        if self.events.is_full(limits.events) {
            return;
        }
        let list = self.scratch.collect(&limits.event_attributes(), attributes);
        put_event(&mut self.events, name, time_unix_nano, dropped, list);
    }

    /// [`add_event`](Self::add_event) with attributes that are encoded already, in a list from
    /// [`event_attribute_list`](Self::event_attribute_list) under
    /// [`SpanLimits::event_attributes`](SpanLimits::event_attributes).
    pub fn add_encoded_event(
        &mut self,
        name: &str,
        time_unix_nano: u64,
        limits: &SpanLimits,
        attributes: &AttributeList,
    ) {
        if !self.events.is_full(limits.events) {
            put_event(&mut self.events, name, time_unix_nano, 0, attributes);
        }
    }

    /// Counts events as discarded that could not be added.
    pub fn add_dropped_events(&mut self, dropped: u32) {
        self.events.dropped = self.events.dropped.saturating_add(dropped);
    }

    /// Adds a link. `attributes` is called to set the link's own attributes.
    pub fn add_link(
        &mut self,
        link: LinkContext<'_>,
        limits: &SpanLimits,
        attributes: impl FnOnce(&mut dyn FnMut(&str, Value<'_>)),
    ) {
        self.add_link_with_dropped(link, 0, limits, attributes);
    }

    /// [`add_link`](Self::add_link) for a link that has lost `dropped` attributes before; they are
    /// added to those that the limits discard.
    pub fn add_link_with_dropped(
        &mut self,
        link: LinkContext<'_>,
        dropped: u32,
        limits: &SpanLimits,
        attributes: impl FnOnce(&mut dyn FnMut(&str, Value<'_>)),
    ) {
        if self.links.is_full(limits.links) {
            return;
        }
        let list = self.scratch.collect_link(&limits.link_attributes(), attributes);
        self.links.lost_inside |= list.has_lost();
        let dropped = list.dropped().saturating_add(dropped);
        let len = (2 + 16)
            + (2 + 8)
            + len_non_empty_len(link.trace_state.len())
            + list.as_bytes().len()
            + varint_non_zero_len(dropped.into())
            + 5;
        self.links.push(LINK, len, |buf| {
            put_len(buf, key(1, LEN), &link.trace_id);
            put_len(buf, key(2, LEN), &link.span_id);
            put_len_non_empty(buf, key(3, LEN), link.trace_state.as_bytes());
            buf.extend_from_slice(list.as_bytes());
            put_varint_non_zero(buf, key(5, VARINT), dropped.into());
            buf.push(key(6, FIXED32));
            buf.extend_from_slice(&wire_flags(link.trace_flags, link.is_remote).to_le_bytes());
        });
    }

    /// Counts what the span has lost before, elsewhere: it is added to what the limits discard here.
    pub fn count_dropped(&mut self, attributes: u32, events: u32, links: u32) {
        self.attributes.0.count_dropped_before(attributes);
        self.events.dropped = self.events.dropped.saturating_add(events);
        self.links.dropped = self.links.dropped.saturating_add(links);
    }

    /// Sets the status under the rules of row T13: `Ok` is final, `Unset` is ignored, a
    /// description is kept only with `Error`.
    pub fn set_status(&mut self, code: StatusCode, description: impl Into<Cow<'static, str>>) {
        if code == StatusCode::Unset || self.status == StatusCode::Ok {
            return;
        }
        self.status = code;
        self.status_message = match code {
            StatusCode::Error => description.into(),
            _ => Cow::Borrowed(""),
        };
    }

    /// Replaces the name by a copy, in memory that the encoder keeps: no allocation for a name of ordinary
    /// length in an encoder that is used again.
    pub fn copy_name(&mut self, name: &str) {
        self.keep_memory_of_name();
        let mut copy = std::mem::take(&mut self.spare_name);
        copy.push_str(name);
        self.name = Cow::Owned(copy);
    }

    #[inline]
    fn keep_memory_of_name(&mut self) {
        if let Cow::Owned(mut name) = std::mem::replace(&mut self.name, Cow::Borrowed(""))
            && name.capacity() <= NAME_BYTES_KEPT
        {
            name.clear();
            self.spare_name = name;
        }
    }

    /// Replaces the name.
    pub fn update_name(&mut self, name: impl Into<Cow<'static, str>>) {
        self.name = name.into();
    }

    /// Replaces the `tracestate`, as a sampler may.
    pub fn set_trace_state(&mut self, trace_state: impl Into<Cow<'static, str>>) {
        self.identity.trace_state = trace_state.into();
    }

    /// Appends the span as an item of its scope: field key, length, message.
    pub fn put_item(&self, end_unix_nano: u64, buf: &mut Vec<u8>) {
        self.put_sized(end_unix_nano, self.sizes(end_unix_nano), buf);
    }

    /// [`put_item`](Self::put_item) with sizes that were measured for the same end.
    #[inline]
    pub fn put_sized(&self, end_unix_nano: u64, sizes: SpanSizes, buf: &mut Vec<u8>) {
        buf.reserve(len_field(sizes.message));
        put_len_header(buf, ITEM, sizes.message);
        self.put_message(end_unix_nano, &sizes, buf);
    }

    /// Exact length of what [`put_item`](Self::put_item) appends.
    #[inline]
    #[must_use]
    pub fn item_len(&self, end_unix_nano: u64) -> usize {
        len_field(self.sizes(end_unix_nano).message)
    }

    /// The span as a value of its own.
    #[must_use]
    pub fn encode(&self, end_unix_nano: u64) -> EncodedSpan {
        let sizes = self.sizes(end_unix_nano);
        let mut buf = Vec::with_capacity(sizes.message);
        self.put_message(end_unix_nano, &sizes, &mut buf);
        EncodedSpan::from_encoder(Bytes::from(buf))
    }

    /// Measures the span as it would be encoded with this end.
    #[inline]
    #[must_use]
    pub fn sizes(&self, end_unix_nano: u64) -> SpanSizes {
        let status = self.status_len();
        let message = 2
            + 16
            + 2
            + 8
            + len_non_empty_len(self.identity.trace_state.len())
            + if self.identity.parent.is_some() { 2 + 8 } else { 0 }
            + len_non_empty_len(self.name.len())
            + 2
            + fixed64_non_zero_len(self.start_unix_nano)
            + fixed64_non_zero_len(end_unix_nano)
            + self.attributes.0.as_bytes().len()
            + varint_non_zero_len(self.attributes.0.dropped().into())
            + self.events.buf.len()
            + varint_non_zero_len(self.events.dropped.into())
            + self.links.buf.len()
            + varint_non_zero_len(self.links.dropped.into())
            + if self.status == StatusCode::Unset { 0 } else { len_field(status) }
            + 6;
        SpanSizes { message, status }
    }

    #[inline]
    fn status_len(&self) -> usize {
        len_non_empty_len(self.status_message.len())
            + if self.status == StatusCode::Unset { 0 } else { 2 }
    }

    #[inline]
    fn put_message(&self, end_unix_nano: u64, sizes: &SpanSizes, buf: &mut Vec<u8>) {
        let identity = &self.identity;
        put_ids(buf, identity);
        put_len_non_empty(buf, key(5, LEN), self.name.as_bytes());
        self.put_kind_and_times(end_unix_nano, buf);
        buf.extend_from_slice(self.attributes.0.as_bytes());
        put_varint_non_zero(buf, key(10, VARINT), self.attributes.0.dropped().into());
        buf.extend_from_slice(&self.events.buf);
        put_varint_non_zero(buf, key(12, VARINT), self.events.dropped.into());
        buf.extend_from_slice(&self.links.buf);
        put_varint_non_zero(buf, key(14, VARINT), self.links.dropped.into());
        if self.status != StatusCode::Unset {
            put_len_header(buf, key(15, LEN), sizes.status);
            put_len_non_empty(buf, key(2, LEN), self.status_message.as_bytes());
            buf.extend_from_slice(&[key(3, VARINT), self.status.number()]);
        }
        let remote = identity.parent.is_some_and(|parent| parent.is_remote);
        let flags = wire_flags(identity.trace_flags, remote).to_le_bytes();
        let [a, b, c, d] = flags;
        buf.extend_from_slice(&[FLAGS_KEY[0], FLAGS_KEY[1], a, b, c, d]);
    }

    #[inline]
    fn put_kind_and_times(&self, end_unix_nano: u64, buf: &mut Vec<u8>) {
        let kind = self.kind as u8;
        if self.start_unix_nano == 0 || end_unix_nano == 0 {
            buf.extend_from_slice(&[key(6, VARINT), kind]);
            put_fixed64_non_zero(buf, key(7, FIXED64), self.start_unix_nano);
            put_fixed64_non_zero(buf, key(8, FIXED64), end_unix_nano);
            return;
        }
        let mut bytes = [0; 2 + 9 + 9];
        let [kind_key, kind_byte, start_key, start @ .., _, _, _, _, _, _, _, _, _] = &mut bytes;
        (*kind_key, *kind_byte, *start_key) = (key(6, VARINT), kind, key(7, FIXED64));
        *start = self.start_unix_nano.to_le_bytes();
        let [.., end_key, _, _, _, _, _, _, _, _] = &mut bytes;
        *end_key = key(8, FIXED64);
        if let Some(end) = bytes.last_chunk_mut() {
            *end = end_unix_nano.to_le_bytes();
        }
        buf.extend_from_slice(&bytes);
    }
}

/// Appends an event; `dropped` attributes were lost before the list was made.
fn put_event(
    events: &mut Items,
    name: &str,
    time_unix_nano: u64,
    dropped: u32,
    attributes: &AttributeList,
) {
    events.lost_inside |= attributes.has_lost();
    let dropped = attributes.dropped().saturating_add(dropped);
    let len = fixed64_non_zero_len(time_unix_nano)
        + len_non_empty_len(name.len())
        + attributes.as_bytes().len()
        + varint_non_zero_len(dropped.into());
    events.push(EVENT, len, |buf| {
        put_fixed64_non_zero(buf, key(1, FIXED64), time_unix_nano);
        put_len_non_empty(buf, key(2, LEN), name.as_bytes());
        buf.extend_from_slice(attributes.as_bytes());
        put_varint_non_zero(buf, key(4, VARINT), dropped.into());
    });
}

/// Trace id, span id, trace state, parent: fields 1 to 4.
#[inline]
fn put_ids(buf: &mut Vec<u8>, identity: &SpanIdentity) {
    let mut ids = [0; 18 + 10];
    let [trace_key, trace_len, trace_id @ .., _, _, _, _, _, _, _, _, _, _] = &mut ids;
    (*trace_key, *trace_len, *trace_id) = (key(1, LEN), 16, identity.trace_id);
    let [.., span_key, span_len, _, _, _, _, _, _, _, _] = &mut ids;
    (*span_key, *span_len) = (key(2, LEN), 8);
    if let Some(span_id) = ids.last_chunk_mut() {
        *span_id = identity.span_id;
    }
    buf.extend_from_slice(&ids);
    put_len_non_empty(buf, key(3, LEN), identity.trace_state.as_bytes());
    if let Some(parent) = &identity.parent {
        let [a, b, c, d, e, f, g, h] = parent.span_id;
        buf.extend_from_slice(&[key(4, LEN), 8, a, b, c, d, e, f, g, h]);
    }
}

/// What processors, samplers and debug output read back.
impl SpanEncoder {
    /// Ids and context.
    #[must_use]
    pub fn identity(&self) -> &SpanIdentity {
        &self.identity
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The kind.
    #[must_use]
    pub fn kind(&self) -> SpanKind {
        self.kind
    }

    /// Start time in nanoseconds since the Unix epoch.
    #[must_use]
    pub fn start_unix_nano(&self) -> u64 {
        self.start_unix_nano
    }

    /// The attributes, encoded.
    #[must_use]
    pub fn attributes(&self) -> &AttributeList {
        &self.attributes.0
    }

    /// Takes an attribute out, as a processor that redacts does.
    pub fn remove_attribute(&mut self, key: &str) -> bool {
        self.attributes.0.remove(key)
    }

    /// The events, each with name, time and attributes.
    pub fn events(&self) -> impl ExactSizeIterator<Item = EventView<'_>> {
        self.events.read(events_in(Reader::new(&self.events.buf)))
    }

    /// Number of events that were discarded.
    #[must_use]
    pub fn dropped_events(&self) -> u32 {
        self.events.dropped
    }

    /// The links, each with the linked span and attributes.
    pub fn links(&self) -> impl ExactSizeIterator<Item = LinkView<'_>> {
        self.links.read(links_in(Reader::new(&self.links.buf)))
    }

    /// Number of links that were discarded.
    #[must_use]
    pub fn dropped_links(&self) -> u32 {
        self.links.dropped
    }

    /// Bytes of memory that it keeps for the next span.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.attributes.0.memory()
            + self.events.buf.capacity()
            + self.links.buf.capacity()
            + self.scratch.memory()
            + self.spare_name.capacity()
    }

    /// Whether anything was discarded because of the limits, of the span or of its events and links:
    /// whole ones, or arrays and maps that stood too deep.
    #[inline]
    #[must_use]
    pub fn is_limited(&self) -> bool {
        self.attributes.0.has_lost()
            || self.events.dropped | self.links.dropped != 0
            || self.events.lost_inside
            || self.links.lost_inside
    }

    /// Status code and description.
    #[must_use]
    pub fn status(&self) -> (StatusCode, &str) {
        (self.status, &self.status_message)
    }
}

/// The span's own attributes: field 9.
#[derive(Debug)]
struct SpanAttributes(AttributeList);

impl Default for SpanAttributes {
    fn default() -> Self {
        Self(AttributeList::new(9))
    }
}

/// Lengths of an encoded span, measured before it is written.
#[derive(Clone, Copy, Debug)]
pub struct SpanSizes {
    message: usize,
    status: usize,
}

impl SpanSizes {
    /// Exact length as an item of a scope: field key, length, message.
    #[inline]
    #[must_use]
    pub const fn item_len(&self) -> usize {
        len_field(self.message)
    }
}

/// `Span.flags` and `Link.flags` (row F1): the W3C flags, "remoteness is known", and remoteness.
#[inline]
const fn wire_flags(trace_flags: u8, is_remote: bool) -> u32 {
    trace_flags as u32 | HAS_IS_REMOTE | if is_remote { IS_REMOTE } else { 0 }
}

const ITEM: u8 = key(2, LEN);
/// What a cleared encoder may keep for the name.
const NAME_BYTES_KEPT: usize = 256;
const EVENT: u8 = key(11, LEN);
const LINK: u8 = key(13, LEN);
/// Field 16, four bytes: the only key of a span that takes two bytes.
const FLAGS_KEY: [u8; 2] = [0x85, 0x01];
const HAS_IS_REMOTE: u32 = 0x100;
const IS_REMOTE: u32 = 0x200;

#[cfg(test)]
mod tests;
