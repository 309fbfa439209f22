//! A request of HTTP, whatever its bytes, has one answer that says what was done.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/otlp-collector/tests/receiver_checks/mod.rs"]
mod receiver_checks;

fuzz_target!(|data: &[u8]| {
    let _ = receiver_checks::any_post_is_answered(data);
});
