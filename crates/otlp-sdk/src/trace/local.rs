//! What each thread keeps for itself: its slots, its counters and a stock of recorders.
//!
//! Everything here is reached through `try_with`: spans end in destructors of other thread-locals
//! too, and no user code runs while anything here is borrowed.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::provider::{Provider, Scope};
use super::recorder::{Measured, Recorder};
use crate::clock::Started;
use crate::pipeline::slot::Slot;

/// Counts of one thread. Only the owner writes, so a load and a store do.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) created: AtomicU64,
    pub(crate) sampled_out: AtomicU64,
    pub(crate) record_only: AtomicU64,
    pub(crate) limited: AtomicU64,
    pub(crate) after_shutdown: AtomicU64,
}

/// How many counts there are.
pub(crate) const COUNTERS: usize = 5;

/// Which counters a new span moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Counted {
    Sampled,
    SampledOut,
    RecordOnly,
    AfterShutdown,
    /// Not a new span: one that has ended without part of what was set.
    Limited,
}

impl Counters {
    #[inline]
    fn count(&self, what: Counted) {
        match what {
            Counted::Limited => return add_one(&self.limited),
            Counted::Sampled => {}
            Counted::SampledOut => add_one(&self.sampled_out),
            Counted::RecordOnly => add_one(&self.record_only),
            Counted::AfterShutdown => add_one(&self.after_shutdown),
        }
        add_one(&self.created);
    }

    /// For threads whose locals are gone: several may write at once.
    pub(crate) fn count_shared(&self, what: Counted) {
        let count = |count: &AtomicU64| {
            count.fetch_add(1, Ordering::Relaxed);
        };
        match what {
            Counted::Limited => return count(&self.limited),
            Counted::Sampled => {}
            Counted::SampledOut => count(&self.sampled_out),
            Counted::RecordOnly => count(&self.record_only),
            Counted::AfterShutdown => count(&self.after_shutdown),
        }
        count(&self.created);
    }

    /// `[created, sampled_out, record_only, limited, after_shutdown]`
    pub(crate) fn read(&self) -> [u64; COUNTERS] {
        let Self { created, sampled_out, record_only, limited, after_shutdown } = self;
        [created, sampled_out, record_only, limited, after_shutdown]
            .map(|count| count.load(Ordering::Relaxed))
    }
}

/// Counts a span that is not recorded, or one that lost something to its limits.
#[inline]
pub(crate) fn count(provider: &Provider, what: Counted) {
    let counted =
        LOCAL.try_with(|local| local.with_provider(provider, |own| own.counters.count(what)));
    if counted.is_err() {
        provider.counters_of_no_thread.count_shared(what);
    }
}

/// Counts a span that is recorded and hands out a recorder for it.
#[inline]
pub(crate) fn take_recorder(scope: &Arc<Scope>, started: Started, what: Counted) -> Box<Recorder> {
    let provider = &*scope.provider;
    let taken = LOCAL.try_with(|local| {
        local.with_provider(provider, |own| own.counters.count(what));
        local.recorders.borrow_mut().pop()
    });
    match taken {
        Ok(Some(mut recorder)) => {
            if !Arc::ptr_eq(&recorder.scope, scope) {
                recorder.scope = Arc::clone(scope);
            }
            recorder.started = started;
            recorder
        }
        Ok(None) => Box::new(Recorder::new(Arc::clone(scope), started)),
        Err(_) => {
            provider.counters_of_no_thread.count_shared(what);
            Box::new(Recorder::new(Arc::clone(scope), started))
        }
    }
}

/// Appends an ended span to all pipelines of its provider, and keeps its recorder for this thread's
/// next span.
#[inline]
pub(crate) fn finish(recorder: Box<Recorder>) {
    let mut recorder = Some(recorder);
    let _ = LOCAL.try_with(|local| {
        if let Some(recorder) = recorder.take() {
            local.with_provider(&recorder.scope.provider, |own| own.append(&recorder));
            local.keep(recorder);
        }
    });
    if let Some(recorder) = recorder {
        (0..recorder.scope.provider.pipelines.len()).for_each(|at| append(&recorder, at));
    }
}

/// Clears a recorder and keeps it for this thread's next span.
pub(crate) fn put_back(recorder: Box<Recorder>) {
    let _ = LOCAL.try_with(|local| local.keep(recorder));
}

/// Appends an ended span to pipeline `at` of its provider.
pub(crate) fn append(recorder: &Recorder, at: usize) {
    let scope = &*recorder.scope;
    let provider = &*scope.provider;
    let Some(pipeline) = provider.pipelines.get(at) else { return };
    let item = Measured::new(recorder);
    let appended = LOCAL.try_with(|local| {
        local.with_provider(provider, |own| {
            if let Some(slot) = own.slots.get(at) {
                pipeline.append(slot, &item, &scope.header);
            }
        });
    });
    if appended.is_err() {
        pipeline.append_without_slot(&item, &scope.header);
    }
}

/// Runs code that is not ours on an instrumented thread: a hook, a sampler, an id generator. It must
/// have caught its panics.
#[inline]
pub(crate) fn in_foreign_code<R>(call: impl FnOnce() -> R) -> R {
    let before = FOREIGN_DEPTH.with(|depth| depth.replace(depth.get().saturating_add(1)));
    let result = call();
    FOREIGN_DEPTH.with(|depth| depth.set(before));
    result
}

/// Whether the span that is being started was started by foreign code which runs on behalf of a span
/// that was itself started by foreign code. A processor may start spans; one that starts a span for
/// every span would never end.
#[inline]
pub(crate) fn is_too_deep() -> bool {
    FOREIGN_DEPTH.with(Cell::get) > FOREIGN_DEPTH_MAX
}

/// No span that starts on this thread is recorded from now on.
pub(crate) fn never_record_here() {
    FOREIGN_DEPTH.with(|depth| depth.set(u8::MAX));
}

/// The thread's own state.
struct Local {
    providers: RefCell<Vec<PerProvider>>,
    #[expect(
        clippy::vec_box,
        reason = "a span owns its recorder by a box; half a kilobyte stays put"
    )]
    recorders: RefCell<Vec<Box<Recorder>>>,
}

/// The thread's own state in one provider.
struct PerProvider {
    provider: u64,
    counters: Arc<Counters>,
    /// One per pipeline.
    slots: Box<[Arc<Slot<otlp_core::wire::envelope::ScopeHeader>>]>,
}

impl Local {
    #[inline]
    fn with_provider<R>(&self, provider: &Provider, f: impl FnOnce(&PerProvider) -> R) -> R {
        let providers = self.providers.borrow();
        if let Some(own) = providers.iter().find(|own| own.provider == provider.id) {
            return f(own);
        }
        drop(providers);
        self.register(provider);
        let providers = self.providers.borrow();
        match providers.iter().find(|own| own.provider == provider.id) {
            Some(own) => f(own),
            // Not reached: it was pushed above and nothing else runs on this thread.
            None => f(&PerProvider::new(provider)),
        }
    }

    #[inline]
    fn keep(&self, mut recorder: Box<Recorder>) {
        recorder.clear();
        let mut recorders = self.recorders.borrow_mut();
        let kept = recorders.len();
        if kept < LARGE_MAX || kept < RECORDERS_MAX && recorder.encoder.memory() <= SMALL_BYTES {
            recorders.push(recorder);
        }
    }

    #[cold]
    fn register(&self, provider: &Provider) {
        let own = PerProvider::new(provider);
        let mut providers = self.providers.borrow_mut();
        // Counters that nobody else holds belong to a provider that is gone.
        providers.retain(|own| Arc::strong_count(&own.counters) > 1);
        providers.push(own);
    }
}

impl PerProvider {
    #[inline]
    fn append(&self, recorder: &Recorder) {
        let scope = &*recorder.scope;
        let item = Measured::new(recorder);
        for (pipeline, slot) in scope.provider.pipelines.iter().zip(&self.slots) {
            pipeline.append(slot, &item, &scope.header);
        }
    }

    fn new(provider: &Provider) -> Self {
        Self {
            provider: provider.id,
            counters: provider.register_counters(),
            slots: provider.pipelines.iter().map(|pipeline| pipeline.register_thread()).collect(),
        }
    }
}

#[inline]
fn add_one(count: &AtomicU64) {
    count.store(count.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

thread_local! {
    // No destructor, so it can be reached until the thread's very end.
    static FOREIGN_DEPTH: Cell<u8> = const { Cell::new(0) };

    static LOCAL: Local = const {
        Local { providers: RefCell::new(Vec::new()), recorders: RefCell::new(Vec::new()) }
    };
}

/// Recorders kept per thread: as many spans as are open at once on most threads. Beyond, a span
/// costs allocations and nothing else.
const RECORDERS_MAX: usize = 64;
/// Of these, recorders that may keep what a large span has needed.
const LARGE_MAX: usize = 8;
/// What one beyond these may keep: room for a span of some dozen attributes.
const SMALL_BYTES: usize = 2 * 1024;
/// Foreign code may start spans; the foreign code that runs for those may not.
const FOREIGN_DEPTH_MAX: u8 = 1;
