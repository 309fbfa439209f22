//! The `collector` program from the outside: arguments, the JSON lines, each kind of row.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail the test that calls them"
)]

use std::path::PathBuf;
use std::process::{Command, Output};

use otlp_benches::collector::rows::Row;
use otlp_benches::rows::Bar;
use serde_json::Value;

/// Who is measured here. `["--ours", PATH]` measures a program; without either, the program under test
/// builds `otlp-collector` in release.
const OURS: [&str; 1] = ["--self-check"];

fn collector(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_collector")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs rows shortly and returns their JSON lines, by row.
fn smoke(ours: &[&str], only: &[&str]) -> Vec<Value> {
    let name = format!("collector-{}.json", only.join("-"));
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let mut arguments = vec!["--smoke", "--json", file.to_str().unwrap()];
    arguments.extend(ours);
    arguments.extend(only.iter().flat_map(|row| ["--only", row]));
    let output = collector(&arguments);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    let json = std::fs::read_to_string(&file).unwrap();
    json.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The rows of the lines, each of which has figures of both sides.
fn rows_with_figures(lines: &[Value]) -> Vec<&str> {
    for line in lines {
        for side in ["ours", "peer", "ratio"] {
            assert!(line[side]["median"].as_f64().unwrap() > 0.0, "{line}");
        }
        assert_eq!(line["peer_name"], "prost decode + encode", "{line}");
    }
    lines.iter().map(|line| line["row"].as_str().unwrap()).collect()
}

#[test]
fn an_unknown_row_is_refused_with_the_rows_that_exist() {
    let output = collector(&["--only", "pass_11"]);
    assert!(!output.status.success());
    let error = text(&output.stderr);
    assert!(error.contains("pass_11") && error.contains("pass_100"), "{error}");
}

#[test]
fn an_unknown_argument_is_refused_with_the_usage() {
    let output = collector(&["--fast"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("usage: collector"));
}

#[test]
fn the_list_names_every_agreed_row() {
    let list = text(&collector(&["--list"]).stdout);
    for row in [
        "pass_100",
        "pass_10",
        "pass_1000",
        "http_100",
        "resource_insert",
        "attribute_upsert",
        "gzip",
        "p99",
        "rss_idle",
        "rss_load",
        "rss_overload",
        "binary",
        "start",
    ] {
        assert!(list.lines().any(|line| line.trim() == row), "{row} is missing in {list}");
    }
}

#[test]
fn the_agreed_bars_are_those_that_were_agreed() {
    let agreed: [(&str, &[Bar], &[Bar]); 13] = [
        ("pass_100", &[Bar::Ratio(6.0)], &[]),
        ("pass_10", &[], &[Bar::Ratio(3.0)]),
        ("pass_1000", &[], &[Bar::Ratio(6.0)]),
        ("http_100", &[], &[Bar::Ratio(8.0)]),
        ("resource_insert_on_top", &[Bar::Ours(0.1)], &[]),
        ("attribute_upsert_on_top", &[Bar::Ours(0.3)], &[]),
        ("gzip", &[], &[Bar::Ratio(3.0)]),
        ("p99", &[Bar::Ours(5.0)], &[Bar::Ratio(3.0)]),
        ("rss_idle", &[Bar::Ours(10.0)], &[]),
        ("rss_load", &[Bar::OursAlways(50.0)], &[]),
        ("rss_overload", &[Bar::OursAlways(128.0 + 32.0)], &[]),
        ("binary", &[Bar::Ours(15.0)], &[]),
        ("start", &[Bar::Ours(20.0)], &[]),
    ];
    for (name, bars, go_bars) in agreed {
        let row = Row::named(name).unwrap();
        assert_eq!((row.bars, row.go_bars), (bars, go_bars), "{name}");
    }
}

#[test]
fn what_goes_through_a_pipeline_is_looked_at_and_measured() {
    let lines = smoke(&OURS, &["pass_100", "p99", "pass_10", "pass_1000", "http_100", "gzip"]);
    let rows = rows_with_figures(&lines);
    assert_eq!(rows, ["pass_100", "p99", "pass_10", "pass_1000", "http_100", "gzip"]);
}

#[test]
fn an_edit_is_measured_whole_and_on_top_of_the_same_round_without() {
    let lines = smoke(&OURS, &["resource_insert", "attribute_upsert"]);
    let rows: Vec<_> = lines.iter().map(|line| line["row"].as_str().unwrap()).collect();
    let whole = ["resource_insert", "attribute_upsert"];
    let on_top = ["resource_insert_on_top", "attribute_upsert_on_top"];
    assert_eq!(rows, [whole[0], on_top[0], whole[1], on_top[1]]);
    // A difference of two short runs may be anything.
    let wholes: Vec<_> =
        lines.into_iter().filter(|line| whole.contains(&line["row"].as_str().unwrap())).collect();
    assert_eq!(rows_with_figures(&wholes), whole);
}

#[test]
fn the_memory_rows_and_the_start_run() {
    let lines = smoke(&OURS, &["rss_idle", "start", "rss_load", "rss_overload"]);
    assert_eq!(rows_with_figures(&lines), ["rss_idle", "start", "rss_load", "rss_overload"]);
}

#[test]
fn a_program_has_a_size_also_without_a_peer() {
    let lines = smoke(&["--ours", "/bin/true"], &["binary"]);
    assert_eq!(lines.len(), 1);
    assert!(lines[0]["ours"]["median"].as_f64().unwrap() > 0.0, "{}", lines[0]);
    assert!(lines[0]["peer"]["median"].is_null(), "{}", lines[0]);
}

#[test]
fn a_collector_that_does_not_work_has_no_figures() {
    let output = collector(&["--smoke", "--ours", "/bin/true", "--only", "pass_100"]);
    assert!(!output.status.success());
    let out = text(&output.stdout);
    assert!(out.contains("could not be measured: ours: ended with exit status: 0"), "{out}");
}
