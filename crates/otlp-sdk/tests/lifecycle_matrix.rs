//! Flush, shutdown and drop return in time wherever they are called, whatever the exporter does. S3.

#[path = "lifecycle/contexts.rs"]
mod contexts;
mod lifecycle;

use lifecycle::{MEANT, cases};

type Work = Box<dyn FnOnce() + Send>;

fn in_every_case(context: impl Fn(Work)) {
    quiet_panics();
    for case in cases() {
        case.run_in(&context);
    }
}

/// Keeps panics that are meant out of the output.
fn quiet_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if info.payload().downcast_ref::<&str>().copied() != Some(MEANT) {
                before(info);
            }
        }));
    });
}
