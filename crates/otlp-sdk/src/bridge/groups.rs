//! Items of a batch by instrumentation scope, as OTLP has them.

use std::collections::HashMap;

use bytes::Bytes;
use opentelemetry::InstrumentationScope;
use otlp_core::wire::envelope::{ResourceHeader, ScopeHeader, ScopeItems, build_request};
use otlp_core::{Payload, Signal};

use crate::value::scope_header;

/// The scopes of a batch, and its items in the order in which they are written: scope by scope, each
/// in the order of the batch.
pub(super) struct Groups {
    headers: Vec<ScopeHeader>,
    /// Scope and place in the batch of each item.
    items: Vec<(usize, usize)>,
}

impl Groups {
    /// Scopes are compared, not cloned; one that comes twice in a row is not looked up.
    pub(super) fn of<'a>(scopes: impl Iterator<Item = &'a InstrumentationScope>) -> Self {
        let mut headers = Vec::new();
        let mut known = HashMap::new();
        let mut last: Option<(&InstrumentationScope, usize)> = None;
        let mut items = Vec::with_capacity(scopes.size_hint().0);
        for (place, scope) in scopes.enumerate() {
            let group = match last {
                Some((same, group)) if same == scope => group,
                _ => *known.entry(scope).or_insert_with(|| {
                    headers.push(scope_header(scope));
                    headers.len() - 1
                }),
            };
            last = Some((scope, group));
            items.push((group, place));
        }
        if headers.len() > 1 {
            items.sort_unstable();
        }
        Self { headers, items }
    }

    /// The request, its items in one buffer of about `capacity` bytes. `put` writes the item at a
    /// place of the batch.
    pub(super) fn request(
        self,
        signal: Signal,
        resource: &ResourceHeader,
        capacity: usize,
        mut put: impl FnMut(usize, &mut Vec<u8>),
    ) -> Payload {
        let mut buf = Vec::with_capacity(capacity);
        let mut ends = Vec::with_capacity(self.headers.len());
        for of_scope in self.items.chunk_by(|(a, _), (b, _)| a == b) {
            for (_, place) in of_scope {
                put(*place, &mut buf);
            }
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
        build_request(signal, resource, &scopes, self.items.len())
    }
}
