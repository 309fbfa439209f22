//! The instrumentation scopes of a provider, each with its header encoded once.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use opentelemetry::InstrumentationScope;
use otlp_core::wire::envelope::ScopeHeader;
use parking_lot::Mutex;

use crate::value::scope_header;

/// What a provider makes of a scope and shares among those who ask for it.
pub(crate) trait ScopeEntry {
    /// Bytes that it holds beside its fixed size.
    fn bytes(&self) -> usize;
}

/// The scopes that are in use.
#[derive(Debug)]
pub(crate) struct Scopes<S>(Mutex<HashMap<InstrumentationScope, Weak<S>>>);

impl<S> Default for Scopes<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: ScopeEntry> Scopes<S> {
    /// The entry of a scope, made if nobody has it.
    pub(crate) fn entry(
        &self,
        scope: InstrumentationScope,
        make: impl FnOnce(InstrumentationScope, Arc<ScopeHeader>) -> S,
    ) -> Arc<S> {
        let mut scopes = self.0.lock();
        if let Some(known) = scopes.get(&scope).and_then(Weak::upgrade) {
            return known;
        }
        if scopes.len() >= SCOPES_MAX {
            scopes.retain(|_, scope| scope.strong_count() > 0);
        }
        let made = Arc::new(make(scope.clone(), Arc::new(scope_header(&scope))));
        // Beyond the bounds scopes work as well, they are only not shared.
        if scopes.len() < SCOPES_MAX && made.bytes() <= SCOPE_BYTES_MAX {
            scopes.insert(scope, Arc::downgrade(&made));
        }
        made
    }
}

/// Scopes that are remembered. A program has some dozens; this bounds one that makes up names.
const SCOPES_MAX: usize = 1024;
/// Largest of them.
const SCOPE_BYTES_MAX: usize = 4 * 1024;
