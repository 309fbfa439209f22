//! Context propagation: W3C Trace Context (level 2), W3C Baggage, and the choice between them; with
//! their features, `b3` and `jaeger`, also the headers of those.
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
//! Between processes that do not call each other over a network, [`EnvCarrier`] and
//! [`inject_command`] carry the same in environment variables.
//!
//! Headers come from outside, so nothing here panics, every header is bounded, and a header that
//! cannot be used leaves the context as it was and gives at most one log line per ten seconds
//! (rows C1, C2, C6).

#[cfg(feature = "b3")]
mod b3;
mod baggage;
#[cfg(test)]
mod carrier;
mod composite;
mod environment;
mod flags;
mod hex;
#[cfg(feature = "jaeger")]
mod jaeger;
mod notice;
#[cfg(any(feature = "b3", feature = "jaeger"))]
mod told;
mod trace_context;
mod trace_parent;
mod trace_state;

#[cfg(feature = "b3")]
pub use self::b3::B3Propagator;
pub use self::baggage::BaggagePropagator;
pub use self::composite::Propagators;
pub use self::environment::{EnvCarrier, inject_command};
pub(crate) use self::flags::{RANDOM, child_flags};
#[cfg(feature = "jaeger")]
pub use self::jaeger::JaegerPropagator;
#[cfg(feature = "b3")]
pub(crate) use self::told::is_deferred;
pub use self::trace_context::TraceContextPropagator;
pub(crate) use self::trace_state::trace_state_header;
