//! Events and links of a span that is being recorded: their bytes, their counts, and what they are
//! made in.

use crate::wire::attribute::AttributeList;
use crate::wire::value::Value;
use crate::wire::writer::{len_field, put_len_header};
use crate::wire::{View, Views};

/// Events or links, read back.
pub(super) struct Read<'a, V> {
    views: Views<'a, V>,
    left: u32,
}

impl<'a, V: View<'a>> Iterator for Read<'a, V> {
    type Item = V;

    fn next(&mut self) -> Option<V> {
        // We wrote them: they can be read.
        let view = self.views.next()?.ok()?;
        self.left = self.left.saturating_sub(1);
        Some(view)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left as usize, Some(self.left as usize))
    }
}

impl<'a, V: View<'a>> ExactSizeIterator for Read<'a, V> {}

/// Encoded events or links, with their counts.
#[derive(Debug, Default)]
pub(super) struct Items {
    pub(super) buf: Vec<u8>,
    pub(super) count: u32,
    pub(super) dropped: u32,
    /// Whether an item that is kept has lost some of its attributes.
    pub(super) lost_inside: bool,
}

impl Items {
    /// The items, read back; `views` are those among its bytes.
    pub(super) fn read<'a, V: View<'a>>(&self, views: Views<'a, V>) -> Read<'a, V> {
        Read { views, left: self.count }
    }

    /// Counts the item as dropped when there is no room for it.
    pub(super) fn is_full(&mut self, limit: u32) -> bool {
        let full = self.count >= limit || self.buf.len() >= ITEMS_BYTES_MAX;
        if full {
            self.dropped = self.dropped.saturating_add(1);
        }
        full
    }

    /// Appends an item whose content has `len` bytes.
    pub(super) fn push(&mut self, field_key: u8, len: usize, content: impl FnOnce(&mut Vec<u8>)) {
        self.buf.reserve(len_field(len));
        put_len_header(&mut self.buf, field_key, len);
        let start = self.buf.len();
        content(&mut self.buf);
        debug_assert_eq!(self.buf.len() - start, len, "the length was known beforehand");
        self.count += 1;
    }

    #[inline]
    pub(super) fn clear(&mut self) {
        if self.count | self.dropped == 0 {
            return;
        }
        (self.count, self.dropped, self.lost_inside) = (0, 0, false);
        self.buf.clear();
        if self.buf.capacity() > ITEMS_BYTES_KEPT {
            self.buf.shrink_to(ITEMS_BYTES_KEPT);
        }
    }
}

/// Attribute lists of the event and the link that are being added, kept for their memory.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    event: Option<AttributeList>,
    link: Option<AttributeList>,
}

impl Scratch {
    /// Bytes of memory that it keeps.
    pub(super) fn memory(&self) -> usize {
        [&self.event, &self.link].into_iter().flatten().map(AttributeList::memory).sum()
    }

    /// Keeps no more memory than an ordinary event needs.
    pub(super) fn clear(&mut self) {
        for list in [&mut self.event, &mut self.link].into_iter().flatten() {
            list.clear();
        }
    }

    pub(super) fn collect(
        &mut self,
        limits: &crate::limits::AttributeLimits,
        attributes: impl FnOnce(&mut dyn FnMut(&str, Value<'_>)),
    ) -> &AttributeList {
        let list = self.event.get_or_insert_with(|| AttributeList::new(3));
        fill(list, limits, attributes)
    }

    pub(super) fn collect_link(
        &mut self,
        limits: &crate::limits::AttributeLimits,
        attributes: impl FnOnce(&mut dyn FnMut(&str, Value<'_>)),
    ) -> &AttributeList {
        let list = self.link.get_or_insert_with(|| AttributeList::new(4));
        fill(list, limits, attributes)
    }
}

fn fill<'a>(
    list: &'a mut AttributeList,
    limits: &crate::limits::AttributeLimits,
    attributes: impl FnOnce(&mut dyn FnMut(&str, Value<'_>)),
) -> &'a AttributeList {
    list.clear();
    attributes(&mut |key, value| list.set(key, value, limits));
    list
}

/// Most bytes of all events, and of all links, before further ones are discarded.
const ITEMS_BYTES_MAX: usize = 32 * 1024 * 1024;
/// What a cleared encoder may keep of them.
pub(super) const ITEMS_BYTES_KEPT: usize = 8 * 1024;
