//! The text of a request: its resources, scopes and spans.

use std::fmt::{Display, Write as _};
use std::time::Duration;

use otlp_core::export::text::printable;
use otlp_core::wire::trace::{EventView, LinkView, ResourceSpansView, ScopeSpansView};
use otlp_core::wire::{Attributes, SpanView, TracesRequestView, WireError};

use super::value::{ValueText, put_bounded};

/// All spans of an encoded request.
pub(super) fn describe(request: &[u8]) -> Result<String, WireError> {
    let mut page = Page { text: String::new() };
    for resource in TracesRequestView::parse(request)?.resources() {
        page.resource(&resource?)?;
    }
    Ok(page.text)
}

/// The text so far.
struct Page {
    text: String,
}

impl Page {
    fn resource(&mut self, envelope: &ResourceSpansView<'_>) -> Result<(), WireError> {
        self.add("resource");
        if let Some(resource) = envelope.resource() {
            self.inline(resource.attributes())?;
            self.dropped(" dropped", &[(resource.dropped_attributes_count(), "attribute")]);
        }
        self.schema(envelope.schema_url());
        for scope in envelope.scopes() {
            self.scope(&scope?)?;
        }
        Ok(())
    }

    fn scope(&mut self, envelope: &ScopeSpansView<'_>) -> Result<(), WireError> {
        self.add("scope");
        if let Some(scope) = envelope.scope() {
            self.add(format_args!(" {}", named(scope.name())));
            if !scope.version().is_empty() {
                self.add(format_args!(" {}", printable(scope.version())));
            }
            self.inline(scope.attributes())?;
            self.dropped(" dropped", &[(scope.dropped_attributes_count(), "attribute")]);
        }
        self.schema(envelope.schema_url());
        for span in envelope.items() {
            self.span(&span?)?;
        }
        Ok(())
    }

    fn span(&mut self, span: &SpanView<'_>) -> Result<(), WireError> {
        self.add(format_args!("span {}\n", named(span.name())));
        self.identity(span);
        self.times(span);
        self.status(span);
        self.lines("  ", span.attributes())?;
        for event in span.events() {
            self.event(&event?, span.start_time_unix_nano())?;
        }
        for link in span.links() {
            self.link(&link?)?;
        }
        if self.dropped(
            "  dropped",
            &[
                (span.dropped_attributes_count(), "attribute"),
                (span.dropped_events_count(), "event"),
                (span.dropped_links_count(), "link"),
            ],
        ) {
            self.add('\n');
        }
        Ok(())
    }

    fn identity(&mut self, span: &SpanView<'_>) {
        let flags = span.flags();
        self.add(format_args!("  trace    {}, flags {:02x}\n", hex(span.trace_id()), flags & 0xff));
        self.add(format_args!("  id       {}\n", hex(span.span_id())));
        if !span.parent_span_id().is_empty() {
            let parent = hex(span.parent_span_id());
            self.add(format_args!("  parent   {parent}{}\n", remote(flags)));
        }
        if !span.trace_state().is_empty() {
            self.add(format_args!("  state    {}\n", printable(span.trace_state())));
        }
    }

    fn times(&mut self, span: &SpanView<'_>) {
        let (start, end) = (span.start_time_unix_nano(), span.end_time_unix_nano());
        self.add(format_args!("  kind     {}\n", kind(span.kind())));
        self.add(format_args!("  start    {}\n", rfc3339(start)));
        self.add(format_args!(
            "  duration {:?}\n",
            Duration::from_nanos(end.saturating_sub(start))
        ));
    }

    fn status(&mut self, span: &SpanView<'_>) {
        let status = span.status();
        self.add(match status.code() {
            0 => "  status   unset",
            1 => "  status   ok",
            2 => "  status   error",
            _ => "  status   unknown",
        });
        if !status.message().is_empty() {
            self.add(' ');
            put_bounded(&mut self.text, VALUE_MAX, format_args!("{:?}", status.message()));
        }
        self.add('\n');
    }

    fn event(&mut self, event: &EventView<'_>, start: u64) -> Result<(), WireError> {
        let time = event.time_unix_nano();
        let sign = if time < start { '-' } else { '+' };
        let offset = Duration::from_nanos(time.abs_diff(start));
        self.add(format_args!("  event {sign}{offset:?} {}", named(event.name())));
        self.dropped(", dropped", &[(event.dropped_attributes_count(), "attribute")]);
        self.add('\n');
        self.lines("    ", event.attributes())
    }

    fn link(&mut self, link: &LinkView<'_>) -> Result<(), WireError> {
        let (trace, span) = (hex(link.trace_id()), hex(link.span_id()));
        self.add(format_args!("  link {trace} {span}{}", remote(link.flags())));
        if !link.trace_state().is_empty() {
            self.add(format_args!(", state {}", printable(link.trace_state())));
        }
        self.dropped(", dropped", &[(link.dropped_attributes_count(), "attribute")]);
        self.add('\n');
        self.lines("    ", link.attributes())
    }

    /// Attributes on the line that was begun.
    fn inline(&mut self, attributes: Attributes<'_>) -> Result<(), WireError> {
        for attribute in attributes {
            let attribute = attribute?;
            self.add(format_args!(" {}=", printable(attribute.key())));
            put_bounded(&mut self.text, VALUE_MAX, ValueText(attribute.value()));
        }
        Ok(())
    }

    /// Attributes on a line each.
    fn lines(&mut self, indent: &str, attributes: Attributes<'_>) -> Result<(), WireError> {
        for attribute in attributes {
            let attribute = attribute?;
            self.add(format_args!("{indent}{} = ", printable(attribute.key())));
            put_bounded(&mut self.text, VALUE_MAX, ValueText(attribute.value()));
            self.add('\n');
        }
        Ok(())
    }

    /// Ends the line of a resource or scope, with its schema if it has one.
    fn schema(&mut self, url: &str) {
        if !url.is_empty() {
            self.add(format_args!(" (schema {})", printable(url)));
        }
        self.add('\n');
    }

    /// What the limits discarded, if anything: ` 2 events, 1 link` after `what`.
    fn dropped(&mut self, what: &str, counts: &[(u32, &str)]) -> bool {
        let mut before = what;
        for (count, name) in counts.iter().filter(|(count, _)| *count > 0) {
            let plural = if *count == 1 { "" } else { "s" };
            self.add(format_args!("{before} {count} {name}{plural}"));
            before = ",";
        }
        counts.iter().any(|(count, _)| *count > 0)
    }

    fn add(&mut self, text: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{text}");
    }
}

/// A name that may be empty.
fn named(name: &str) -> String {
    if name.is_empty() { "\"\"".to_owned() } else { printable(name) }
}

fn hex(id: &[u8]) -> String {
    let mut text = String::new();
    // Ids from elsewhere may have any length.
    put_bounded(&mut text, 64, Hex(id));
    text
}

struct Hex<'a>(&'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whether the context came from another process, as `Span.flags` and `Link.flags` say (row F1).
fn remote(flags: u32) -> &'static str {
    if flags & 0x300 == 0x300 { " (remote)" } else { "" }
}

fn kind(number: i32) -> &'static str {
    match number {
        // Unspecified may be read as internal (row F3).
        0 | 1 => "internal",
        2 => "server",
        3 => "client",
        4 => "producer",
        5 => "consumer",
        _ => "unknown",
    }
}

/// Unix nanoseconds as `2026-11-21T15:30:00.123456789Z`.
pub(super) fn rfc3339(unix_nano: u64) -> String {
    let (seconds, nano) = (unix_nano / 1_000_000_000, unix_nano % 1_000_000_000);
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{nano:09}Z")
}

/// Year, month and day of a count of days since 1970.
///
/// Counted in eras of 400 years from 1 March 0000, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days.saturating_add(DAYS_TO_1970);
    let (era, day) = (days / DAYS_OF_ERA, days % DAYS_OF_ERA);
    let year_of_era = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let january_follows = u64::from(month_from_march >= 10);
    let month = month_from_march + 3 - 12 * january_follows;
    (era * 400 + year_of_era + january_follows, month, day_of_month)
}

/// From 1 March 0000 to 1 January 1970.
const DAYS_TO_1970: u64 = 719_468;
const DAYS_OF_ERA: u64 = 146_097;
/// Most bytes that one value prints.
const VALUE_MAX: usize = 1_024;
