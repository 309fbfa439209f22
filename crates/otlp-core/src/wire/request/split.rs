//! A request cut into several, each with its own envelopes.

use bytes::Bytes;

use super::cursor::{Cursor, Level};
use super::weight;
use crate::payload::{Payload, Rope, SplitLimit};
use crate::signal::Signal;
use crate::wire::WireError;
use crate::wire::reader::Input as _;
use crate::wire::writer::{LEN, key, len_field, put_len_header};

/// Cuts a request into requests of at most `limit` bytes and items, in order.
///
/// Items keep their bytes and are not copied. Their envelopes are written anew in each request:
/// resource, scope, schema URLs and unknown fields of all three levels are repeated with it, and
/// the lengths fit the new content. An item that is over the byte limit with its envelopes comes
/// alone in a request over the limit. Envelopes without items are left out (row W3), and so are
/// metrics without data points; a request that has nothing else gives no requests.
///
/// A metric is not cut: one with more data points than the limit comes alone.
///
/// # Errors
///
/// The envelopes are not well-formed.
pub fn split(signal: Signal, request: &Rope, limit: SplitLimit) -> Result<Vec<Payload>, WireError> {
    let mut request = Cursor::new(request);
    let header = header(request.clone(), Level::REQUEST)?;
    let mut splitter = Splitter::new(signal, limit, header);
    while let Some(mut resource) = request.next_child(Level::REQUEST)? {
        splitter.enter_resource(self::header(resource.clone(), Level::RESOURCE)?);
        while let Some(mut scope) = resource.next_child(Level::RESOURCE)? {
            splitter.enter_scope(self::header(scope.clone(), Level::SCOPE)?);
            splitter.take_items(&mut scope)?;
        }
    }
    Ok(splitter.finish())
}

/// All fields of an envelope but its children, in one piece.
///
/// One piece, because the header is repeated in every part: a hostile envelope with a million
/// unknown fields between its children must not make each part a million pieces long.
fn header(mut envelope: Cursor<'_>, level: Level) -> Result<Bytes, WireError> {
    let mut fields = Rope::new();
    let mut run = Run::default();
    while envelope.remaining() > 0 {
        let start = envelope.clone();
        if envelope.next_field(level)?.is_none() {
            let len = envelope.offset() - start.offset();
            run.extend(start, len, &mut fields);
        }
    }
    run.flush(&mut fields);
    Ok(fields.to_bytes())
}

/// Adjacent bytes, collected so that neighbours become one slice.
#[derive(Default)]
struct Run<'a> {
    start: Option<Cursor<'a>>,
    len: usize,
}

impl<'a> Run<'a> {
    fn extend(&mut self, start: Cursor<'a>, len: usize, out: &mut Rope) {
        match &self.start {
            Some(open) if open.offset() + self.len == start.offset() => self.len += len,
            _ => {
                self.flush(out);
                (self.start, self.len) = (Some(start), len);
            }
        }
    }

    fn flush(&mut self, out: &mut Rope) {
        if let Some(start) = self.start.take() {
            start.slice_into(self.len, out);
        }
        self.len = 0;
    }
}

/// An open envelope: its header, and the finished content behind it.
#[derive(Default)]
struct Envelope {
    header: Bytes,
    content: Rope,
}

impl Envelope {
    fn len(&self) -> usize {
        self.header.len() + self.content.len()
    }

    /// Closes the envelope into field `field` of `parent`, unless it is empty.
    fn close_into(&mut self, field: u8, parent: &mut Rope) {
        if self.content.is_empty() {
            return;
        }
        let mut prefix = Vec::with_capacity(PREFIX_MAX + self.header.len().min(INLINE_MAX));
        put_len_header(&mut prefix, key(field, LEN), self.len());
        if self.header.len() <= INLINE_MAX {
            prefix.extend_from_slice(&self.header);
            parent.push(prefix.into());
        } else {
            parent.push(prefix.into());
            parent.push(self.header.clone());
        }
        parent.append(&std::mem::take(&mut self.content));
    }
}

struct Splitter<'a> {
    signal: Signal,
    limit: SplitLimit,
    request: Envelope,
    resource: Envelope,
    scope: Envelope,
    /// The items behind `scope.content`, not sliced yet.
    run: Run<'a>,
    items: usize,
    parts: Vec<Payload>,
}

impl<'a> Splitter<'a> {
    fn new(signal: Signal, limit: SplitLimit, header: Bytes) -> Self {
        Self {
            signal,
            limit,
            request: Envelope { header, ..Envelope::default() },
            resource: Envelope::default(),
            scope: Envelope::default(),
            run: Run::default(),
            items: 0,
            parts: Vec::new(),
        }
    }

    fn enter_resource(&mut self, header: Bytes) {
        self.close_resource();
        self.resource.header = header;
    }

    fn enter_scope(&mut self, header: Bytes) {
        self.close_scope();
        self.scope.header = header;
    }

    fn take_items(&mut self, scope: &mut Cursor<'a>) -> Result<(), WireError> {
        while scope.remaining() > 0 {
            let start = scope.clone();
            let Some((_, item)) = scope.next_field(Level::SCOPE)? else {
                continue;
            };
            let weight = weight(self.signal, item)?;
            if weight > 0 {
                let len = scope.offset() - start.offset();
                self.push(start, len, weight);
            }
        }
        Ok(())
    }

    fn push(&mut self, item: Cursor<'a>, len: usize, weight: usize) {
        let items = self.items.saturating_add(weight);
        let full = items > self.limit.items || self.len_with(len) > self.limit.bytes;
        if self.items > 0 && full {
            self.cut();
        }
        self.items = self.items.saturating_add(weight);
        self.run.extend(item, len, &mut self.scope.content);
    }

    /// Length of the part being made if `more` bytes of items were added and all was closed.
    fn len_with(&self, more: usize) -> usize {
        let scope = len_field(self.scope.len() + self.run.len + more);
        self.request.len() + len_field(self.resource.len() + scope)
    }

    /// Ends a part; the open envelopes go on in the next one.
    fn cut(&mut self) {
        self.close_resource();
        let mut rope = Rope::from(self.request.header.clone());
        rope.append(&std::mem::take(&mut self.request.content));
        self.parts.push(Payload::from_parts(self.signal, rope, self.items));
        self.items = 0;
    }

    fn close_scope(&mut self) {
        self.run.flush(&mut self.scope.content);
        self.scope.close_into(2, &mut self.resource.content);
    }

    fn close_resource(&mut self) {
        self.close_scope();
        self.resource.close_into(1, &mut self.request.content);
    }

    fn finish(mut self) -> Vec<Payload> {
        if self.items > 0 {
            self.cut();
        }
        self.parts
    }
}

/// Room for a key and a length.
const PREFIX_MAX: usize = 11;

/// A header up to this length is copied behind its prefix, which is cheaper than one more piece.
const INLINE_MAX: usize = 256;
