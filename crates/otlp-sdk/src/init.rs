//! One call that sets telemetry up, and the guard that ends it.

mod builder;
mod exporters;
mod guard;
mod ledgers;
mod set_up;
mod start_up;

pub use self::builder::TelemetryBuilder;
pub use self::exporters::InitError;
pub use self::guard::{FlushError, ShutdownError, TelemetryGuard};
pub use self::ledgers::Ledgers;

/// Sets everything up from the environment: traces, metrics and logs with their exporters, sampler, limits,
/// resource, propagators, installed globally as far as the API has a global place. The guard delivers what
/// is held when it goes.
///
/// Without any variable set, everything goes to `http://localhost:4318`. A second call replaces the global
/// providers of the first, with a warning.
///
/// ```no_run
/// use opentelemetry::trace::Tracer;
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let _telemetry = otlp_sdk::init()?;
///     opentelemetry::global::tracer("my-service").in_span("work", |_cx| { /* … */ });
///     Ok(())
/// }
/// ```
///
/// # Errors
///
/// A setting that cannot be guessed around: an endpoint that is no URL, a header from code that
/// is none, a client certificate without its key, a certificate that cannot be read or used, a
/// protocol or `https` whose feature is not enabled. Everything else that is wrong in the
/// environment is reported once through `tracing` and replaced by its default.
pub fn init() -> Result<TelemetryGuard, InitError> {
    builder().init()
}

/// [`init`] with settings from code, which beat those from the environment.
pub fn builder() -> TelemetryBuilder {
    TelemetryBuilder::default()
}
