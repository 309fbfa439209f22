//! From an ended span to a delivered one, generic over the signal.
//!
//! Instrumented threads write encoded items into their own [`lanes`](slot); one worker per
//! pipeline collects them, cuts batches, drives the exporter and keeps the account. The worker owns
//! its thread and its runtime, so nothing here depends on the application's.

pub(crate) mod account;
pub(crate) mod batch;
pub(crate) mod budget;
pub(crate) mod buffer;
mod config;
pub(crate) mod delivery;
mod handle;
pub(crate) mod intake;
mod observe;
pub(crate) mod slot;
#[cfg(test)]
mod testing;
pub(crate) mod thread;
mod worker;

pub use self::account::{DropReason, Ledger};
pub use self::config::{BatchConfig, PipelineError};
pub(crate) use self::handle::{Asked, Pipeline, ThreadSlot};
pub(crate) use self::observe::{ERROR_TYPE, Observable, Progress, REJECTED};
#[cfg(feature = "file")]
pub(crate) use self::thread::suppress_for_good;
pub(crate) use self::worker::made_here;
