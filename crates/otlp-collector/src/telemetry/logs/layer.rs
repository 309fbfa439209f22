//! From an event of `tracing` to a line.

use std::fmt::Debug;
use std::time::{Instant, SystemTime};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use super::super::settings::{LogEncoding, LogLevel, LogSettings};
use super::line::Line;
use super::output::Output;
use super::sampling::{Sampling, Verdict};

/// Writes events, and takes no notice of spans.
pub(super) struct LogLayer {
    level: Level,
    encoding: LogEncoding,
    has_caller: bool,
    initial: Vec<(String, Value)>,
    sampling: Option<Sampling>,
    output: Output,
}

impl LogLayer {
    pub(super) fn new(settings: &LogSettings, output: Output) -> Self {
        let initial = settings.initial_fields.iter();
        Self {
            level: match settings.level {
                LogLevel::Debug => Level::DEBUG,
                LogLevel::Info => Level::INFO,
                LogLevel::Warn => Level::WARN,
                LogLevel::Error => Level::ERROR,
            },
            encoding: settings.encoding,
            has_caller: !settings.disable_caller,
            initial: initial.map(|(key, value)| (key.clone(), value.as_str().into())).collect(),
            sampling: Sampling::new(settings.sampling),
            output,
        }
    }

    /// Of others' crates less is wanted: they say much below `warn`, and say it while they export.
    fn wants(&self, metadata: &Metadata<'_>) -> bool {
        let is_ours = metadata.target().starts_with("otlp");
        let least = if is_ours { self.level } else { self.level.min(Level::WARN) };
        metadata.is_event() && *metadata.level() <= least
    }
}

impl<S: Subscriber> Layer<S> for LogLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _context: Context<'_, S>) -> bool {
        self.wants(metadata)
    }

    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut said = Said::default();
        event.record(&mut said);
        let level = *metadata.level();
        let verdict = match &self.sampling {
            Some(sampling) => sampling.decide(level, &said.message, Instant::now()),
            None => Verdict::Write { left_out: 0 },
        };
        let Verdict::Write { left_out } = verdict else { return };
        let dropped = self.output.take_dropped();
        for (key, count) in [("left_out", left_out), ("lines_dropped", dropped)] {
            if count > 0 {
                said.fields.push((key.to_owned(), count.into()));
            }
        }
        let caller = || Some((metadata.file()?, metadata.line()?));
        let line = Line {
            time: SystemTime::now(),
            level,
            caller: self.has_caller.then(caller).flatten(),
            message: &said.message,
            fields: &[self.initial.as_slice(), &said.fields],
        };
        let line = match self.encoding {
            LogEncoding::Console => line.console(),
            LogEncoding::Json => line.json(),
        };
        self.output.write(line, dropped);
    }
}

/// What an event says.
#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(String, Value)>,
}

impl Said {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            ("message", Value::String(text)) => self.message = text,
            (name, value) => self.fields.push((name.to_owned(), value)),
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field, format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value.into());
    }
}
