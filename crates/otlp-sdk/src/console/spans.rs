//! Spans as text.

use std::time::Duration;

use otlp_core::export::text::printable;
use otlp_core::wire::trace::{EventView, LinkView};
use otlp_core::wire::{SpanView, WireError};

use super::page::{Describe, Page, hex, named};
use super::time::rfc3339;

impl Describe for SpanView<'_> {
    fn describe(&self, page: &mut Page) -> Result<(), WireError> {
        page.add(format_args!("span {}\n", named(self.name())));
        identity(page, self);
        times(page, self);
        status(page, self);
        page.lines("  ", self.attributes())?;
        let start = self.start_time_unix_nano();
        self.events().try_for_each(|it| event(page, &it?, start))?;
        self.links().try_for_each(|it| link(page, &it?))?;
        let counts = [
            (self.dropped_attributes_count(), "attribute"),
            (self.dropped_events_count(), "event"),
            (self.dropped_links_count(), "link"),
        ];
        if page.dropped("  dropped", &counts) {
            page.add('\n');
        }
        Ok(())
    }
}

fn identity(page: &mut Page, span: &SpanView<'_>) {
    let flags = span.flags();
    page.add(format_args!("  trace    {}, flags {:02x}\n", hex(span.trace_id()), flags & 0xff));
    page.add(format_args!("  id       {}\n", hex(span.span_id())));
    if !span.parent_span_id().is_empty() {
        let parent = hex(span.parent_span_id());
        page.add(format_args!("  parent   {parent}{}\n", remote(flags)));
    }
    if !span.trace_state().is_empty() {
        page.add(format_args!("  state    {}\n", printable(span.trace_state())));
    }
}

fn times(page: &mut Page, span: &SpanView<'_>) {
    let (start, end) = (span.start_time_unix_nano(), span.end_time_unix_nano());
    let duration = Duration::from_nanos(end.saturating_sub(start));
    page.add(format_args!("  kind     {}\n", kind(span.kind())));
    page.add(format_args!("  start    {}\n", rfc3339(start)));
    page.add(format_args!("  duration {duration:?}\n"));
}

fn status(page: &mut Page, span: &SpanView<'_>) {
    let status = span.status();
    page.add(match status.code() {
        0 => "  status   unset",
        1 => "  status   ok",
        2 => "  status   error",
        _ => "  status   unknown",
    });
    if !status.message().is_empty() {
        page.add(' ');
        page.bounded(format_args!("{:?}", status.message()));
    }
    page.add('\n');
}

fn event(page: &mut Page, event: &EventView<'_>, start: u64) -> Result<(), WireError> {
    let time = event.time_unix_nano();
    let sign = if time < start { '-' } else { '+' };
    let offset = Duration::from_nanos(time.abs_diff(start));
    page.add(format_args!("  event {sign}{offset:?} {}", named(event.name())));
    page.dropped(", dropped", &[(event.dropped_attributes_count(), "attribute")]);
    page.add('\n');
    page.lines("    ", event.attributes())
}

fn link(page: &mut Page, link: &LinkView<'_>) -> Result<(), WireError> {
    let (trace, span) = (hex(link.trace_id()), hex(link.span_id()));
    page.add(format_args!("  link {trace} {span}{}", remote(link.flags())));
    if !link.trace_state().is_empty() {
        page.add(format_args!(", state {}", printable(link.trace_state())));
    }
    page.dropped(", dropped", &[(link.dropped_attributes_count(), "attribute")]);
    page.add('\n');
    page.lines("    ", link.attributes())
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
