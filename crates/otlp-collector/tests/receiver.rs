//! The receiver without a socket, from bytes to bytes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod receiver_checks;

use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;

use receiver_checks::{any_call_is_answered, any_post_is_answered};

proptest! {
    #[test]
    fn any_bytes_are_answered(data in vec(any::<u8>(), 3..80)) {
        any_call_is_answered(&data);
        any_post_is_answered(&data);
    }
}

#[test]
fn the_fuzz_corpus_of_calls_holds() {
    replay("collector_receiver_grpc", any_call_is_answered);
}

#[test]
fn the_fuzz_corpus_of_posts_holds() {
    replay("collector_receiver_http", any_post_is_answered);
}

fn replay(target: &str, check: fn(&[u8]) -> usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = std::fs::read_dir(folder).unwrap();
    let files = files.map(|file| std::fs::read(file.unwrap().path()).unwrap());
    let taken: Vec<_> = files.map(|data| check(&data)).collect();
    let refused = taken.iter().filter(|taken| **taken == 0).count();
    assert!(refused > 10 && taken.len() > refused + 10, "no corpus: {taken:?}");
}
