use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::{Condvar, Mutex};
use serde_json::Value;
use tracing::subscriber::with_default;

use super::super::settings::{LogEncoding, LogLevel, SamplingSettings};
use super::*;

/// What was written, and a gate in front of it.
#[derive(Clone, Default)]
struct Written(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<(Vec<u8>, bool)>,
    opened: Condvar,
}

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.state.lock().0.clone()).unwrap()
    }

    fn shut(&self, is_shut: bool) {
        self.0.state.lock().1 = is_shut;
        self.0.opened.notify_all();
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.state.lock();
        self.0.opened.wait_while(&mut state, |state| state.1);
        state.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn said(settings: &LogSettings, say: impl FnOnce()) -> String {
    let written = Written::default();
    let (output, guard) = output::to(vec![Box::new(written.clone())]).unwrap();
    with_default(Registry::default().with(LogLayer::new(settings, output)), say);
    drop(guard);
    written.text()
}

fn with(mut settings: LogSettings, change: impl FnOnce(&mut LogSettings)) -> LogSettings {
    change(&mut settings);
    settings
}

fn json() -> LogSettings {
    with(LogSettings::default(), |it| it.encoding = LogEncoding::Json)
}

#[test]
fn a_line_of_json_has_the_keys_of_the_go_collector() {
    let mut settings = json();
    settings.initial_fields.insert("host".to_owned(), "a".to_owned());
    let text = said(&settings, || {
        tracing::warn!(target: "otlp_collector", port = 4317, open = true, "two\n\"lines\"");
    });
    let line: Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
    assert_eq!((&line["level"], &line["msg"]), (&"warn".into(), &"two\n\"lines\"".into()));
    assert_eq!(
        (&line["port"], &line["open"], &line["host"]),
        (&4317.into(), &true.into(), &"a".into())
    );
    let caller = line["caller"].as_str().unwrap();
    assert!(caller.starts_with("logs/tests.rs:"), "{caller}");
    assert!(line["ts"].as_str().unwrap().ends_with('Z'));
}

#[test]
fn a_line_for_people_stays_one_line() {
    let settings = with(LogSettings::default(), |it| it.disable_caller = true);
    let text = said(&settings, || {
        tracing::info!(target: "otlp_collector", peer = "a\nb", "evil\nline \u{1b}[31m");
        tracing::error!(target: "otlp_collector", "{}", "x".repeat(1 << 20));
    });
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 2);
    let parts: Vec<_> = lines[0].split('\t').skip(1).collect();
    assert_eq!(parts, ["info", r"evil\nline \u{1b}[31m", r#"{"peer":"a\nb"}"#]);
    assert!(lines[1].len() < 10_000);
}

#[test]
fn levels_are_kept_and_others_crates_say_less() {
    let say = || {
        tracing::debug!(target: "otlp_collector", "ours debug");
        tracing::trace!(target: "otlp_collector", "ours trace");
        tracing::info!(target: "h2::proto", "others info");
        tracing::warn!(target: "h2::proto", "others warn");
    };
    let text = said(&with(json(), |it| it.level = LogLevel::Debug), say);
    let has = |what| text.contains(what);
    assert!(has("ours debug") && has("others warn") && !has("trace") && !has("others info"));
    assert!(!said(&with(json(), |it| it.level = LogLevel::Error), say).contains("others"));
}

#[test]
fn messages_that_repeat_themselves_are_left_out_by_their_text() {
    let say = || {
        for number in 0..50 {
            tracing::info!(target: "otlp_collector", number, "again");
        }
        tracing::info!(target: "otlp_collector", "once");
    };
    let text = said(&json(), say);
    assert_eq!((text.matches("again").count(), text.matches("once").count()), (10, 1));
    let sampling = SamplingSettings { enabled: false, ..SamplingSettings::default() };
    assert_eq!(said(&with(json(), |it| it.sampling = sampling), say).matches("again").count(), 50);
}

#[test]
fn who_speaks_does_not_wait_for_who_does_not_listen_and_what_was_dropped_is_said() {
    let written = Written::default();
    written.shut(true);
    let (output, guard) = output::to(vec![Box::new(written.clone())]).unwrap();
    let sampling = SamplingSettings { enabled: false, ..SamplingSettings::default() };
    let layer = LogLayer::new(&with(json(), |it| it.sampling = sampling), output.clone());
    with_default(Registry::default().with(layer), || {
        for number in 0..3000 {
            tracing::info!(target: "otlp_collector", number, "many");
        }
        written.shut(false);
        // Room again: what is said next is written, in the end.
        let flushed = LogGuard::of(&output);
        drop(flushed);
        tracing::info!(target: "otlp_collector", "last");
    });
    drop(guard);
    let text = written.text();
    let lines = text.matches("\"many\"").count();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["msg"], "last");
    let dropped: u64 = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter_map(|line| line["lines_dropped"].as_u64())
        .sum();
    assert!(dropped > 0 && lines as u64 + dropped == 3000, "{lines} {dropped}");
}

#[test]
fn a_file_that_cannot_be_opened_is_named() {
    let error = output::open(&["/nowhere/at/all".to_owned()]).unwrap_err().to_string();
    assert!(error.starts_with("logs::output_paths: \"/nowhere/at/all\": "), "{error}");
}
