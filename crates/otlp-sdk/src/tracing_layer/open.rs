//! The spans that are open, by the ids that the subscriber gave them.
//!
//! They are kept here and not in the registry's extensions, which would box them. Under a shard's
//! lock nothing runs that is not ours: no `Debug` of a field, no sampler, no destructor of a context.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;
use std::time::Duration;

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceContextExt, TraceId};
use otlp_core::wire::Key;
use parking_lot::Mutex;
use tracing::Metadata;

use super::kept::Kept;
use crate::clock::{Clock, Started};
use crate::trace::counts::Counted;
use crate::trace::local::put_back;
use crate::trace::recorder::Recorder;
use crate::trace::sampler::Decision;
use crate::trace::span::finish;
use crate::trace::taken;

/// A span between its start and its close.
pub(super) struct OpenSpan {
    /// What is current inside it.
    pub(super) context: Context,
    /// Whether that is its parent's, untouched: nothing can be recorded, and there are no ids of its own.
    pub(super) passes_on: bool,
    /// `None` if it is not recorded.
    pub(super) recorder: Option<Box<Recorder>>,
    pub(super) decision: Decision,
    /// What the ledger counts it as.
    pub(super) counted: Counted,
    pub(super) metadata: &'static Metadata<'static>,
    /// Whether a span was started in it, or linked to it, as far as the layer knows.
    pub(super) has_child: bool,
    /// While a processor has the recorder: how much could not be recorded.
    pub(super) missed: Option<u32>,
    /// When it was left last; 0 before.
    pub(super) left_unix_nano: u64,
    /// Where that is asked for, and as long as the span may be recorded.
    pub(super) activity: Option<Box<Activity>>,
    /// Where its fields go into log records.
    pub(super) kept: Option<Box<Kept>>,
}

/// How long a span was entered, and how long it was not, from its start on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Activity {
    pub(super) started: Started,
    entered: u32,
    since_unix_nano: u64,
    busy: u64,
    idle: u64,
}

/// All open spans of a layer; clones share them.
#[derive(Clone)]
pub(super) struct OpenSpans {
    shards: Arc<[Shard]>,
}

impl OpenSpan {
    pub(super) fn span_context(&self) -> SpanContext {
        self.context.span().span_context().clone()
    }

    /// Its parent cannot change any more. What only passes a context on has no ids that others could have.
    pub(super) fn is_settled(&self) -> bool {
        let is_taken = || taken::is_noted(self.context.span().span_context());
        self.has_child || (!self.passes_on && is_taken())
    }

    #[inline]
    pub(super) fn enter(&mut self) {
        if let Some(activity) = &mut self.activity {
            activity.enter(Clock::global().since(&activity.started));
        }
    }

    #[inline]
    pub(super) fn leave(&mut self) {
        let Some(started) = self.started() else { return };
        self.left_unix_nano = Clock::global().since(&started);
        if let Some(activity) = &mut self.activity {
            activity.leave(self.left_unix_nano);
        }
    }

    fn started(&self) -> Option<Started> {
        match &self.recorder {
            Some(recorder) => Some(recorder.started),
            None => self.activity.as_ref().map(|activity| activity.started),
        }
    }

    /// Whether it is recorded, also while a processor has the recorder.
    pub(super) fn is_recorded(&self) -> bool {
        self.recorder.is_some() || self.missed.is_some()
    }

    /// The span has ended: when it was left last, or now if it was never entered.
    pub(super) fn close(self) {
        let Self { context, recorder, decision, left_unix_nano, activity, .. } = self;
        let Some(mut recorder) = recorder else { return };
        if decision == Decision::Drop {
            return put_back(recorder);
        }
        let end = if left_unix_nano == 0 { recorder.now() } else { left_unix_nano };
        if let Some(mut activity) = activity {
            activity.enter(recorder.now());
            let limits = recorder.scope.provider.limits;
            recorder.encoder.set_i64(BUSY, nanos(activity.busy), &limits);
            recorder.encoder.set_i64(IDLE, nanos(activity.idle), &limits);
        }
        finish(recorder, context.span().span_context(), end);
    }

    /// A span was started in it. One that was sampled out was collected and timed only for a parent that
    /// might have become known: gives back its recorder.
    fn has_child_now(&mut self) -> Option<Box<Recorder>> {
        self.has_child = true;
        if self.decision != Decision::Drop {
            return None;
        }
        self.activity = None;
        self.recorder.take()
    }
}

impl Activity {
    pub(super) const fn of(started: Started) -> Self {
        Self { started, entered: 0, since_unix_nano: started.unix_nano, busy: 0, idle: 0 }
    }

    fn enter(&mut self, unix_nano: u64) {
        if self.entered == 0 {
            self.idle += self.lap(unix_nano);
        }
        self.entered = self.entered.saturating_add(1);
    }

    fn leave(&mut self, unix_nano: u64) {
        self.entered = self.entered.saturating_sub(1);
        if self.entered == 0 {
            self.busy += self.lap(unix_nano);
        }
    }

    fn lap(&mut self, unix_nano: u64) -> u64 {
        unix_nano.saturating_sub(std::mem::replace(&mut self.since_unix_nano, unix_nano))
    }
}

impl OpenSpans {
    pub(super) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Shard::default()).collect() }
    }

    /// Takes a span in. What had its id before, if its close was not told, comes back.
    pub(super) fn insert(&self, id: u64, span: OpenSpan) -> Option<OpenSpan> {
        self.shard(id)?.0.lock().insert(id, span)
    }

    #[inline]
    pub(super) fn with<R>(&self, id: u64, call: impl FnOnce(&mut OpenSpan) -> R) -> Option<R> {
        self.shard(id)?.0.lock().get_mut(&id).map(call)
    }

    /// [`with`](Self::with) for the recorder, of a span that has one.
    #[inline]
    pub(super) fn record<R>(&self, id: u64, call: impl FnOnce(&mut Recorder) -> R) -> Option<R> {
        let record = |span: &mut OpenSpan| match &mut span.recorder {
            Some(recorder) => Some(call(recorder)),
            None => {
                span.missed = span.missed.map(|missed| missed.saturating_add(1));
                None
            }
        };
        self.with(id, record).flatten()
    }

    /// Hands the recorder of an open span to code that is not ours. What others would have recorded
    /// meanwhile is counted as attributes that were dropped.
    pub(super) fn lend(&self, id: u64, call: impl FnOnce(&mut Recorder)) {
        let lent = self.with(id, |span| {
            span.missed = Some(0);
            span.recorder.take()
        });
        let Some(mut recorder) = lent.flatten() else { return };
        call(&mut recorder);
        self.with(id, |span| {
            recorder.encoder.add_dropped_attributes(span.missed.take().unwrap_or(0));
            span.recorder = Some(recorder);
        });
    }

    #[inline]
    pub(super) fn remove(&self, id: u64) -> Option<OpenSpan> {
        self.shard(id)?.0.lock().remove(&id)
    }

    /// Remembers that a span has a child, and gives the context in which that starts.
    pub(super) fn parent_context(&self, id: u64) -> Option<Context> {
        let parent = self.with(id, |span| (span.context.clone(), span.has_child_now()));
        parent.map(|(context, unused)| {
            unused.into_iter().for_each(put_back);
            context
        })
    }

    /// Remembers that a span has a child.
    pub(super) fn has_child(&self, id: u64) {
        let unused = self.with(id, OpenSpan::has_child_now);
        unused.flatten().into_iter().for_each(put_back);
    }

    /// Remembers that a span has a descendant, if it is in this trace. Says whether it is.
    pub(super) fn has_descendant_in(&self, id: u64, trace: TraceId) -> bool {
        let unused = self.with(id, |span| {
            let is_in = span.context.span().span_context().trace_id() == trace;
            is_in.then(|| span.has_child_now())
        });
        let unused = unused.flatten();
        let is_in = unused.is_some();
        unused.flatten().into_iter().for_each(put_back);
        is_in
    }

    /// All that is left.
    pub(super) fn drain(&self) -> Vec<OpenSpan> {
        let take = |shard: &Shard| shard.0.lock().drain().map(|(_, span)| span).collect::<Vec<_>>();
        self.shards.iter().flat_map(take).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.0.lock().len()).sum()
    }

    #[inline]
    fn shard(&self, id: u64) -> Option<&Shard> {
        self.shards.get(spread(id & OF_PLACE) as usize % SHARDS)
    }
}

impl fmt::Debug for OpenSpans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenSpans").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// On a cache line of its own, so that threads with spans of their own do not meet.
#[derive(Default)]
#[repr(align(128))]
struct Shard(Mutex<HashMap<u64, OpenSpan, BuildHasherDefault<IdHasher>>>);

/// Hashes the subscriber's ids, which are small numbers that nobody outside chooses.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    #[inline]
    fn write_u64(&mut self, id: u64) {
        self.0 = (self.0.rotate_left(5) ^ id).wrapping_mul(GOLDEN);
    }
}

/// Other bits of the id than the hash within a shard begins with.
#[inline]
const fn spread(id: u64) -> u64 {
    id.wrapping_mul(GOLDEN) >> 40
}

/// The bits of a registry's id that say where a span is kept, and by which thread. Those above change
/// with every span in that place; without them a thread that makes span after span stays in few shards.
const OF_PLACE: u64 = (1 << 51) - 1;
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
/// Several times the threads of a large machine.
const SHARDS: usize = 128;

const BUSY: Key<'static> = Key::new("busy_ns");
const IDLE: Key<'static> = Key::new("idle_ns");

/// Nanoseconds as an attribute.
fn nanos(nanos: u64) -> i64 {
    i64::try_from(Duration::from_nanos(nanos).as_nanos()).unwrap_or(i64::MAX)
}
