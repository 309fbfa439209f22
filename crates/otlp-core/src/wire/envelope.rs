//! The envelopes around items: resource and scope headers, and a whole request from its parts.
//!
//! A request is `ResourceX { resource, ScopeX { scope, items… , schema_url }, schema_url }`, with
//! the same field numbers for every signal. Headers are encoded once and shared; building a
//! request writes only lengths and keys, and moves the items by reference count.

use bytes::Bytes;

use crate::limits::AttributeLimits;
use crate::payload::{Payload, Rope};
use crate::signal::Signal;

use super::attribute::AttributeList;
use super::value::Value;
use super::writer::{
    LEN, VARINT, key, len_field, put_len_header, put_len_non_empty, put_message,
    put_varint_non_zero,
};

/// An encoded `Resource` with its schema URL: the header of every request of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceHeader(Header);

/// An encoded `InstrumentationScope` with its schema URL: the header of a tracer's items.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScopeHeader(Header);

/// The field in front of the items and the one behind them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Header {
    head: Bytes,
    tail: Bytes,
}

impl ResourceHeader {
    /// Encodes a resource. Keys are unique, the last value of a key wins; nothing is cut, since
    /// resources are exempt from limits (row L5). What [`AttributeList`] refuses all the same (an
    /// empty key, more than 64 MiB) is counted in the resource.
    pub fn encode<'a>(
        attributes: impl IntoIterator<Item = (&'a str, Value<'a>)>,
        schema_url: &str,
    ) -> Self {
        let mut list = AttributeList::new(1);
        for (key, value) in attributes {
            list.set(key, value, &AttributeLimits::EXEMPT);
        }
        Self(Header::new(schema_url, |buf| {
            buf.extend_from_slice(list.as_bytes());
            put_varint_non_zero(buf, key(2, VARINT), list.dropped().into());
        }))
    }

    /// Takes the body of an encoded `Resource` message.
    #[must_use]
    pub fn from_message(resource: &[u8], schema_url: &str) -> Self {
        Self(Header::new(schema_url, |buf| buf.extend_from_slice(resource)))
    }
}

impl ScopeHeader {
    /// Encodes an instrumentation scope.
    pub fn encode<'a>(
        name: &str,
        version: &str,
        attributes: impl IntoIterator<Item = (&'a str, Value<'a>)>,
        schema_url: &str,
    ) -> Self {
        let mut list = AttributeList::new(3);
        for (key, value) in attributes {
            list.set(key, value, &AttributeLimits::EXEMPT);
        }
        Self::from_attributes(name, version, &list, schema_url)
    }

    /// Bytes that the header takes in a request, in front of the items and behind them.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        self.0.len()
    }

    /// Encodes an instrumentation scope whose attributes are encoded as field 3 already.
    #[must_use]
    pub fn from_attributes(
        name: &str,
        version: &str,
        attributes: &AttributeList,
        schema_url: &str,
    ) -> Self {
        Self(Header::new(schema_url, |buf| {
            put_len_non_empty(buf, key(1, LEN), name.as_bytes());
            put_len_non_empty(buf, key(2, LEN), version.as_bytes());
            buf.extend_from_slice(attributes.as_bytes());
            put_varint_non_zero(buf, key(4, VARINT), attributes.dropped().into());
        }))
    }
}

impl Header {
    fn new(schema_url: &str, content: impl FnOnce(&mut Vec<u8>)) -> Self {
        let mut head = Vec::new();
        put_message(&mut head, key(1, LEN), content);
        let mut tail = Vec::new();
        put_len_non_empty(&mut tail, key(3, LEN), schema_url.as_bytes());
        // Kept for long, so without the room that the vectors have grown beyond their content.
        Self { head: head.into_boxed_slice().into(), tail: tail.into_boxed_slice().into() }
    }

    fn len(&self) -> usize {
        self.head.len() + self.tail.len()
    }
}

/// Items of one scope, in pieces that each hold whole items (key and length included).
#[derive(Debug)]
pub struct ScopeItems<'a> {
    /// The header of the scope.
    pub scope: &'a ScopeHeader,
    /// The encoded items.
    pub items: Vec<Bytes>,
}

/// Builds a request of one resource from its scopes. Scopes without items are left out, and so is
/// the resource if nothing is left (row W3).
///
/// `count` is the number of items in all pieces. Costs a few bytes of copying per scope.
#[must_use]
pub fn build_request(
    signal: Signal,
    resource: &ResourceHeader,
    scopes: &[ScopeItems<'_>],
    count: usize,
) -> Payload {
    let scope_len = |scope: &ScopeItems<'_>| {
        scope.scope.0.len() + scope.items.iter().map(Bytes::len).sum::<usize>()
    };
    let filled = || scopes.iter().filter(|scope| scope.items.iter().any(|part| !part.is_empty()));
    if filled().next().is_none() {
        return Payload::from_parts(signal, Rope::new(), 0);
    }
    let scopes_len: usize = filled().map(|scope| len_field(scope_len(scope))).sum();

    // All headers in one buffer of their size, of which the rope takes slices: a request may have
    // as many scopes as items, and each would cost two allocations more than its bytes.
    let headers_len: usize = filled().map(|scope| scope.scope.0.len() + PREFIX_MAX).sum();
    let mut headers = Vec::with_capacity(resource.0.len() + PREFIX_MAX + headers_len);
    let mut cuts = Vec::with_capacity(scopes.len());
    put_len_header(&mut headers, key(1, LEN), resource.0.len() + scopes_len);
    headers.extend_from_slice(&resource.0.head);
    for scope in filled() {
        put_len_header(&mut headers, key(2, LEN), scope_len(scope));
        headers.extend_from_slice(&scope.scope.0.head);
        cuts.push(headers.len());
        headers.extend_from_slice(&scope.scope.0.tail);
    }
    headers.extend_from_slice(&resource.0.tail);

    let mut headers = Bytes::from(headers);
    let mut rope = Rope::with_capacity(1 + scopes.iter().map(|s| s.items.len() + 1).sum::<usize>());
    let mut start = 0;
    for (scope, cut) in filled().zip(cuts) {
        rope.push(headers.split_to(cut - start));
        start = cut;
        for part in &scope.items {
            rope.push(part.clone());
        }
    }
    rope.push(headers);
    Payload::from_parts(signal, rope, count)
}

/// Bytes that a request takes beyond its items, at most, for one scope.
#[must_use]
pub fn overhead(resource: &ResourceHeader, scope: &ScopeHeader) -> usize {
    resource.0.len() + scope.0.len() + 2 * PREFIX_MAX
}

/// Bytes that a request takes beyond one scope and its items, at most.
#[must_use]
pub fn overhead_of_resource(resource: &ResourceHeader) -> usize {
    resource.0.len() + 2 * PREFIX_MAX
}

/// A key and a length of at most five bytes: requests stay far below 4 GiB.
const PREFIX_MAX: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;

    const ITEM: Bytes = Bytes::from_static(&[0x12, 0]);

    #[test]
    fn a_request_takes_no_more_than_its_items_and_the_overhead() {
        let resource = ResourceHeader::encode([("service.name", Value::from("test"))], "r");
        for name_len in [0, 1, 100, 200, 20_000, 3_000_000] {
            let scope = ScopeHeader::encode(&"n".repeat(name_len), "1", [], "schema");
            let items = [ScopeItems { scope: &scope, items: vec![ITEM] }];
            let payload = build_request(Signal::Traces, &resource, &items, 1);
            let most = ITEM.len() + overhead(&resource, &scope);
            assert!((most - 10..=most).contains(&payload.len()), "{} of {most}", payload.len());
            assert_eq!(
                overhead(&resource, &scope),
                overhead_of_resource(&resource) + scope.encoded_len()
            );
        }
    }

    #[test]
    fn the_headers_of_a_request_share_one_buffer() {
        let resource = ResourceHeader::encode([], "r");
        let scopes: Vec<_> =
            ["a", "b", "c"].map(|name| ScopeHeader::encode(name, "", [], name)).into();
        let items = |scope| ScopeItems { scope, items: vec![ITEM] };
        let items: Vec<_> = scopes.iter().map(items).collect();
        let payload = build_request(Signal::Traces, &resource, &items, 3);
        let headers: Vec<_> = payload.rope().parts().iter().step_by(2).collect();
        assert_eq!(headers.len(), 4);
        for two in headers.windows(2) {
            assert_eq!(two[0].as_ptr_range().end, two[1].as_ptr());
        }
    }
}
