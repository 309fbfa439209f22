//! Traces: provider, tracer and span behind the API traits of `opentelemetry`.

pub(crate) mod counts;
pub(crate) mod encode;
pub mod id_generator;
pub(crate) mod local;
mod observe;
mod processor;
pub(crate) mod provider;
pub(crate) mod recorder;
pub mod sampler;
mod seams;
pub(crate) mod span;
#[cfg(feature = "tracing")]
pub(crate) mod taken;
pub(crate) mod tracer;

pub use self::processor::{ActiveSpan, FinishedSpan, SpanProcessor};
pub use self::provider::{TracerProvider, TracerProviderBuilder};
pub use self::span::Span;
pub use self::tracer::Tracer;
pub use crate::config::span_limits as span_limits_from_env;
