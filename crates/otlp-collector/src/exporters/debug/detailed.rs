//! `verbosity: detailed`: everything of every item, a field on a line.

mod metrics;

use otlp_core::wire::trace::{EventView, LinkView};
use otlp_core::wire::{
    LogRecordView, RequestView, ResourceGroupView, ScopeGroupView, SignalItem, SpanView, WireError,
};

use super::number::{Id, Time};
use super::page::Page;
use super::value::Typed;

/// An item that is shown in full.
pub(super) trait Full {
    /// What its resources, its scopes and it are called: `ResourceSpans`, `ScopeSpans`, `Span`.
    const TITLES: [&'static str; 3];

    /// Adds the item, behind its number.
    fn full(&self, page: &mut Page) -> Result<(), WireError>;
}

/// All items of a request.
pub(super) fn full<'a, I: SignalItem<'a> + Full>(
    request: &'a [u8],
    page: &mut Page,
) -> Result<(), WireError> {
    for (at, group) in RequestView::<'a, I>::parse(request)?.resources().enumerate() {
        page.line(format_args!("{} #{at}", I::TITLES[0]));
        resource(page, &group?)?;
    }
    Ok(())
}

fn resource<'a, I: SignalItem<'a> + Full>(
    page: &mut Page,
    group: &ResourceGroupView<'a, I>,
) -> Result<(), WireError> {
    page.line(format_args!("Resource SchemaURL: {}", group.schema_url()));
    if let Some(resource) = group.resource() {
        page.attributes("Resource attributes", "", resource.attributes())?;
    }
    for (at, group) in group.scopes().enumerate() {
        page.line(format_args!("{} #{at}", I::TITLES[1]));
        scope(page, &group?)?;
    }
    Ok(())
}

fn scope<'a, I: SignalItem<'a> + Full>(
    page: &mut Page,
    group: &ScopeGroupView<'a, I>,
) -> Result<(), WireError> {
    page.line(format_args!("{} SchemaURL: {}", I::TITLES[1], group.schema_url()));
    let scope = group.scope();
    let (name, version) = scope.map_or(("", ""), |scope| (scope.name(), scope.version()));
    page.line(format_args!("InstrumentationScope {name} {version}"));
    if let Some(scope) = scope {
        page.attributes("InstrumentationScope attributes", "", scope.attributes())?;
    }
    for (at, item) in group.items().enumerate() {
        if page.is_full() {
            return Ok(());
        }
        page.line(format_args!("{} #{at}", I::TITLES[2]));
        item?.full(page)?;
    }
    Ok(())
}

impl Full for SpanView<'_> {
    const TITLES: [&'static str; 3] = ["ResourceSpans", "ScopeSpans", "Span"];

    fn full(&self, page: &mut Page) -> Result<(), WireError> {
        page.line(format_args!("    Trace ID       : {}", Id(self.trace_id())));
        page.line(format_args!("    Parent ID      : {}", Id(self.parent_span_id())));
        page.line(format_args!("    ID             : {}", Id(self.span_id())));
        page.line(format_args!("    Name           : {}", self.name()));
        page.line(format_args!("    Kind           : {}", kind(self.kind())));
        if !self.trace_state().is_empty() {
            page.line(format_args!("    TraceState     : {}", self.trace_state()));
        }
        page.line(format_args!("    Start time     : {}", Time(self.start_time_unix_nano())));
        page.line(format_args!("    End time       : {}", Time(self.end_time_unix_nano())));
        let status = self.status();
        page.line(format_args!("    Status code    : {}", status_code(status.code())));
        page.line(format_args!("    Status message : {}", status.message()));
        for (what, count) in [
            ("Attributes", self.dropped_attributes_count()),
            ("Events", self.dropped_events_count()),
            ("Links", self.dropped_links_count()),
        ] {
            page.line(format_args!("    Dropped{what}Count: {count}"));
        }
        page.attributes("Attributes", "", self.attributes())?;
        events(page, self.events())?;
        links(page, self.links())
    }
}

fn events<'a>(
    page: &mut Page,
    events: impl Iterator<Item = Result<EventView<'a>, WireError>>,
) -> Result<(), WireError> {
    for (at, event) in events.enumerate() {
        let event = event?;
        if at == 0 {
            page.line(format_args!("Events:"));
        }
        page.line(format_args!("SpanEvent #{at}"));
        page.line(format_args!("     -> Name: {}", event.name()));
        page.line(format_args!("     -> Timestamp: {}", Time(event.time_unix_nano())));
        let dropped = event.dropped_attributes_count();
        page.line(format_args!("     -> DroppedAttributesCount: {dropped}"));
        page.attributes("     -> Attributes:", NESTED, event.attributes())?;
    }
    Ok(())
}

fn links<'a>(
    page: &mut Page,
    links: impl Iterator<Item = Result<LinkView<'a>, WireError>>,
) -> Result<(), WireError> {
    for (at, link) in links.enumerate() {
        let link = link?;
        if at == 0 {
            page.line(format_args!("Links:"));
        }
        page.line(format_args!("SpanLink #{at}"));
        page.line(format_args!("     -> Trace ID: {}", Id(link.trace_id())));
        page.line(format_args!("     -> ID: {}", Id(link.span_id())));
        page.line(format_args!("     -> TraceState: {}", link.trace_state()));
        let dropped = link.dropped_attributes_count();
        page.line(format_args!("     -> DroppedAttributesCount: {dropped}"));
        page.attributes("     -> Attributes:", NESTED, link.attributes())?;
    }
    Ok(())
}

impl Full for LogRecordView<'_> {
    const TITLES: [&'static str; 3] = ["ResourceLog", "ScopeLogs", "LogRecord"];

    fn full(&self, page: &mut Page) -> Result<(), WireError> {
        page.line(format_args!("ObservedTimestamp: {}", Time(self.observed_time_unix_nano())));
        page.line(format_args!("Timestamp: {}", Time(self.time_unix_nano())));
        page.line(format_args!("SeverityText: {}", self.severity_text()));
        let severity = self.severity_number();
        page.line(format_args!("SeverityNumber: {}({severity})", Severity(severity)));
        if !self.event_name().is_empty() {
            page.line(format_args!("EventName: {}", self.event_name()));
        }
        let body = self.body().unwrap_or(otlp_core::wire::AnyValueView::Empty);
        page.line(format_args!("Body: {}", Typed(body)));
        page.attributes("Attributes", "", self.attributes())?;
        page.line(format_args!("Trace ID: {}", Id(self.trace_id())));
        page.line(format_args!("Span ID: {}", Id(self.span_id())));
        page.line(format_args!("Flags: {}", self.flags()));
        Ok(())
    }
}

fn kind(number: i32) -> &'static str {
    match number {
        0 => "Unspecified",
        1 => "Internal",
        2 => "Server",
        3 => "Client",
        4 => "Producer",
        5 => "Consumer",
        _ => "",
    }
}

fn status_code(number: i32) -> &'static str {
    match number {
        0 => "Unset",
        1 => "Ok",
        2 => "Error",
        _ => "",
    }
}

/// `Info`, `Info2`: the name of a severity number.
struct Severity(i32);

impl std::fmt::Display for Severity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [&str; 6] = ["Trace", "Debug", "Info", "Warn", "Error", "Fatal"];
        let at = usize::try_from(self.0).ok().and_then(|number| number.checked_sub(1));
        let Some(at) = at else {
            return f.write_str(if self.0 == 0 { "Unspecified" } else { "" });
        };
        let Some(name) = NAMES.get(at / 4) else { return Ok(()) };
        match at % 4 {
            0 => f.write_str(name),
            more => write!(f, "{name}{}", more + 1),
        }
    }
}

/// How far what belongs to an entry of a list is moved in.
const NESTED: &str = "     ";
