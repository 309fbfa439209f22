//! OTLP/JSON against prost, against the serde forms of opentelemetry-proto, and against the examples of
//! the protocol's authors.
#![cfg(feature = "json")]
#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by panicking, also in the modules that its functions share"
)]

#[path = "wire_checks/json.rs"]
mod checks;
#[path = "wire_json/examples.rs"]
mod examples;
#[allow(dead_code, reason = "shared with the tests of the binary format, which use all of it")]
mod wire_generate;

use std::env;
use std::fmt::Debug;
use std::path::Path;

use otlp_core::Signal;
use otlp_core::wire::json::{Message, read, write};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use self::wire_generate::Generator;

/// `PROPTEST_CASES` runs more.
fn cases(default: u32) -> ProptestConfig {
    let cases = env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok());
    ProptestConfig {
        cases: cases.unwrap_or(default),
        failure_persistence: None,
        ..Default::default()
    }
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn what_prost_writes_means_the_same_in_json(seed: u64) {
        checks::agrees_with_prost(&Generator::new(seed).any_request());
    }

    #[test]
    fn rearranged_and_damaged_bytes_are_written_or_refused(seed: u64) {
        let mut generator = Generator::new(seed);
        let request = generator.any_request();
        let mut request = generator.rearrange(&request);
        checks::agrees_with_prost(&request);
        generator.damage(&mut request);
        checks::agrees_with_prost(&request);
    }

    #[test]
    fn our_text_and_that_of_opentelemetry_proto_are_read_by_each_other(seed: u64) {
        let mut generator = Generator::new(seed);
        agrees_with_serde(Signal::Traces, &generator.traces());
        agrees_with_serde(Signal::Metrics, &generator.metrics());
        agrees_with_serde(Signal::Logs, &generator.logs());
    }

    #[test]
    fn damaged_text_is_read_back_or_refused(seed: u64, at: prop::sample::Index, with: u8) {
        let mut text = Vec::new();
        let request = Generator::new(seed).traces();
        let bytes = prost::Message::encode_to_vec(&request);
        write(Message::Request(Signal::Traces), &bytes, &mut text).unwrap();
        checks::reads_back(&text);
        let at = at.index(text.len());
        text[at] = with;
        checks::reads_back(&text);
        text.truncate(at);
        checks::reads_back(&text);
    }

    #[test]
    fn arbitrary_text_never_panics(text: String, bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        checks::reads_back(text.as_bytes());
        checks::reads_back(&bytes);
        checks::agrees_with_prost(&bytes);
    }
}

/// Ours is read by their serde forms, theirs by our reader.
fn agrees_with_serde<T>(signal: Signal, request: &T)
where
    T: prost::Message + Default + Debug + Serialize + DeserializeOwned,
{
    let message = Message::Request(signal);
    let mut text = Vec::new();
    write(message, &request.encode_to_vec(), &mut text).unwrap();
    // Their serde form cannot read what JSON has no number for, and writes `null` for it. (J7)
    let special = ["\"NaN\"", "Infinity\""];
    if special.iter().any(|number| String::from_utf8_lossy(&text).contains(number)) {
        return;
    }
    let theirs = serde_json::from_slice::<T>(&text);
    let theirs = theirs.unwrap_or_else(|error| panic!("{}", place(&text, &error)));
    same(&theirs, request);

    let text = serde_json::to_vec(request).unwrap();
    let ours = read(message, &text).unwrap_or_else(|error| panic!("{error}"));
    same(&T::decode(ours.as_slice()).unwrap(), request);
}

/// Compares as text, in which one NaN equals another, and shows where the first difference is.
fn same(read: &impl Debug, meant: &impl Debug) {
    let [read, meant] = [format!("{read:?}"), format!("{meant:?}")].map(|text| known(&text));
    if read != meant {
        let at = read.bytes().zip(meant.bytes()).position(|(read, meant)| read != meant);
        let start = at.unwrap_or(0).saturating_sub(100);
        let around = |text: &str| text.chars().skip(start).take(200).collect::<String>();
        panic!("…{}…\nwas read instead of\n…{}…", around(&read), around(&meant));
    }
}

/// Their serde form does not know the index into a table of strings, which only profiles use.
fn known(text: &str) -> String {
    let mut pieces = text.split("Some(StringValueStrindex(");
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        out.push_str("None");
        out.push_str(piece.split_once("))").unwrap().1);
    }
    out
}

fn place(text: &[u8], error: &serde_json::Error) -> String {
    let start = error.column().saturating_sub(200);
    let text = String::from_utf8_lossy(&text[start..error.column()]);
    format!("{error}: …{text}")
}

/// The fuzzer's findings and seeds stay checked without a fuzzer.
#[test]
fn the_fuzz_corpus_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/json_reader");
    let files = std::fs::read_dir(&folder).unwrap().map(|file| file.unwrap().path());
    let count = files.map(|file| {
        let data = std::fs::read(file).unwrap();
        checks::reads_back(&data);
        checks::agrees_with_prost(&data);
    });
    assert!(count.count() > 5, "no corpus");
}
