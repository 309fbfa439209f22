//! Spans whose ids others have taken over: into a child's parent, or into a link.
//!
//! Only a span of the `tracing` layer may get other ids after its start, and not once something depends on
//! those it has. Of another span's ids nothing is known but themselves: a `Context` has no room for more. So
//! whoever takes ids over from a `Context` notes them here, and the layer looks here before it changes some.
//! Both are rare; a span of `tracing` in a span of `tracing`, which the layer knows, is not noted.
//!
//! Best effort, in bounded memory: ids that fall on the place of others replace them. What is then lost is
//! the error for a parent that is set too late; the child keeps the ids that it had.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use opentelemetry::trace::SpanContext;

/// From here on there is a layer that may ask.
pub(crate) fn begin() {
    TABLE.get_or_init(Table::new);
}

/// A span's ids go into another's bytes, and should not change any more. Those of a remote span cannot.
#[inline]
pub(crate) fn note(span: &SpanContext) {
    if let Some(table) = TABLE.get().filter(|_| !span.is_remote()) {
        table.note(key(span));
    }
}

/// Whether somebody has taken a span's ids over, as far as is remembered.
pub(crate) fn is_noted(span: &SpanContext) -> bool {
    TABLE.get().is_some_and(|table| table.has(key(span)))
}

/// Each place has the key that was noted there last.
///
/// Relaxed throughout: whoever sets a parent after something has happened on another thread was told of that
/// by other means.
struct Table(Box<[AtomicU64]>);

impl Table {
    fn new() -> Self {
        Self((0..PLACES).map(|_| AtomicU64::new(NONE)).collect())
    }

    /// Written only where it changes: the children of one span may start on many threads.
    fn note(&self, key: u64) {
        let place = self.place(key).filter(|place| place.load(Ordering::Relaxed) != key);
        place.into_iter().for_each(|place| place.store(key, Ordering::Relaxed));
    }

    fn has(&self, key: u64) -> bool {
        self.place(key).is_some_and(|place| place.load(Ordering::Relaxed) == key)
    }

    fn place(&self, key: u64) -> Option<&AtomicU64> {
        self.0.get((key.wrapping_mul(GOLDEN) >> 32) as usize & (PLACES - 1))
    }
}

/// What stands for a span. Both ids, as the span that gets another parent keeps one of them: what was
/// started in its former trace does not depend on it.
fn key(span: &SpanContext) -> u64 {
    let trace = u128::from_be_bytes(span.trace_id().to_bytes());
    let trace = (trace >> 64) as u64 ^ (trace as u64).rotate_left(32);
    let span = u64::from_be_bytes(span.span_id().to_bytes());
    (trace.rotate_left(16) ^ span).max(NONE + 1)
}

/// Made with the first layer, and kept.
static TABLE: OnceLock<Table> = OnceLock::new();

const NONE: u64 = 0;
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// A power of two: 32 KiB, many times what is taken over between a span's start and the setting of its
/// parent.
const PLACES: usize = 1 << 12;

#[cfg(test)]
mod tests {
    use opentelemetry::trace::{SpanId, TraceFlags, TraceId, TraceState};

    use super::*;

    fn span(trace: u128, span: u64, is_remote: bool) -> SpanContext {
        let (trace, span) = (TraceId::from(trace << 64 | 7), SpanId::from(span));
        SpanContext::new(trace, span, TraceFlags::SAMPLED, is_remote, TraceState::NONE)
    }

    #[test]
    fn a_span_is_known_by_both_its_ids() {
        begin();
        note(&span(1, 1, false));
        assert!(is_noted(&span(1, 1, false)));
        assert!(!is_noted(&span(2, 1, false)) && !is_noted(&span(1, 2, false)));
    }

    #[test]
    fn a_remote_span_is_nobodys_to_change() {
        begin();
        note(&span(3, 1, true));
        assert!(!is_noted(&span(3, 1, false)));
    }

    #[test]
    fn the_last_is_known_however_many_came_before() {
        let table = Table::new();
        let keys: Vec<_> = (1..20_000).map(|id| key(&span(4, id, false))).collect();
        for key in &keys {
            table.note(*key);
            assert!(table.has(*key));
        }
        let remembered = keys.iter().filter(|key| table.has(**key)).count();
        assert!((PLACES / 2..=PLACES).contains(&remembered), "{remembered}");
    }

    #[test]
    fn ids_that_cancel_each_other_out_have_a_key() {
        assert_ne!(key(&SpanContext::NONE), NONE);
    }
}
