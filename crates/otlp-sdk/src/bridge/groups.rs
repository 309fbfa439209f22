//! Items of a batch by instrumentation scope, as OTLP has them.

use std::collections::HashMap;

use bytes::Bytes;
use opentelemetry::InstrumentationScope;
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader, ScopeItems, build_request};
use otlp_core::{Payload, Signal};

use crate::value::{scope_header, scope_header_named};

/// What an item stands under in a request.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Heading<'a> {
    pub(super) scope: &'a InstrumentationScope,
    /// The module that has logged: it takes the place of the scope's name, as the official exporter has
    /// it.
    pub(super) target: Option<&'a str>,
}

impl Heading<'_> {
    fn header(self) -> ScopeHeader {
        match self.target {
            Some(target) => scope_header_named(self.scope, target),
            None => scope_header(self.scope),
        }
    }
}

/// A batch in OTLP bytes.
pub(super) struct Encoded {
    pub(super) payload: Payload,
    /// Items that no request could hold.
    pub(super) too_large: usize,
}

/// The scopes of a batch, and its items in the order in which they are written: scope by scope, each
/// in the order of the batch.
pub(super) struct Groups {
    headers: Vec<ScopeHeader>,
    /// Scope and place in the batch of each item.
    items: Vec<(usize, usize)>,
}

impl Groups {
    /// Scopes are compared, not cloned; one that comes twice in a row is not looked up.
    pub(super) fn of<'a>(headings: impl Iterator<Item = Heading<'a>>) -> Self {
        let mut headers = Vec::new();
        let mut known = HashMap::new();
        let mut last: Option<(Heading<'_>, usize)> = None;
        let mut items = Vec::with_capacity(headings.size_hint().0);
        for (place, heading) in headings.enumerate() {
            let group = match last {
                Some((same, group)) if same == heading => group,
                _ => *known.entry(heading).or_insert_with(|| {
                    headers.push(heading.header());
                    headers.len() - 1
                }),
            };
            last = Some((heading, group));
            items.push((group, place));
        }
        if headers.len() > 1 {
            items.sort_unstable();
        }
        Self { headers, items }
    }

    /// The request, its items in one buffer of about `capacity` bytes. `put` writes the item at a
    /// place of the batch, or nothing if it is too large.
    pub(super) fn encode(
        self,
        signal: Signal,
        resource: &ResourceHeader,
        capacity: usize,
        mut put: impl FnMut(usize, &mut Vec<u8>) -> bool,
    ) -> Encoded {
        let mut buf = Vec::with_capacity(capacity);
        let mut ends = Vec::with_capacity(self.headers.len());
        let mut written = 0;
        for of_scope in self.items.chunk_by(|(a, _), (b, _)| a == b) {
            written += of_scope.iter().filter(|(_, place)| put(*place, &mut buf)).count();
            ends.push(buf.len());
        }
        let mut bytes = Bytes::from(buf);
        let mut start = 0;
        let scopes = self.headers.iter().zip(ends).map(|(scope, end)| {
            let items = vec![bytes.split_to(end - start)];
            start = end;
            ScopeItems { scope, items }
        });
        let scopes: Vec<_> = scopes.collect();
        let payload = build_request(signal, resource, &scopes, written);
        Encoded { payload, too_large: self.items.len() - written }
    }
}
