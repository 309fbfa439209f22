//! What is known of each place in the code that makes spans or events: encoded once, copied as bytes.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use arc_swap::ArcSwap;
use otlp_core::log::LogRecordEncoder;
use otlp_core::span::SpanEncoder;
use otlp_core::wire::{AttributeList, Key};
use otlp_core::{AttributeLimits, SpanLimits};
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
        limits: &SpanLimits,
    ) -> Self {
        let filter = if metadata.is_span() { &options.span_filter } else { &options.event_filter };
        let (target, level) = (metadata.target(), metadata.level());
        let has_message = metadata.is_event() && metadata.fields().field("message").is_some();
        let plan = |field: Field| Planned::new(field.name(), metadata, has_message);
        Self {
            metadata,
            is_wanted: filter.as_ref().is_none_or(|filter| filter.would_enable(target, level)),
            is_error: metadata.is_event() && *level == Level::ERROR,
            has_message,
            attributes: attributes(metadata, options, limits),
            log_attributes: log_attributes(metadata, options, limits),
            fields: metadata.fields().iter().map(plan).collect(),
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

fn attributes(metadata: &Metadata<'_>, options: &Options, limits: &SpanLimits) -> AttributeList {
    let (mut list, limits) = if metadata.is_span() {
        (SpanEncoder::attribute_list(), limits.attributes)
    } else {
        (SpanEncoder::event_attribute_list(), limits.event_attributes())
    };
    let mut set = |key: &'static str, text: &str| list.set_str(key, text, &limits);
    if options.level || metadata.is_event() {
        set("level", metadata.level().as_str());
    }
    if options.target || metadata.is_event() {
        set(TARGET, metadata.target());
    }
    if options.location {
        set_place(&mut list, metadata, &limits);
    }
    list
}

fn log_attributes(
    metadata: &Metadata<'_>,
    options: &Options,
    limits: &SpanLimits,
) -> AttributeList {
    let mut list = LogRecordEncoder::attribute_list();
    if options.log_location && metadata.is_event() {
        set_place(&mut list, metadata, &limits.attributes);
    }
    list
}

fn set_place(list: &mut AttributeList, metadata: &Metadata<'_>, limits: &AttributeLimits) {
    metadata.file().into_iter().for_each(|file| list.set_str(FILE, file, limits));
    metadata.module_path().into_iter().for_each(|module| list.set_str(MODULE, module, limits));
    metadata.line().into_iter().for_each(|line| list.set_i64(LINE, line.into(), limits));
}

/// The call sites of a layer, found by the address of their metadata, which is there for ever.
#[derive(Debug)]
pub(super) struct CallSites {
    shards: Box<[ArcSwap<Known>]>,
}

type Known = HashMap<usize, Arc<CallSite>, BuildHasherDefault<AddressHasher>>;

impl CallSites {
    /// Calls `f` with what is known of a call site, which `make` tells where nothing is. No lock is
    /// held meanwhile.
    #[inline]
    pub(super) fn with<R>(
        &self,
        metadata: &'static Metadata<'static>,
        make: impl FnOnce() -> CallSite,
        f: impl FnOnce(&CallSite) -> R,
    ) -> R {
        let address = address(metadata);
        if let Some(shard) = self.shard(address) {
            let known = shard.load();
            if let Some(call_site) = known.get(&address) {
                return f(call_site);
            }
        }
        f(&self.learn(address, make()))
    }

    /// Remembers a call site. Each time the shard is copied, so there are many of them.
    #[cold]
    fn learn(&self, address: usize, call_site: CallSite) -> Arc<CallSite> {
        let call_site = Arc::new(call_site);
        if let Some(shard) = self.shard(address) {
            shard.rcu(|known| {
                let mut known = Known::clone(known);
                if known.len() < CALL_SITES_MAX / SHARDS {
                    known.insert(address, Arc::clone(&call_site));
                }
                known
            });
        }
        call_site
    }

    #[inline]
    fn shard(&self, address: usize) -> Option<&ArcSwap<Known>> {
        self.shards.get((mix(address) >> 48) as usize % SHARDS)
    }
}

impl Default for CallSites {
    fn default() -> Self {
        Self { shards: (0..SHARDS).map(|_| ArcSwap::default()).collect() }
    }
}

#[inline]
fn address(metadata: &'static Metadata<'static>) -> usize {
    std::ptr::from_ref(metadata).addr()
}

#[inline]
const fn mix(address: usize) -> u64 {
    (address as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

/// Addresses are no input of anybody's, so a multiplication spreads them well enough.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    #[inline]
    fn write_usize(&mut self, address: usize) {
        self.0 = mix(address ^ self.0 as usize).rotate_left(26);
    }
}

const TARGET: &str = "target";
const FILE: &str = "code.file.path";
const MODULE: &str = "code.module.name";
const LINE: &str = "code.line.number";
const SHARDS: usize = 64;
/// Call sites that are remembered. A large program has some thousands; beyond, one is encoded anew
/// each time.
const CALL_SITES_MAX: usize = 64 * 1024;
