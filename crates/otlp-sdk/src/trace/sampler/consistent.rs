//! Consistent probability sampling: the arithmetic and the `ot` entry of a trace state.
//!
//! Every participant compares the same 56 random bits of a trace, its [`Randomness`] R, with a
//! rejection [`Threshold`] T of its own and keeps the span if R ≥ T. Equal probabilities therefore
//! decide alike, lower ones keep a subset of what higher ones keep, and the threshold that travels
//! as `ot=th:…` tells the backend how many spans each kept one stands for.
//! Specification: "TraceState: Probability Sampling".
//!
//! For samplers outside this crate; [`Probability`](super::Probability) is built from it.

mod ot;
mod threshold;

pub use self::ot::{randomness, threshold, with_threshold};
pub use self::threshold::{Randomness, Threshold};
