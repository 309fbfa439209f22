//! What leaves a lane: a chunk of items in runs of one scope each, and the segments that the worker
//! makes of it, with the room that is reserved for them.
//!
//! Room is reserved for what an item makes us hold, not only for its bytes: the header of its
//! scope, which lives as long as the segment, and the structures around both. Who appends reserves
//! as if each scope of a chunk became a segment; what that was too much goes back here.

use std::mem::size_of;
use std::sync::Arc;

use bytes::Bytes;

use super::super::buffer::BufferPool;

/// The header of a scope, as far as it takes room.
pub(crate) trait Scope {
    /// Bytes of the header in a request.
    fn encoded_len(&self) -> usize;
}

/// Consecutive items of one scope within a chunk.
#[derive(Debug)]
pub(super) struct Run<S> {
    pub(super) scope: Arc<S>,
    /// Where its bytes end.
    pub(super) end: usize,
    /// Items of the chunk up to its end.
    pub(super) items_end: u32,
}

/// A full buffer that waits for the worker, or is on its way there.
#[derive(Debug)]
pub(crate) struct Chunk<S> {
    pub(super) buf: Vec<u8>,
    /// All runs but the last. Most chunks have none, and then there is no allocation.
    pub(super) runs: Vec<Run<S>>,
    pub(super) last: Run<S>,
    /// Reserved beyond the bytes of `buf`.
    pub(super) overhead: usize,
}

/// Items of one scope on their way through the queue.
#[derive(Clone, Debug)]
pub(crate) struct Segment<S> {
    pub(crate) scope: Arc<S>,
    pub(crate) bytes: Bytes,
    pub(crate) items: u32,
    /// Reserved in the budget for all of it; to be released when its last item has met its fate.
    pub(crate) reserved: usize,
}

impl<S: Scope> Segment<S> {
    fn new(scope: Arc<S>, bytes: Bytes, items: u32) -> Self {
        let reserved = bytes.len() + segment_overhead(&*scope);
        Self { scope, bytes, items, reserved }
    }
}

/// Items of one scope within a chunk, wherever they lie in it.
#[derive(Debug)]
struct Group<'a, S> {
    scope: &'a Arc<S>,
    len: usize,
    items: u32,
}

impl<S: Scope> Chunk<S> {
    pub(super) fn items(&self) -> u64 {
        self.last.items_end.into()
    }

    /// One segment per scope, and how much of what was reserved is not needed any more. Runs of
    /// one scope that lie apart are put together, so that threads which alternate between scopes
    /// do not make requests of hundreds of tiny pieces.
    #[must_use]
    pub(crate) fn into_segments(
        self,
        pool: &Arc<BufferPool>,
        out: &mut impl Extend<Segment<S>>,
    ) -> usize {
        let reserved = self.buf.len() + self.overhead;
        let mut segments = if self.runs.is_empty() {
            let Self { buf, last, .. } = self;
            vec![Segment::new(last.scope, pool.freeze(buf), last.items_end)]
        } else {
            let segments = self.gather();
            pool.put_back(self.buf);
            segments
        };
        if let Some(first) = segments.first_mut() {
            first.reserved += BUFFER_OVERHEAD;
        }
        let needed = segments.iter().map(|segment| segment.reserved).sum();
        out.extend(segments);
        debug_assert!(needed <= reserved, "{needed} bytes needed, {reserved} reserved");
        reserved.saturating_sub(needed)
    }

    /// Copies the items into one buffer, those of a scope together, and cuts it into segments. One
    /// buffer for all: many tiny ones would be more allocator than items.
    fn gather(&self) -> Vec<Segment<S>> {
        let (groups, group_of) = self.groups();
        let mut pieces: Vec<_> = group_of.into_iter().zip(self.pieces()).collect();
        pieces.sort_by_key(|(group, _)| *group);
        let mut gathered = Vec::with_capacity(self.buf.len());
        for (_, piece) in pieces {
            gathered.extend_from_slice(piece);
        }
        let mut rest = Bytes::from(gathered);
        let segment = |group: &Group<'_, S>| {
            let bytes = rest.split_to(group.len.min(rest.len()));
            Segment::new(Arc::clone(group.scope), bytes, group.items)
        };
        groups.iter().map(segment).collect()
    }

    /// The scopes in the order in which they come first, and to which of them each run belongs.
    fn groups(&self) -> (Vec<Group<'_, S>>, Vec<usize>) {
        let mut groups: Vec<Group<'_, S>> = Vec::new();
        let mut known = std::collections::HashMap::new();
        let mut items_start = 0;
        let group_of = self.runs().zip(self.pieces()).map(|(run, piece)| {
            let at = *known.entry(Arc::as_ptr(&run.scope)).or_insert(groups.len());
            if at == groups.len() {
                groups.push(Group { scope: &run.scope, len: 0, items: 0 });
            }
            if let Some(group) = groups.get_mut(at) {
                group.len += piece.len();
                group.items += run.items_end - items_start;
            }
            items_start = run.items_end;
            at
        });
        let group_of = group_of.collect();
        (groups, group_of)
    }

    fn runs(&self) -> impl Iterator<Item = &Run<S>> {
        self.runs.iter().chain([&self.last])
    }

    /// The bytes of each run.
    fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.runs.iter().map(|run| run.end));
        starts.zip(self.runs()).map(|(start, run)| self.buf.get(start..run.end).unwrap_or_default())
    }
}

/// What is reserved for the first run of a chunk, beyond the bytes of its items.
pub(crate) fn chunk_overhead(scope: &impl Scope) -> usize {
    CHUNK_OVERHEAD + BUFFER_OVERHEAD + segment_overhead(scope)
}

/// What is reserved for another run of a chunk, beyond the bytes of its items.
pub(crate) fn run_overhead(scope: &impl Scope, scope_is_known: bool) -> usize {
    RUN_OVERHEAD + if scope_is_known { 0 } else { segment_overhead(scope) }
}

/// What stays reserved for a segment.
fn segment_overhead(scope: &impl Scope) -> usize {
    SEGMENT_OVERHEAD + SCOPE_OVERHEAD.saturating_add(scope.encoded_len())
}

/// What a list takes for each of its places: it grows by doubling.
const fn place<T>() -> usize {
    2 * size_of::<T>()
}
/// What an allocation takes beside its content: a word in front, and its size is rounded up.
const ALLOCATION: usize = 16;
/// A chunk in its lane, and the allocation of its list of runs.
const CHUNK_OVERHEAD: usize = place::<Chunk<()>>() + ALLOCATION;
/// The allocation of a chunk's bytes, and the one that counts the references to them (at most a
/// buffer that goes back to its pool: two words, a vector and a weak reference).
const BUFFER_OVERHEAD: usize = ALLOCATION + size_of::<[usize; 6]>() + ALLOCATION;
/// A run, while it is in its chunk.
const RUN_OVERHEAD: usize = place::<Run<()>>();
/// A segment in the queue.
const SEGMENT_OVERHEAD: usize = place::<Segment<()>>();
/// A scope's header beyond its encoded bytes: two counters and two pieces of bytes, each with its
/// allocation. A request has a copy in its place, which is two pieces as well.
const SCOPE_OVERHEAD: usize = size_of::<[usize; 2]>() + 2 * size_of::<Bytes>() + 3 * ALLOCATION;
