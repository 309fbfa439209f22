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
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeHeader(Header);

/// The field in front of the items and the one behind them.
#[derive(Clone, Debug, PartialEq, Eq)]
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
        Self { head: head.into(), tail: tail.into() }
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

    let mut small = Vec::with_capacity(128);
    put_len_header(&mut small, key(1, LEN), resource.0.len() + scopes_len);
    let mut rope = Rope::with_capacity(3 + scopes.iter().map(|s| s.items.len() + 2).sum::<usize>());
    small.extend_from_slice(&resource.0.head);
    for scope in filled() {
        put_len_header(&mut small, key(2, LEN), scope_len(scope));
        small.extend_from_slice(&scope.scope.0.head);
        rope.push(std::mem::take(&mut small).into());
        for part in &scope.items {
            rope.push(part.clone());
        }
        small.extend_from_slice(&scope.scope.0.tail);
    }
    small.extend_from_slice(&resource.0.tail);
    rope.push(small.into());
    Payload::from_parts(signal, rope, count)
}

/// Bytes that a request takes beyond its items, at most, for one scope.
#[must_use]
pub fn overhead(resource: &ResourceHeader, scope: &ScopeHeader) -> usize {
    // Two keys and two lengths of at most five bytes each: requests stay far below 4 GiB.
    resource.0.len() + scope.0.len() + 12
}

/// Bytes that a request takes beyond one scope and its items, at most.
#[must_use]
pub fn overhead_of_resource(resource: &ResourceHeader) -> usize {
    resource.0.len() + 12
}
