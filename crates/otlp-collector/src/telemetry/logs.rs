//! Writes the messages of the program: one subscriber of `tracing`, with the Go collector's lines and sampling.
//!
//! ```
//! use otlp_collector::telemetry::{LogSettings, logs};
//!
//! let guard = logs::init(&LogSettings::default())?;
//! tracing::info!(target: "otlp_collector", port = 4317, "it listens");
//! // At the end: what was said is written.
//! drop(guard);
//! # Ok::<(), otlp_collector::component::BoxError>(())
//! ```
//!
//! Whoever says something does not wait for it to be written: lines go through a bounded queue to a thread of
//! their own. What finds no room there is dropped, and the next line says how much that was.

mod layer;
mod line;
mod output;
mod sampling;

use tracing::subscriber::set_global_default;
use tracing_subscriber::Registry;
use tracing_subscriber::layer::SubscriberExt as _;

use self::layer::LogLayer;
pub use self::output::LogGuard;
use super::settings::LogSettings;
use crate::component::BoxError;

/// Writes the messages of this process from now on, until the guard is dropped. For the program's `main`.
///
/// Of crates that are not ours, messages below `warn` are left out.
///
/// # Errors
///
/// A file cannot be opened, or the process has a subscriber already.
pub fn init(settings: &LogSettings) -> Result<LogGuard, BoxError> {
    let (output, guard) = output::open(&settings.output_paths)?;
    set_global_default(Registry::default().with(LogLayer::new(settings, output)))
        .map_err(|_| "messages of this process go elsewhere already")?;
    Ok(guard)
}

#[cfg(test)]
mod tests;
