//! Text is read and comes back, or is refused; bytes mean the same in JSON.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The same properties that `cargo test` checks on generated requests and on the corpus.
#[path = "../../crates/otlp-core/tests/wire_checks/json.rs"]
mod checks;

fuzz_target!(|data: &[u8]| {
    checks::reads_back(data);
    checks::agrees_with_prost(data);
});
