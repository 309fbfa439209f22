//! The `compare` program from the outside: arguments, the JSON lines, each kind of row.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail the test that calls them")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn compare(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_compare")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs one row shortly and returns its JSON line.
fn smoke(row: &str) -> Value {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{row}.json"));
    let path = file.to_str().unwrap();
    let output = compare(&["--smoke", "--only", row, "--json", path]);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    let json = std::fs::read_to_string(&file).unwrap();
    assert_eq!(json.lines().count(), 1, "{json}");
    serde_json::from_str(&json).unwrap()
}

#[test]
fn an_unknown_row_is_refused_with_the_rows_that_exist() {
    let output = compare(&["--only", "span_root11"]);
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(error.contains("span_root11") && error.contains("span_root10_caller"), "{error}");
}

#[test]
fn an_unknown_argument_is_refused_with_the_usage() {
    let output = compare(&["--fast"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("usage: compare"));
}

#[test]
fn the_list_names_every_agreed_row() {
    let list = text(&compare(&["--list"]).stdout);
    for row in [
        "span_root10_caller",
        "span_root10_cpu_encoded",
        "span_root10_allocs",
        "span_root0_caller",
        "span_tree_caller",
        "span_unsampled0",
        "span_unsampled10",
        "span_threads2",
        "tracing10_caller",
        "tracing10_cpu_encoded",
        "tracing10_allocs",
        "log4_cpu_encoded",
        "bridge_grpc",
        "bridge_http",
        "metrics_10k",
        "export_grpc_none",
        "export_http_none",
        "export_grpc_gzip",
        "export_http_gzip",
        "export_http_gzip_default",
        "export_http_zstd",
        "loss_1m",
        "rss_server_away",
    ] {
        assert!(list.lines().any(|line| line.trim() == row), "{row} is missing in {list}");
    }
}

#[test]
fn the_agreed_bars_are_those_that_were_agreed() {
    use otlp_benches::rows::{self, Bar};
    let agreed: [(&str, &[Bar]); 10] = [
        ("span_root10_caller", &[Bar::Ratio(6.0), Bar::Ours(150.0)]),
        ("span_root10_cpu_encoded", &[Bar::Ratio(12.0)]),
        ("span_root10_allocs", &[Bar::OursAlways(0.0)]),
        ("tracing10_caller", &[Bar::Ours(450.0)]),
        ("tracing10_cpu_encoded", &[Bar::Ratio(8.0)]),
        ("tracing10_allocs", &[Bar::Ours(1.0)]),
        ("log4_cpu_encoded", &[Bar::Ratio(6.0)]),
        ("bridge_grpc", &[Bar::Ratio(3.0)]),
        ("bridge_http", &[Bar::Ratio(3.0)]),
        ("metrics_10k", &[Bar::Ratio(4.0)]),
    ];
    for (name, bars) in agreed {
        let row = rows::all().find(|row| row.name == name).unwrap();
        assert_eq!(row.bars, bars, "{name}");
    }
}

#[test]
fn rows_in_one_process_give_figures_of_both_sides() {
    for row in [
        "span_root10_caller",
        "span_root10_cpu_encoded",
        "span_tree_fastrace",
        "log4_cpu_encoded",
        "log4_layer_cpu_encoded",
    ] {
        let line = smoke(row);
        assert_eq!(line["row"], row);
        assert!(line["ours"]["median"].as_f64().unwrap() > 0.0, "{line}");
        assert!(line["peer"]["median"].as_f64().unwrap() > 0.0, "{line}");
        assert!(line["ratio"]["median"].as_f64().unwrap() > 0.0, "{line}");
    }
}

#[test]
fn the_allocations_of_the_official_sdk_are_counted() {
    let line = smoke("span_root10_allocs");
    // Its attribute list grows 4 -> 8 -> 16.
    assert_eq!(line["peer"]["median"].as_f64().unwrap().round(), 3.0, "{line}");
}

#[test]
fn a_recorded_span_allocates_no_more_than_its_share_of_a_buffer() {
    let line = smoke("span_root10_allocs");
    let ours = line["ours"]["median"].as_f64().unwrap();
    // Nothing of its own: a buffer that is sent away is replaced, some hundred spans later.
    assert!(ours < 0.05, "{line}");
}

#[test]
fn a_span_of_the_layer_allocates_its_context_and_its_share_of_a_buffer() {
    let line = smoke("tracing10_allocs");
    let ours = line["ours"]["median"].as_f64().unwrap();
    assert!((1.0..1.05).contains(&ours), "{line}");
}

#[test]
fn an_unsampled_span_never_allocates() {
    let line = smoke("span_unsampled10_allocs");
    // That the counter counts is seen in the rows of recorded spans.
    assert_eq!(line["ours"]["max"].as_f64(), Some(0.0), "{line}");
}

#[test]
fn rows_over_loopback_count_what_arrives() {
    for row in [
        "export_grpc_gzip",
        "export_http_zstd",
        "export_http_none",
        "bridge_grpc",
        "bridge_http_exporter",
        "metrics_10k",
        "metrics_10k_reader",
    ] {
        let line = smoke(row);
        assert!(line["ours"]["median"].as_f64().unwrap() > 0.0, "{line}");
        assert!(line["peer"]["median"].as_f64().unwrap() > 0.0, "{line}");
    }
}

#[test]
fn the_loss_and_the_memory_rows_run() {
    assert_eq!(smoke("loss_1m")["unit"], "spans lost");
    assert!(smoke("rss_server_away")["ours"]["median"].as_f64().unwrap() >= 0.0);
}
