//! Where the text goes, and what stands around it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use otlp_core::Payload;
use otlp_core::time::UtcTime;
use otlp_core::wire::{LogRecordView, MetricView, RequestView, SignalItem, SpanView, WireError};
use otlp_core::{Signal, wire};
use parking_lot::Mutex;

use super::detailed::{Full, full};
use super::normal::{Brief, brief};
use super::page::Page;
use super::settings::Verbosity;
use crate::exporters::desk::{Awaited, write_all};

/// A writer that several may have.
pub(super) type SharedWriter = Arc<Mutex<dyn Write + Send>>;

/// Where text is written: to all of these.
pub(super) struct Outputs(Vec<Box<dyn Write + Send>>);

impl Outputs {
    /// Opens `stdout`, `stderr`, or files, which are added to.
    pub(super) fn open(paths: &[String]) -> io::Result<Self> {
        let open = |path: &String| -> io::Result<Box<dyn Write + Send>> {
            Ok(match path.as_str() {
                "stdout" => Box::new(io::stdout()),
                "stderr" => Box::new(io::stderr()),
                path => {
                    let file = OpenOptions::new().append(true).create(true).open(path);
                    Box::new(file.map_err(|error| {
                        io::Error::new(error.kind(), format!("output_paths: {path}: {error}"))
                    })?)
                }
            })
        };
        paths.iter().map(open).collect::<io::Result<_>>().map(Self)
    }

    /// The one that a program has brought.
    pub(super) fn shared(writer: SharedWriter) -> Self {
        struct Locked(SharedWriter);

        impl Write for Locked {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().write(bytes)
            }

            fn flush(&mut self) -> io::Result<()> {
                self.0.lock().flush()
            }
        }

        Self(vec![Box::new(Locked(writer))])
    }

    pub(super) fn write(&mut self, text: &str, awaited: Awaited<'_>) -> io::Result<()> {
        let written: Vec<_> =
            self.0.iter_mut().map(|output| write_all(output, text.as_bytes(), awaited)).collect();
        written.into_iter().collect()
    }
}

/// How the text of a request is put together.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) verbosity: Verbosity,
    /// The name of the exporter, if text looks like the collector's own log.
    pub(super) logged_as: Option<String>,
}

impl Form {
    /// The text of a request. `skipped` requests came before it that have none.
    pub(super) fn text(&self, payload: &Payload, skipped: u64) -> Result<String, WireError> {
        let request = payload.rope().to_bytes();
        match payload.signal() {
            Signal::Metrics => {
                let metrics = count::<MetricView<'_>>(&request)?;
                let counts = [
                    ("resource metrics", metrics.resources),
                    ("metrics", metrics.items),
                    ("data points", payload.items()),
                ];
                self.entries::<MetricView<'_>>("Metrics", payload, &request, &counts, skipped)
            }
            Signal::Logs => {
                let logs = count::<LogRecordView<'_>>(&request)?;
                let counts = [("resource logs", logs.resources), ("log records", logs.items)];
                self.entries::<LogRecordView<'_>>("Logs", payload, &request, &counts, skipped)
            }
            _ => {
                let spans = count::<SpanView<'_>>(&request)?;
                let counts = [("resource spans", spans.resources), ("spans", spans.items)];
                self.entries::<SpanView<'_>>("Traces", payload, &request, &counts, skipped)
            }
        }
    }

    fn entries<'a, I: SignalItem<'a> + Brief + Full>(
        &self,
        title: &str,
        payload: &Payload,
        request: &'a [u8],
        counts: &[(&str, usize)],
        skipped: u64,
    ) -> Result<String, WireError> {
        let mut page = Page::default();
        match self.verbosity {
            Verbosity::Basic => {}
            Verbosity::Normal => brief::<I>(request, &mut page)?,
            Verbosity::Detailed => full::<I>(request, &mut page)?,
        }
        let (before, source) = self.around(payload.signal());
        let mut fields = source.clone();
        fields.extend(counts.iter().map(|(what, count)| format!("\"{what}\": {count}")));
        if skipped > 0 {
            fields.push(format!("\"requests not shown\": {skipped}"));
        }
        let mut text = format!("{before}{title}\t{{{}}}\n", fields.join(", "));
        if self.verbosity != Verbosity::Basic {
            text.push_str(&before);
            text.push_str(&page.into_text());
            if !source.is_empty() {
                text.push_str(&format!("\t{{{}}}", source.join(", ")));
            }
            text.push('\n');
        }
        Ok(text)
    }

    /// What stands before each entry, and the fields that say whose it is.
    fn around(&self, signal: Signal) -> (String, Vec<String>) {
        let Some(id) = &self.logged_as else { return (String::new(), Vec::new()) };
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let UtcTime { year, month, day, hour, minute, second, nano, .. } =
            UtcTime::of_unix_nano(u64::try_from(since.as_nanos()).unwrap_or_default());
        let millis = nano / 1_000_000;
        let time =
            format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z");
        let source = vec![
            format!("\"otelcol.component.id\": {}", serde_json::Value::from(id.as_str())),
            "\"otelcol.component.kind\": \"exporter\"".to_owned(),
            format!("\"otelcol.signal\": \"{}\"", signal.name()),
        ];
        (format!("{time}\tinfo\t"), source)
    }
}

struct Counts {
    resources: usize,
    items: usize,
}

fn count<'a, I: SignalItem<'a>>(request: &'a [u8]) -> Result<Counts, wire::WireError> {
    let mut counts = Counts { resources: 0, items: 0 };
    for resource in RequestView::<'a, I>::parse(request)?.resources() {
        counts.resources = counts.resources.saturating_add(1);
        for scope in resource?.scopes() {
            counts.items = counts.items.saturating_add(scope?.items().count());
        }
    }
    Ok(counts)
}

/// Which requests have text: in each second the first so many, then each so many-th.
#[derive(Debug)]
pub(super) struct Sampling {
    initial: u64,
    thereafter: u64,
    second: Option<Instant>,
    seen: u64,
    skipped: u64,
}

impl Sampling {
    pub(super) const fn new(initial: u64, thereafter: u64) -> Self {
        Self { initial, thereafter, second: None, seen: 0, skipped: 0 }
    }

    /// Whether a request has text: then how many before it had none.
    pub(super) fn take(&mut self, now: Instant) -> Option<u64> {
        let is_over = |begun: Instant| now.saturating_duration_since(begun) >= SECOND;
        if self.second.is_none_or(is_over) {
            (self.second, self.seen) = (Some(now), 0);
        }
        self.seen = self.seen.saturating_add(1);
        let after = self.seen.saturating_sub(self.initial);
        if after == 0 || after.checked_rem(self.thereafter) == Some(0) {
            return Some(std::mem::take(&mut self.skipped));
        }
        self.skipped = self.skipped.saturating_add(1);
        None
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(initial: u64, thereafter: u64) -> Vec<Option<u64>> {
        let (mut sampling, start) = (Sampling::new(initial, thereafter), Instant::now());
        let mut taken: Vec<_> = (0..7).map(|_| sampling.take(start)).collect();
        taken.push(sampling.take(start + SECOND));
        taken
    }

    #[test]
    fn after_the_first_of_a_second_each_so_many_th_has_text_and_says_how_many_had_none() {
        assert_eq!(taken(2, 1), [Some(0); 8]);
        let (yes, no) = (Some(0), None);
        assert_eq!(taken(2, 3), [yes, yes, no, no, Some(2), no, no, Some(2)]);
        assert_eq!(taken(1, 0), [yes, no, no, no, no, no, no, Some(6)]);
        assert_eq!(taken(0, 0), [no; 8]);
    }
}
