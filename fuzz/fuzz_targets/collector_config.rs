//! A configuration of whatever text is read or refused with a place, and a component's settings are too.

#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/otlp-collector/tests/config_checks/mod.rs"]
mod config_checks;

fuzz_target!(|text: &str| {
    config_checks::is_read_or_refused(text);
});
