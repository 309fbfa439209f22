//! Configurations of whatever text.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod config_checks;

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// What a configuration is made of, so that what is put together is often one.
const PIECES: &[&str] = &[
    "receivers:\n",
    "exporters:\n",
    "service:\n",
    "  pipelines:\n",
    "    traces:\n",
    "      receivers: [a]\n",
    "      exporters: [b]\n",
    "  a:\n",
    "  b:\n",
    "    key: ",
    "value\n",
    "1_000\n",
    "0x",
    "-",
    "${TEXT}",
    "${LOOP}",
    "${env:",
    "${file:/dev/null}",
    ":-",
    "}",
    "$$",
    "::",
    "\n",
    "  ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    ": ",
    "&x ",
    "*x ",
    "<<: ",
    "'",
    "\"",
    "|\n",
    "!!str ",
    "# ",
    "~",
    "\t",
    "---\n",
    "é",
    "\u{0}",
];

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in any::<String>()) {
        config_checks::is_read_or_refused(&text);
    }

    #[test]
    fn what_looks_like_a_configuration_is_read_or_refused(pieces in vec(select(PIECES), 0..40)) {
        config_checks::is_read_or_refused(&pieces.concat());
    }
}

#[test]
fn the_fuzz_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/collector_config");
    let texts = std::fs::read_dir(folder).unwrap();
    let texts = texts.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    let count = texts.map(|text| config_checks::is_read_or_refused(&text)).count();
    assert!(count > 5, "no corpus");
}
