//! `debug` against what the Go collector 0.158 prints of the same requests.
//!
//! The files in `golden` are what its `debug` wrote with `use_internal_logger: false` of the requests beside them,
//! each posted to its OTLP receiver as JSON.

use std::io::{self, Write};
use std::sync::Arc;

use otlp_collector::exporters::debug::{DebugSettings, Verbosity};
use otlp_core::export::Outcome;
use otlp_core::wire::json::{Message, read};
use otlp_core::{Payload, Signal};
use parking_lot::Mutex;

use crate::support::{consume, destination, payload, sender, soon, start, traces};

/// What was printed.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<u8>>>);

impl Screen {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn of_json(signal: Signal, json: &str) -> Payload {
    let request = read(Message::Request(signal), json.as_bytes()).unwrap();
    Payload::from_request(signal, request).unwrap()
}

fn plain(verbosity: Verbosity) -> DebugSettings {
    let mut settings = DebugSettings::with_verbosity(verbosity);
    settings.use_internal_logger = false;
    settings
}

macro_rules! golden {
    ($signal:expr, $name:literal) => {
        (
            of_json($signal, include_str!(concat!("golden/", $name, ".json"))),
            [
                (Verbosity::Basic, include_str!(concat!("golden/", $name, ".basic.txt"))),
                (Verbosity::Normal, include_str!(concat!("golden/", $name, ".normal.txt"))),
                (Verbosity::Detailed, include_str!(concat!("golden/", $name, ".detailed.txt"))),
            ],
        )
    };
}

#[tokio::test]
async fn the_text_is_that_of_the_go_collector() {
    for (payload, texts) in [
        golden!(Signal::Traces, "traces"),
        golden!(Signal::Metrics, "metrics"),
        golden!(Signal::Logs, "logs"),
    ] {
        for (verbosity, expected) in texts {
            let screen = Screen::default();
            let settings = plain(verbosity).to(screen.clone());
            let sender = start(&settings, "debug", payload.signal());
            let outcome = consume(&sender, payload.clone()).await;
            assert!(matches!(outcome, Outcome::Delivered { .. }), "{outcome:?}");
            assert_eq!(screen.text(), expected);
            assert_eq!(sender.account().sent, payload.items() as u64);
        }
    }
}

#[tokio::test]
async fn in_the_log_of_the_collector_each_entry_says_when_and_whose_it_is() {
    let screen = Screen::default();
    let settings = DebugSettings::with_verbosity(Verbosity::Normal).to(screen.clone());
    let sender = start(&settings, "debug/log", Signal::Logs);
    assert!(consume(&sender, payload(Signal::Logs)).await.error().is_none());
    let source = "\"otelcol.component.id\": \"debug/log\", \"otelcol.component.kind\": \"exporter\", \
                  \"otelcol.signal\": \"logs\"";
    let text = screen.text();
    let lines: Vec<_> = text.lines().collect();
    let (time, rest) = lines[0].split_once('\t').unwrap();
    assert!(time.len() == 24 && time.starts_with("20") && time.ends_with('Z'), "{time}");
    let counts = "\"resource logs\": 1, \"log records\": 3";
    assert_eq!(rest, format!("info\tLogs\t{{{source}, {counts}}}"));
    assert!(lines[1].ends_with("Z\tinfo\tResourceLog #0"), "{}", lines[1]);
    assert_eq!(lines[3..6], ["log 1 ", "log 2 ", "log 3 "]);
    assert_eq!(lines[6], format!("\t{{{source}}}"));
}

#[tokio::test]
async fn telemetry_cannot_command_the_terminal_or_forge_a_line() {
    let nasty = "a\u{1b}[31m\nTraces\t{\"spans\": 9}\u{9b}2J";
    let mut request = traces();
    let span = &mut request.resource_spans[0].scope_spans[0].spans[0];
    span.name = nasty.to_owned();
    span.trace_state = nasty.to_owned();
    let request = prost::Message::encode_to_vec(&request);
    let payload = Payload::from_request(Signal::Traces, request).unwrap();
    for verbosity in [Verbosity::Normal, Verbosity::Detailed] {
        let screen = Screen::default();
        let sender = start(&plain(verbosity).to(screen.clone()), "debug", Signal::Traces);
        assert!(consume(&sender, payload.clone()).await.error().is_none());
        let text = screen.text();
        assert!(text.contains("a\\u{1b}[31m\\nTraces\\t{\"spans\": 9}\\u{9b}2J"), "{text}");
        assert_eq!(text.lines().filter(|line| line.starts_with("Traces")).count(), 1);
        assert!(!text.contains(['\u{1b}', '\u{9b}']));
    }
}

#[tokio::test]
async fn what_is_sampled_out_is_delivered_and_the_next_text_says_how_many_had_none() {
    let screen = Screen::default();
    let mut settings = plain(Verbosity::Basic).to(screen.clone());
    (settings.sampling_initial, settings.sampling_thereafter) = (1, 3);
    let sender = start(&settings, "debug", Signal::Traces);
    // More than enough, should a second be over meanwhile.
    for _ in 0..8 {
        assert!(consume(&sender, payload(Signal::Traces)).await.error().is_none());
    }
    assert_eq!(sender.account().sent, 24);
    let text = screen.text();
    assert!(text.lines().count() < 8, "{text}");
    assert!(text.contains(", \"requests not shown\": "), "{text}");
}

/// Takes nothing, as a pipe whose reader has gone.
struct Broken;

impl Write for Broken {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Panics;

impl Write for Panics {
    fn write(&mut self, _bytes: &[u8]) -> io::Result<usize> {
        panic!("a writer that panics")
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn what_cannot_be_printed_is_counted() {
    for settings in [plain(Verbosity::Basic).to(Broken), plain(Verbosity::Basic).to(Panics)] {
        let sender = start(&settings, "debug", Signal::Traces);
        for _ in 0..2 {
            let outcome = consume(&sender, payload(Signal::Traces)).await;
            assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
        }
        let account = sender.account();
        assert_eq!((account.sent, account.unaccounted()), (0, 0), "{account}");
        sender.shutdown(soon()).await;
    }
}

#[tokio::test]
async fn signals_share_files_that_are_added_to() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("debug.txt");
    std::fs::write(&path, "before\n").unwrap();
    let settings = format!("{{use_internal_logger: false, output_paths: ['{}']}}", path.display());
    let destination = destination("debug", &settings).unwrap();
    assert!(!destination.sending().queue.enabled && !destination.sending().retry.enabled);
    for signal in [Signal::Traces, Signal::Logs] {
        let sender = start(destination.as_ref(), "debug", signal);
        assert!(consume(&sender, payload(signal)).await.error().is_none());
        sender.shutdown(soon()).await;
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let expected = "before\nTraces\t{\"resource spans\": 1, \"spans\": 3}\n\
                    Logs\t{\"resource logs\": 1, \"log records\": 3}\n";
    assert_eq!(text, expected);
}

#[tokio::test]
async fn with_a_queue_the_text_follows_the_answer() {
    let sender = sender("debug", "{sending_queue: {num_consumers: 1}}", Signal::Metrics);
    assert!(consume(&sender, payload(Signal::Metrics)).await.error().is_none());
    sender.shutdown(soon()).await;
    assert_eq!(sender.account().sent, 3);
}

#[test]
fn the_settings_of_the_go_collector_are_read_and_mistakes_named() {
    for settings in [
        "",
        "{verbosity: detailed, sampling_initial: 5, sampling_thereafter: 200}",
        "{verbosity: Normal, use_internal_logger: false, output_paths: [stdout, stderr]}",
        "{verbosity: basic, sending_queue: }",
    ] {
        assert!(destination("debug", settings).is_ok(), "{settings}");
    }
    for (settings, said) in [
        ("{verbosity: loud}", "unknown value \"loud\""),
        ("{loglevel: debug}", "unknown key \"loglevel\""),
        ("{sampling_initial: -1}", "sampling_initial"),
        ("{output_paths: [stdout]}", "use_internal_logger is false"),
        ("{use_internal_logger: false, output_paths: []}", "output_paths: it is empty"),
    ] {
        let error = destination("debug", settings).unwrap_err();
        assert!(error.contains(said) && error.contains(":2:"), "{settings}: {error}");
    }
}
