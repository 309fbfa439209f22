//! Views of log records read what prost decodes: bodies of every type and in several pieces, attributes, ids.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The same properties that `cargo test` checks on generated requests and on the corpus.
#[allow(dead_code, reason = "each target uses a part of the checks")]
#[path = "../../crates/otlp-core/tests/wire_checks/mod.rs"]
mod wire_checks;

fuzz_target!(|data: &[u8]| {
    wire_checks::logs::agree_with_prost(data);
});
