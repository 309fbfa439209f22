//! A thread that exports: a runtime of its own, and no telemetry about itself.

use std::io;

use opentelemetry::Context;
use tokio::runtime::{Builder, Runtime};

use crate::foreign::never_record_here;

/// A runtime for the calling thread. `hush` runs here and on every helper thread of the runtime (name
/// look-ups), before anything else does.
pub(crate) fn quiet_runtime(hush: fn()) -> io::Result<Runtime> {
    hush();
    Builder::new_current_thread().enable_all().on_thread_start(hush).build()
}

/// The calling thread makes no telemetry any more. Two ways, since a bridge such as
/// `tracing-opentelemetry` starts spans in a context of its own making.
pub(crate) fn suppress_for_good() {
    never_record_here();
    std::mem::forget(Context::enter_telemetry_suppressed_scope());
}
