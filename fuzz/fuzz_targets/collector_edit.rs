//! Edits and filters of any bytes come to the same as in the structs of prost, or the bytes are refused.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/otlp-collector/tests/edit_checks/mod.rs"]
mod edit_checks;

fuzz_target!(|data: &[u8]| {
    edit_checks::any_bytes_are_edited_or_refused(data);
});
