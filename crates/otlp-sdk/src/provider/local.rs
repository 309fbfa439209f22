//! What each thread keeps of each provider: its counters, and its slot in every pipeline.
//!
//! Everything here is reached through `try_with`: spans end in destructors of other thread-locals
//! too, and no user code runs while anything here is borrowed.

use std::cell::RefCell;
use std::sync::Arc;

use otlp_core::wire::envelope::ScopeHeader;

use super::core::Core;
use super::counters::Counters;
use crate::pipeline::slot::{Item, Slot};

/// The thread's own state in one provider.
struct PerProvider {
    provider: u64,
    counters: Arc<Counters>,
    /// One per pipeline.
    slots: Box<[Arc<Slot<ScopeHeader>>]>,
}

/// Adds one to a count of the provider.
#[inline]
pub(crate) fn count(core: &Core, at: usize) {
    let counted = LOCAL.try_with(|local| local.with(core, |own| own.counters.count(at)));
    if counted.is_err() {
        core.counters.of_no_thread.count_shared(at);
    }
}

/// Takes one back of a count of the provider.
#[cfg(feature = "tracing")]
pub(crate) fn uncount(core: &Core, at: usize) {
    let counted = LOCAL.try_with(|local| local.with(core, |own| own.counters.uncount(at)));
    if counted.is_err() {
        core.counters.of_no_thread.uncount_shared(at);
    }
}

/// Appends an item to all pipelines of its provider.
#[inline]
pub(crate) fn append_to_all(core: &Core, item: &impl Item, scope: &Arc<ScopeHeader>) {
    let appended = LOCAL.try_with(|local| {
        local.with(core, |own| {
            for (pipeline, slot) in core.pipelines.iter().zip(&own.slots) {
                pipeline.append(slot, item, scope);
            }
        });
    });
    if appended.is_err() {
        for pipeline in &core.pipelines {
            pipeline.append_without_slot(item, scope);
        }
    }
}

/// Appends an item to pipeline `at` of its provider.
pub(crate) fn append(core: &Core, at: usize, item: &impl Item, scope: &Arc<ScopeHeader>) {
    let Some(pipeline) = core.pipelines.get(at) else { return };
    let appended = LOCAL.try_with(|local| {
        local.with(core, |own| {
            if let Some(slot) = own.slots.get(at) {
                pipeline.append(slot, item, scope);
            }
        });
    });
    if appended.is_err() {
        pipeline.append_without_slot(item, scope);
    }
}

struct Local {
    providers: RefCell<Vec<PerProvider>>,
}

impl Local {
    #[inline]
    fn with<R>(&self, core: &Core, f: impl FnOnce(&PerProvider) -> R) -> R {
        let providers = self.providers.borrow();
        if let Some(own) = providers.iter().find(|own| own.provider == core.id) {
            return f(own);
        }
        drop(providers);
        self.register(core);
        let providers = self.providers.borrow();
        match providers.iter().find(|own| own.provider == core.id) {
            Some(own) => f(own),
            // Not reached: it was pushed above and nothing else runs on this thread.
            None => f(&PerProvider::new(core)),
        }
    }

    #[cold]
    fn register(&self, core: &Core) {
        let own = PerProvider::new(core);
        let mut providers = self.providers.borrow_mut();
        // Counters that nobody else holds belong to a provider that is gone.
        providers.retain(|own| Arc::strong_count(&own.counters) > 1);
        providers.push(own);
    }
}

impl PerProvider {
    fn new(core: &Core) -> Self {
        Self {
            provider: core.id,
            counters: core.counters.register(),
            slots: core.pipelines.iter().map(|pipeline| pipeline.register_thread()).collect(),
        }
    }
}

thread_local! {
    static LOCAL: Local = const { Local { providers: RefCell::new(Vec::new()) } };
}
