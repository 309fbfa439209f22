//! The text of a request of any signal: its resources and scopes, and what every item is made of.

use std::fmt::{Display, Write as _};

use otlp_core::export::text::printable;
use otlp_core::wire::{
    Attributes, RequestView, ResourceGroupView, ScopeGroupView, SignalItem, WireError,
};

use super::value::{ValueText, put_bounded};

/// An item that can be shown.
pub(super) trait Describe {
    /// Adds the item to the page.
    fn describe(&self, page: &mut Page) -> Result<(), WireError>;
}

/// All items of an encoded request.
pub(super) fn describe<'a, I>(request: &'a [u8]) -> Result<String, WireError>
where
    I: SignalItem<'a> + Describe,
{
    let mut page = Page { text: String::new() };
    for resource in RequestView::<'a, I>::parse(request)?.resources() {
        page.resource(&resource?)?;
    }
    Ok(page.text)
}

/// The text so far.
pub(super) struct Page {
    text: String,
}

impl Page {
    fn resource<'a, I>(&mut self, envelope: &ResourceGroupView<'a, I>) -> Result<(), WireError>
    where
        I: SignalItem<'a> + Describe,
    {
        self.add("resource");
        if let Some(resource) = envelope.resource() {
            self.inline(resource.attributes())?;
            self.dropped(" dropped", &[(resource.dropped_attributes_count(), "attribute")]);
        }
        self.schema(envelope.schema_url());
        envelope.scopes().try_for_each(|scope| self.scope(&scope?))
    }

    fn scope<'a, I>(&mut self, envelope: &ScopeGroupView<'a, I>) -> Result<(), WireError>
    where
        I: SignalItem<'a> + Describe,
    {
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
        envelope.items().try_for_each(|item| item?.describe(self))
    }

    /// Ends the line of a resource or scope, with its schema if it has one.
    fn schema(&mut self, url: &str) {
        if !url.is_empty() {
            self.add(format_args!(" (schema {})", printable(url)));
        }
        self.add('\n');
    }

    /// Attributes on the line that was begun.
    pub(super) fn inline(&mut self, attributes: Attributes<'_>) -> Result<(), WireError> {
        for attribute in attributes {
            let attribute = attribute?;
            self.add(format_args!(" {}=", printable(attribute.key())));
            self.bounded(ValueText(attribute.value()));
        }
        Ok(())
    }

    /// Attributes on a line each.
    pub(super) fn lines(
        &mut self,
        indent: &str,
        attributes: Attributes<'_>,
    ) -> Result<(), WireError> {
        for attribute in attributes {
            let attribute = attribute?;
            self.add(format_args!("{indent}{} = ", printable(attribute.key())));
            self.bounded(ValueText(attribute.value()));
            self.add('\n');
        }
        Ok(())
    }

    /// As much of `content` behind the label as one value may print; no line if there is none.
    pub(super) fn line(&mut self, label: &str, content: impl Display) {
        let mut text = String::new();
        put_bounded(&mut text, VALUE_MAX, content);
        if !text.is_empty() {
            self.add(format_args!("{label}{text}\n"));
        }
    }

    /// What the limits discarded, if anything: ` 2 events, 1 link` after `what`.
    pub(super) fn dropped(&mut self, what: &str, counts: &[(u32, &str)]) -> bool {
        let mut before = what;
        for (count, name) in counts.iter().filter(|(count, _)| *count > 0) {
            let plural = if *count == 1 { "" } else { "s" };
            self.add(format_args!("{before} {count} {name}{plural}"));
            before = ",";
        }
        counts.iter().any(|(count, _)| *count > 0)
    }

    /// As much of a value as one value may print.
    pub(super) fn bounded(&mut self, value: impl Display) {
        put_bounded(&mut self.text, VALUE_MAX, value);
    }

    pub(super) fn add(&mut self, text: impl Display) {
        // Writing to a string cannot fail.
        let _ = write!(self.text, "{text}");
    }
}

/// A name that may be empty.
pub(super) fn named(name: &str) -> String {
    if name.is_empty() { "\"\"".to_owned() } else { printable(name) }
}

pub(super) fn hex(id: &[u8]) -> String {
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

/// Most bytes that one value prints.
const VALUE_MAX: usize = 1_024;
