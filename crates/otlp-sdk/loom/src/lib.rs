//! The models: every interleaving of a few threads, within a bound on preemptions.
#![cfg(loom)]

#[path = "../../src/sync.rs"]
mod sync;

#[path = "../../src/pipeline"]
mod pipeline {
    pub(crate) mod account;
    pub(crate) mod budget;
    pub(crate) mod buffer;
    pub(crate) mod intake;
    pub(crate) mod slot;
}

#[cfg(test)]
mod models;
