//! The worker's queue and the decision what goes into the next request. Pure.

use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader, ScopeItems, build_request, overhead};
use otlp_core::wire::{request, varint};
use otlp_core::{Payload, Rope, Signal};

use super::slot::{Scope, Segment};

/// Segments in the order in which they were collected.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    segments: VecDeque<Segment<ScopeHeader>>,
    items: usize,
}

/// What one request holds: items by scope, in order.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    scopes: Vec<(Arc<ScopeHeader>, Vec<Bytes>)>,
    /// Where a scope is among them: by the address of its header, and for a header of the same
    /// content at another address by that.
    by_address: HashMap<usize, usize>,
    by_content: HashMap<Arc<ScopeHeader>, usize>,
    items: usize,
    reserved: usize,
}

/// How large a request may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimit {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
}

impl Scope for ScopeHeader {
    fn encoded_len(&self) -> usize {
        ScopeHeader::encoded_len(self)
    }
}

impl Extend<Segment<ScopeHeader>> for Queue {
    fn extend<I: IntoIterator<Item = Segment<ScopeHeader>>>(&mut self, segments: I) {
        for segment in segments {
            self.items += segment.items as usize;
            self.segments.push_back(segment);
        }
    }
}

impl Queue {
    pub(crate) fn items(&self) -> usize {
        self.items
    }

    /// Takes the oldest items up to the limit; at least one, so that it always gets on.
    pub(crate) fn take_batch(
        &mut self,
        signal: Signal,
        limit: BatchLimit,
        resource: &ResourceHeader,
    ) -> Option<Batch> {
        let mut batch = Batch::default();
        let mut request_bytes = 0;
        while let Some(segment) = self.segments.pop_front() {
            let place = batch.place_of(&segment.scope);
            // The headers, if the scope is new in this batch.
            let extra = place.map_or_else(|| overhead(resource, &segment.scope), |_| 0);
            let room = BatchLimit {
                items: limit.items.max(1) - batch.items,
                bytes: limit.bytes.saturating_sub(request_bytes + extra),
            };
            let (taken, left) = cut(segment, signal, room, batch.items == 0);
            if let Some(taken) = taken {
                request_bytes += extra + taken.bytes.len();
                batch.push(taken, place);
            }
            if let Some(left) = left {
                self.segments.push_front(left);
                break;
            }
            if batch.items >= limit.items {
                break;
            }
        }
        self.items -= batch.items;
        self.shrink();
        (batch.items > 0).then_some(batch)
    }

    /// Takes everything, to be dropped: items, and the bytes that are reserved for them.
    pub(crate) fn clear(&mut self) -> (usize, usize) {
        let reserved = self.segments.drain(..).map(|segment| segment.reserved).sum();
        self.shrink();
        (std::mem::take(&mut self.items), reserved)
    }

    /// Gives memory back after an outage. By halves: each costs as much as growing there did.
    fn shrink(&mut self) {
        let capacity = self.segments.capacity();
        if capacity > KEPT_PLACES && self.segments.len() <= capacity / 4 {
            self.segments.shrink_to(capacity / 2);
        }
    }
}

impl Batch {
    pub(crate) fn items(&self) -> usize {
        self.items
    }

    /// Reserved in the budget for what the batch holds.
    pub(crate) fn reserved(&self) -> usize {
        self.reserved
    }

    /// The request: all items of a scope under one header.
    pub(crate) fn into_payload(self, signal: Signal, resource: &ResourceHeader) -> Payload {
        let mut scopes = self.scopes;
        let scopes: Vec<_> = scopes
            .iter_mut()
            .map(|(scope, items)| ScopeItems { scope, items: std::mem::take(items) })
            .collect();
        build_request(signal, resource, &scopes, self.items)
    }

    /// Takes a segment, to the others of its scope or as the first.
    fn push(&mut self, segment: Segment<ScopeHeader>, place: Option<usize>) {
        let Segment { scope, bytes, items, reserved } = segment;
        self.items += items as usize;
        self.reserved += reserved;
        if let Some((_, pieces)) = place.and_then(|place| self.scopes.get_mut(place)) {
            return pieces.push(bytes);
        }
        // Only headers that the batch keeps: an address may not become that of another one.
        self.by_address.insert(address(&scope), self.scopes.len());
        self.by_content.insert(Arc::clone(&scope), self.scopes.len());
        self.scopes.push((scope, vec![bytes]));
    }

    fn place_of(&self, scope: &Arc<ScopeHeader>) -> Option<usize> {
        let known = self.by_address.get(&address(scope));
        known.or_else(|| self.by_content.get(scope)).copied()
    }
}

fn address(scope: &Arc<ScopeHeader>) -> usize {
    Arc::as_ptr(scope).addr()
}

/// Cuts a segment at an item border: what fits, and what is left. With `at_least_one`, an item
/// that does not fit on its own is taken all the same.
fn cut(
    segment: Segment<ScopeHeader>,
    signal: Signal,
    room: BatchLimit,
    at_least_one: bool,
) -> (Option<Segment<ScopeHeader>>, Option<Segment<ScopeHeader>>) {
    if segment.items as usize <= room.items && segment.bytes.len() <= room.bytes {
        return (Some(segment), None);
    }
    let (mut end, mut taken) = (0, 0);
    while taken < room.items {
        let next = end + item_len(segment.bytes.get(end..).unwrap_or_default());
        let count = taken + count_in_item(signal, &segment.bytes, end..next);
        let fits = next <= room.bytes && count <= room.items || (at_least_one && taken == 0);
        if next == end || !fits {
            break;
        }
        (end, taken) = (next, count);
    }
    if taken == 0 {
        return (None, Some(segment));
    }
    let rest = segment.items.saturating_sub(taken as u32);
    if rest == 0 || end == segment.bytes.len() {
        return (Some(segment), None);
    }
    // The scope and the memory behind the bytes stay until the last piece leaves.
    let Segment { scope, bytes, reserved, .. } = segment;
    let front = Segment {
        scope: Arc::clone(&scope),
        bytes: bytes.slice(..end),
        items: taken as u32,
        reserved: end,
    };
    let back = Segment { scope, bytes: bytes.slice(end..), items: rest, reserved: reserved - end };
    (Some(front), Some(back))
}

/// Length of the item at the front: one key byte, a length, the message. Zero at the end.
fn item_len(bytes: &[u8]) -> usize {
    let Some(rest) = bytes.get(1..) else { return 0 };
    match varint::decode(rest) {
        Ok((len, used)) => (1 + used).saturating_add(len as usize).min(bytes.len()),
        Err(_) => bytes.len(),
    }
}

/// How many items the protocol counts in the item at `range`. We wrote it: it can be read.
fn count_in_item(signal: Signal, bytes: &Bytes, range: Range<usize>) -> usize {
    if signal != Signal::Metrics {
        return 1;
    }
    let Some(item) = bytes.get(range) else { return 1 };
    let header = 1 + item.get(1..).map_or(0, |rest| varint::decode(rest).map_or(0, |(_, n)| n));
    let message = Rope::from(bytes.slice_ref(item.get(header..).unwrap_or_default()));
    request::count_in_item(signal, &message).unwrap_or(1)
}

/// A queue of so many segments keeps its memory.
const KEPT_PLACES: usize = 1024;

#[cfg(test)]
mod tests;
