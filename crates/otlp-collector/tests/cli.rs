//! The program, as somebody at a terminal meets it.

#![cfg(feature = "cli")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write as _;
use std::process::{Command, Output};
#[cfg(unix)]
use std::{
    io::{BufRead as _, BufReader, Read as _},
    net::{TcpListener, TcpStream},
    process::Stdio,
};

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
            "Warning: exporter \"nop/spare\" at {path}:3:20 is used by nothing\nError: {path}:2:32: receivers::otlp::protocols: unknown key \"gprc\"; did you mean \"grpc\"?\n"
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

#[test]
fn a_variable_that_is_not_set_is_told_with_the_mistake_that_it_makes() {
    let warning = "Warning: the variable NO_SUCH_VARIABLE is referred to and not set";
    for text in [
        // Refused by a component, by the sections, and while it is read.
        &GOOD.replace("spare:", "spare: {queue: '${NO_SUCH_VARIABLE}'}"),
        &GOOD.replace("exporters: [nop]", "exporters: ['${NO_SUCH_VARIABLE}']"),
        &GOOD.replace("spare:", "spare: ['${NO_SUCH_VARIABLE}', '${no:such}']"),
    ] {
        let config = file(text);
        let path = config.path().to_str().unwrap();
        for command in [&["validate"][..], &[], &["print-config"]] {
            let output = collector(&[command, &["--config", path]].concat());
            assert_eq!(output.status.code(), Some(1));
            let said = stderr(&output);
            assert!(said.starts_with(warning) && said.contains("\nError: "), "{said}");
        }
    }
}

/// The second signal means: at once. What is given up then is said.
#[cfg(unix)]
#[test]
fn a_second_signal_ends_with_an_account_of_that_moment() {
    let backend = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = file(&format!(
        "
receivers: {{otlp: {{protocols: {{http: {{endpoint: '127.0.0.1:0'}}}}}}}}
exporters: {{otlp_http: {{endpoint: 'http://{}', compression: none}}}}
service:
  telemetry: {{metrics: {{level: none}}}}
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp_http]}}}}
",
        backend.local_addr().unwrap()
    ));
    let mut command = Command::new(env!("CARGO_BIN_EXE_otlp-collector"));
    command.arg("--config").arg(config.path()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let mut until = |said: &str| {
        let mut line = String::new();
        while !line.contains(said) {
            line.clear();
            assert!(log.read_line(&mut line).unwrap() > 0, "it ended before it said {said}");
        }
        line
    };
    let line = until("listening for http at ");
    let (_, address) = line.split_once("listening for http at ").unwrap();
    let end = address.find(|c: char| !(c.is_ascii_digit() || ".:".contains(c))).unwrap();
    let body = r#"{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "buy"}]}]}]}"#;
    let mut client = TcpStream::connect(&address[..end]).unwrap();
    write!(
        client,
        "POST /v1/traces HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    // Taken, and never answered.
    let (_held, _) = backend.accept().unwrap();

    let pid = child.id().to_string();
    let end = || assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    end();
    until("SIGTERM: ending within");
    end();
    until("SIGTERM again: this is what has become of everything until now");
    let exporter = until("exporter otlp_http (traces): ");
    assert!(exporter.contains("held 1"), "{exporter}");
    until("all: received 1");
    until("Error: SIGTERM again: ended before everything was sent");
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
