//! What is known of each place in the code that makes spans or events: encoded once, copied as bytes.

use std::fmt;
use std::sync::{Arc, OnceLock};

use otlp_core::AttributeLimits;
use otlp_core::log::LogRecordEncoder;
use otlp_core::span::SpanEncoder;
use otlp_core::wire::{AttributeList, Key};
use tracing::field::Field;
use tracing::{Level, Metadata};

use super::options::Options;

/// One place in the code.
#[derive(Debug)]
pub(super) struct CallSite {
    pub(super) metadata: &'static Metadata<'static>,
    /// Whether the layer's own filter lets it pass.
    pub(super) is_wanted: bool,
    /// Whether it is an event of level ERROR.
    pub(super) is_error: bool,
    /// Whether it is an event with a message.
    pub(super) has_message: bool,
    /// The attributes that are the same every time.
    pub(super) attributes: AttributeList,
    /// Those of the event as a log record.
    pub(super) log_attributes: AttributeList,
    fields: Box<[Planned]>,
}

/// A field of a call site: its key, hashed, and what is done with it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Planned {
    pub(super) key: Key<'static>,
    pub(super) role: Role,
}

/// What is done with a field's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Attribute,
    /// `otel.name`
    SpanName,
    /// `otel.kind`
    SpanKind,
    /// `otel.status_code`
    StatusCode,
    /// `otel.status_description`, and `otel.status_message` as it was called before
    StatusDescription,
    /// `message` of an event
    Message,
    /// `error` of an event without a message
    Error,
    /// `log.target` of a record of the `log` crate: the module that logs
    LogTarget,
    /// The other fields that say where a record of the `log` crate comes from
    LogPlace,
}

impl CallSite {
    pub(super) fn new(
        metadata: &'static Metadata<'static>,
        options: &Options,
        limits: &Limits,
    ) -> Self {
        let filter = if metadata.is_span() { &options.span_filter } else { &options.event_filter };
        let (target, level) = (metadata.target(), metadata.level());
        let has_message = metadata.is_event() && metadata.fields().field("message").is_some();
        let plan = |field: Field| Planned::new(field.name(), metadata, has_message);
        let fields: Box<[_]> = metadata.fields().iter().map(plan).collect();
        let limits = limits.beside(&fields);
        Self {
            metadata,
            is_wanted: filter.as_ref().is_none_or(|filter| filter.would_enable(target, level)),
            is_error: metadata.is_event() && *level == Level::ERROR,
            has_message,
            attributes: attributes(metadata, options, &limits),
            log_attributes: log_attributes(metadata, options, &limits),
            fields,
        }
    }

    /// What is done with a field. One of another call site, which `tracing` filters out, is an attribute.
    #[inline]
    pub(super) fn planned(&self, field: &Field) -> Planned {
        match self.fields.get(field.index()) {
            Some(planned) => *planned,
            None => Planned { key: Key::new(field.name()), role: Role::Attribute },
        }
    }
}

impl Planned {
    fn new(name: &'static str, metadata: &Metadata<'_>, has_message: bool) -> Self {
        if metadata.is_span() {
            return Self { key: Key::new(name), role: span_role(name) };
        }
        // Records of the `log` crate come with what is known of their place as fields.
        if metadata.target() == "log"
            && let Some((name, role)) = log_field(name)
        {
            return Self { key: Key::new(name), role };
        }
        let role = match name {
            "message" => Role::Message,
            "error" if !has_message => Role::Error,
            _ => Role::Attribute,
        };
        Self { key: Key::new(name), role }
    }
}

fn span_role(name: &str) -> Role {
    match name {
        "otel.name" => Role::SpanName,
        "otel.kind" => Role::SpanKind,
        "otel.status_code" => Role::StatusCode,
        "otel.status_description" | "otel.status_message" => Role::StatusDescription,
        _ => Role::Attribute,
    }
}

fn log_field(name: &str) -> Option<(&'static str, Role)> {
    match name {
        "log.target" => Some((TARGET, Role::LogTarget)),
        "log.module_path" => Some((MODULE, Role::LogPlace)),
        "log.file" => Some((FILE, Role::LogPlace)),
        "log.line" => Some((LINE, Role::LogPlace)),
        _ => None,
    }
}

/// How many attributes there may be, and how long.
pub(super) struct Limits {
    pub(super) span: AttributeLimits,
    pub(super) event: AttributeLimits,
    pub(super) log: AttributeLimits,
}

impl Limits {
    /// What is left beside the fields of a call site: those come first, and what it says of itself takes no
    /// room from them.
    fn beside(&self, fields: &[Planned]) -> Self {
        let are_attributes = fields.iter().filter(|field| field.role == Role::Attribute);
        let fields = u32::try_from(are_attributes.count()).unwrap_or(u32::MAX);
        let beside = |limits: &AttributeLimits| AttributeLimits {
            count: limits.count.saturating_sub(fields),
            ..*limits
        };
        Self { span: beside(&self.span), event: beside(&self.event), log: beside(&self.log) }
    }
}

fn attributes(metadata: &Metadata<'_>, options: &Options, limits: &Limits) -> AttributeList {
    let (mut list, limits) = match metadata.is_span() {
        true => (SpanEncoder::attribute_list(), &limits.span),
        false => (SpanEncoder::event_attribute_list(), &limits.event),
    };
    let mut set = |key: &'static str, text: &str| list.set_str(key, text, limits);
    if options.level || metadata.is_event() {
        set("level", metadata.level().as_str());
    }
    if options.target || metadata.is_event() {
        set(TARGET, metadata.target());
    }
    if options.location {
        set_place(&mut list, metadata, limits);
    }
    list
}

fn log_attributes(metadata: &Metadata<'_>, options: &Options, limits: &Limits) -> AttributeList {
    let mut list = LogRecordEncoder::attribute_list();
    if options.log_location && metadata.is_event() {
        set_place(&mut list, metadata, &limits.log);
    }
    list
}

fn set_place(list: &mut AttributeList, metadata: &Metadata<'_>, limits: &AttributeLimits) {
    metadata.file().into_iter().for_each(|file| list.set_str(FILE, file, limits));
    metadata.module_path().into_iter().for_each(|module| list.set_str(MODULE, module, limits));
    metadata.line().into_iter().for_each(|line| list.set_i64(LINE, line.into(), limits));
}

/// The call sites of a layer, found by the address of their metadata, which is there for ever.
///
/// Every span and event looks here, on all threads, so what is found is never moved or counted: a
/// table of places that are written once. When the places for an address are taken, the next, larger
/// table has some.
pub(super) struct CallSites {
    tables: [OnceLock<Box<[Place]>>; TABLES.len()],
}

type Place = OnceLock<(usize, Arc<CallSite>)>;

impl CallSites {
    pub(super) const fn new() -> Self {
        Self { tables: [const { OnceLock::new() }; TABLES.len()] }
    }

    /// Calls `f` with what is known of a call site, which `make` tells where nothing is. No lock is
    /// held meanwhile.
    #[inline]
    pub(super) fn with<R>(
        &self,
        metadata: &'static Metadata<'static>,
        make: impl FnOnce() -> CallSite,
        f: impl FnOnce(&CallSite) -> R,
    ) -> R {
        let address = std::ptr::from_ref(metadata).addr();
        match self.find(address) {
            Some(known) => f(known),
            None => self.learn(address, make(), f),
        }
    }

    #[inline]
    fn find(&self, address: usize) -> Option<&CallSite> {
        for table in &self.tables {
            for place in places(table.get()?, address) {
                let (known, call_site) = place.get()?;
                if *known == address {
                    return Some(call_site);
                }
            }
        }
        None
    }

    #[cold]
    fn learn<R>(&self, address: usize, made: CallSite, f: impl FnOnce(&CallSite) -> R) -> R {
        let made = Arc::new(made);
        for (table, size) in self.tables.iter().zip(TABLES) {
            let table = table.get_or_init(|| (0..size).map(|_| Place::new()).collect());
            for place in places(table, address) {
                // Ours, or that of another thread which came first, or another call site.
                match place.get_or_init(|| (address, Arc::clone(&made))) {
                    (known, call_site) if *known == address => return f(call_site),
                    _ => {}
                }
            }
        }
        // More call sites than a program can have: this one is made anew each time.
        f(&made)
    }
}

impl fmt::Debug for CallSites {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallSites").finish_non_exhaustive()
    }
}

/// The few places where an address may stand.
#[inline]
fn places(table: &[Place], address: usize) -> impl Iterator<Item = &Place> {
    let first = (address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    let at = move |step| (first as usize).wrapping_add(step) & (table.len().wrapping_sub(1));
    (0..PROBES).filter_map(move |step| table.get(at(step)))
}

const TARGET: &str = "target";
const FILE: &str = "code.file.path";
const MODULE: &str = "code.module.name";
const LINE: &str = "code.line.number";
/// Places of each table, powers of two. A large program has some thousands of call sites.
const TABLES: [usize; 3] = [1 << 10, 1 << 13, 1 << 16];
const PROBES: usize = 8;

#[cfg(test)]
mod tests;
