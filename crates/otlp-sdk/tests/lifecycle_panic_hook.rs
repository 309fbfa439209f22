//! The matrix S3 inside a panic hook. The hook is the process's, so this test has one to itself.

mod lifecycle;

use std::sync::Mutex;

use lifecycle::{MEANT, cases};

static WORK: Mutex<Option<Box<dyn FnOnce() + Send>>> = Mutex::new(None);

const CRASH: &str = "the application crashes";

#[test]
fn inside_a_panic_hook() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        match info.payload().downcast_ref::<&str>().copied() {
            Some(CRASH) => {
                let work = WORK.lock().unwrap().take();
                work.unwrap()();
            }
            Some(MEANT) => {}
            _ => before(info),
        }
    }));
    for case in cases() {
        case.run_in(&|work| {
            *WORK.lock().unwrap() = Some(work);
            std::thread::spawn(|| std::panic::panic_any(CRASH)).join().unwrap_err();
        });
    }
}
