//! The runtime's clock, which tests can turn.

use std::time::Instant;

/// This moment, on the clock of the Tokio runtime.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}
