//! What the providers of spans and of log records have in common: pipelines, processors, counters,
//! scopes, what each thread keeps, and an end.

mod core;
mod counters;
mod lifecycle;
mod local;
mod scopes;
mod seams;

pub(crate) use self::core::{Core, Stages};
pub(crate) use self::counters::Counts;
pub(crate) use self::lifecycle::{FLUSH_TIMEOUT, Handle, Lifecycle, SHUTDOWN_TIMEOUT, Underway};
#[cfg(feature = "tracing")]
pub(crate) use self::local::uncount;
pub(crate) use self::local::{append, append_to_all, count};
pub(crate) use self::scopes::{ScopeEntry, Scopes};
pub(crate) use self::seams::{Hooks, Seams, SeamsSlot, Stage};
