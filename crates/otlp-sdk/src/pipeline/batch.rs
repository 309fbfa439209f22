//! The worker's queue and the decision what goes into the next request. Pure.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader, ScopeItems, build_request, overhead};
use otlp_core::wire::varint;
use otlp_core::{Payload, Signal};

use super::slot::Segment;

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
    items: usize,
    bytes: usize,
}

/// How large a request may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchLimit {
    pub(crate) items: usize,
    pub(crate) bytes: usize,
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
        limit: BatchLimit,
        resource: &ResourceHeader,
    ) -> Option<Batch> {
        let mut batch = Batch::default();
        let mut request_bytes = 0;
        while let Some(segment) = self.segments.pop_front() {
            let extra = batch.overhead(&segment.scope, resource);
            let room = limit.bytes.saturating_sub(request_bytes + extra);
            let (taken, left) =
                cut(segment, limit.items.max(1) - batch.items, room, batch.items == 0);
            if let Some(taken) = taken {
                request_bytes += extra + taken.bytes.len();
                batch.push(taken);
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
        (batch.items > 0).then_some(batch)
    }

    /// Takes everything, to be dropped.
    pub(crate) fn clear(&mut self) -> (usize, usize) {
        let bytes = self.segments.drain(..).map(|segment| segment.bytes.len()).sum();
        (std::mem::take(&mut self.items), bytes)
    }
}

impl Batch {
    pub(crate) fn items(&self) -> usize {
        self.items
    }

    /// Bytes of the items, as they were reserved in the budget.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
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

    fn push(&mut self, segment: Segment<ScopeHeader>) {
        let Segment { scope, bytes, items } = segment;
        self.items += items as usize;
        self.bytes += bytes.len();
        match self.scopes.iter_mut().find(|(known, _)| same(known, &scope)) {
            Some((_, pieces)) => pieces.push(bytes),
            None => self.scopes.push((scope, vec![bytes])),
        }
    }

    /// Bytes that a segment takes beside its items: headers, if its scope is new in this batch.
    fn overhead(&self, scope: &Arc<ScopeHeader>, resource: &ResourceHeader) -> usize {
        let known = self.scopes.iter().any(|(known, _)| same(known, scope));
        if known { 0 } else { overhead(resource, scope) }
    }
}

fn same(a: &Arc<ScopeHeader>, b: &Arc<ScopeHeader>) -> bool {
    Arc::ptr_eq(a, b) || a == b
}

/// Cuts a segment at an item border: what fits, and what is left. With `at_least_one`, an item
/// that does not fit on its own is taken all the same.
fn cut(
    segment: Segment<ScopeHeader>,
    items: usize,
    bytes: usize,
    at_least_one: bool,
) -> (Option<Segment<ScopeHeader>>, Option<Segment<ScopeHeader>>) {
    if segment.items as usize <= items && segment.bytes.len() <= bytes {
        return (Some(segment), None);
    }
    let (mut end, mut taken) = (0, 0);
    while taken < items {
        let next = end + item_len(segment.bytes.get(end..).unwrap_or_default());
        let fits = next <= bytes || (at_least_one && taken == 0);
        if next == end || !fits {
            break;
        }
        (end, taken) = (next, taken + 1);
    }
    if taken == 0 {
        return (None, Some(segment));
    }
    let Segment { scope, bytes, items } = segment;
    let front =
        Segment { scope: Arc::clone(&scope), bytes: bytes.slice(..end), items: taken as u32 };
    let rest = items - front.items;
    let back = Segment { scope, bytes: bytes.slice(end..), items: rest };
    (Some(front), (rest > 0).then_some(back))
}

/// Length of the item at the front: one key byte, a length, the message. Zero at the end.
fn item_len(bytes: &[u8]) -> usize {
    let Some(rest) = bytes.get(1..) else { return 0 };
    match varint::decode(rest) {
        Ok((len, used)) => (1 + used).saturating_add(len as usize).min(bytes.len()),
        Err(_) => bytes.len(),
    }
}

#[cfg(test)]
mod tests;
