//! The program, as somebody at a terminal meets it.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Output};

const GOOD: &str = "
receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}}}}
exporters: {nop: , nop/spare: }
service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}
";

fn collector(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_otlp-collector")).args(args).output().unwrap()
}

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::Builder::new().suffix(".yaml").tempfile().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn a_good_configuration_is_valid_and_what_is_unused_is_said() {
    let config = file(GOOD);
    let path = config.path().to_str().unwrap();
    let output = collector(&["validate", "--config", path]);
    assert!(output.status.success(), "{output:?}");
    let warning = format!("Warning: exporter \"nop/spare\" at {path}:3:20 is used by nothing\n");
    assert_eq!(stderr(&output), warning);
}

#[test]
fn a_mistake_is_told_with_file_line_column_and_what_was_meant() {
    let config = file(&GOOD.replace("grpc:", "gprc:"));
    let path = config.path().to_str().unwrap();
    for command in [&["validate"][..], &[]] {
        let output = collector(&[command, &["--config", path]].concat());
        assert_eq!(output.status.code(), Some(1));
        let text = format!(
            "Error: {path}:2:32: receivers::otlp::protocols: unknown key \"gprc\"; did you mean \"grpc\"?\n"
        );
        assert_eq!(stderr(&output), text);
    }
}

#[test]
fn several_configurations_and_values_are_merged_in_order() {
    let (base, over) = (file(GOOD), file("exporters: {nop/spare: {wrong: 1}}"));
    let (base, over) = (base.path().to_str().unwrap(), over.path().to_str().unwrap());
    let both = ["validate", "--config", base, "--config", over];
    assert!(stderr(&collector(&both)).contains("unknown key \"wrong\""));
    let set = ["validate", "--config", base, "--set", "receivers.otlp.protocols.grpc.endpoint"];
    let text = stderr(&collector(&set));
    assert!(text.contains("accepted: key.below.key=value"), "{text}");
    let none = collector(&["validate"]);
    assert_eq!(none.status.code(), Some(1));
    assert!(stderr(&none).contains("at least one --config is needed"));
    let away = collector(&["--config", "/nowhere/collector.yaml"]);
    assert!(stderr(&away).starts_with("Error: /nowhere/collector.yaml: cannot be read: "));
}

#[test]
fn a_port_in_use_is_an_error_that_names_it() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let config = file(&GOOD.replace("127.0.0.1:0", &address));
    let output = collector(&["--config", config.path().to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    let text = stderr(&output);
    let said =
        format!("receiver \"otlp\" does not start: protocols::grpc::endpoint: \"{address}\"");
    assert!(text.contains(&said), "{text}");
}

#[test]
fn the_inventory_has_the_current_names() {
    let output = collector(&["components"]);
    assert!(output.status.success());
    let text = stdout(&output);
    for there in ["receivers:\n    - name: otlp\n", "connectors:\n    - name: forward\n"] {
        assert!(text.contains(there), "{text}");
    }
}

#[test]
fn what_is_printed_hides_secrets_unless_it_is_asked_for() {
    let config =
        file(&GOOD.replacen("exporters:", "extensions: {x: {token: sesame}}\nexporters:", 1));
    let path = config.path().to_str().unwrap();
    let print = |more: &[&str]| {
        collector(&[&["print-config", "--validate=false", "--config", path][..], more].concat())
    };
    let hidden = stdout(&print(&[]));
    assert!(hidden.contains("token: '[REDACTED]'") && !hidden.contains("sesame"), "{hidden}");
    assert!(stdout(&print(&["--mode", "unredacted"])).contains("token: sesame"));
    let checked = collector(&["print-config", "--config", path]);
    assert!(stderr(&checked).contains("unknown extension \"x\""), "{checked:?}");
}
