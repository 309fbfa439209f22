//! Context propagation: W3C Trace Context (level 2), W3C Baggage, and the choice between them.
//!
//! [`Propagators`] is what an application installs, from `OTEL_PROPAGATORS` or by hand:
//!
//! ```
//! use opentelemetry::global;
//! use otlp_sdk::propagation::Propagators;
//!
//! // `traceparent`, `tracestate` and `baggage`, the specification's default.
//! global::set_text_map_propagator(Propagators::default());
//! ```
//!
//! Headers come from outside, so nothing here panics, every header is bounded, and a header that
//! cannot be used leaves the context as it was and gives at most one log line per ten seconds
//! (rows C1, C2, C6).

mod baggage;
#[cfg(test)]
mod carrier;
mod composite;
mod environment;
mod flags;
mod notice;
mod trace_context;
mod trace_parent;
mod trace_state;

pub use self::baggage::BaggagePropagator;
pub use self::composite::Propagators;
pub use self::environment::{EnvCarrier, inject_command};
pub(crate) use self::flags::{RANDOM, child_flags};
pub use self::trace_context::TraceContextPropagator;
pub(crate) use self::trace_state::trace_state_header;
