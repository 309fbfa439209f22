//! The headers of a logger's scope under the names that records give it.
//!
//! A record may name a target, as those of `tracing` and `log` do: the module that logs. OTLP has no
//! field for it; as in the official SDK, it takes the place of the scope's name.

use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry::InstrumentationScope;
use otlp_core::wire::envelope::ScopeHeader;
use parking_lot::RwLock;

use crate::value::scope_header_named;

/// The headers that are in use, each encoded once.
#[derive(Debug, Default)]
pub(super) struct Targets(RwLock<HashMap<Box<str>, Arc<ScopeHeader>>>);

impl Targets {
    /// The header of `scope` with the name `target`.
    pub(super) fn header(&self, scope: &InstrumentationScope, target: &str) -> Arc<ScopeHeader> {
        if let Some(known) = self.0.read().get(target) {
            return Arc::clone(known);
        }
        self.make(scope, target)
    }

    #[cold]
    fn make(&self, scope: &InstrumentationScope, target: &str) -> Arc<ScopeHeader> {
        let made = Arc::new(scope_header_named(scope, target));
        let mut headers = self.0.write();
        // Beyond the bounds targets work as well, they are only not shared.
        if headers.len() < TARGETS_MAX && made.encoded_len() <= TARGET_BYTES_MAX {
            return Arc::clone(headers.entry(target.into()).or_insert(made));
        }
        made
    }
}

/// Targets that are remembered. A program has as many as modules that log; this bounds one that makes
/// up names.
const TARGETS_MAX: usize = 4096;
/// Largest of their headers.
const TARGET_BYTES_MAX: usize = 4 * 1024;
