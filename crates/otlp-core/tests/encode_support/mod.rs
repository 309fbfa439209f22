//! Spans as a test sets them, and the messages that prost makes of the same: the model that the
//! encoder is held against.

#![allow(dead_code, reason = "each test file uses its own part")]

use opentelemetry_proto::tonic::common::v1::any_value::Value as ProtoValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, ArrayValue, KeyValue, KeyValueList};
use opentelemetry_proto::tonic::trace::v1::span::{Event, Link};
use opentelemetry_proto::tonic::trace::v1::{Span, Status};
use otlp_core::span::{
    LinkContext, ParentContext, SpanEncoder, SpanIdentity, SpanKind, StatusCode,
};
use otlp_core::wire::{Elements, Entries, Value};
use otlp_core::{AttributeLimits, SpanLimits, ValueLimits};
use proptest::collection::vec;
use proptest::prelude::*;

/// An owned value.
#[derive(Clone, Debug)]
pub(crate) enum Any {
    Empty,
    Str(String),
    Bool(bool),
    I64(i64),
    F64(f64),
    Bytes(Vec<u8>),
    Array(List),
    Map(Dict),
}

#[derive(Clone, Debug)]
pub(crate) struct List(pub(crate) Vec<Any>);

#[derive(Clone, Debug)]
pub(crate) struct Dict(pub(crate) Vec<(String, Any)>);

impl Elements for List {
    fn for_each(&self, f: &mut dyn FnMut(Value<'_>)) {
        self.0.iter().for_each(|any| f(any.value()));
    }
}

impl Entries for Dict {
    fn for_each(&self, f: &mut dyn FnMut(&str, Value<'_>)) {
        self.0.iter().for_each(|(key, any)| f(key, any.value()));
    }
}

impl Any {
    pub(crate) fn value(&self) -> Value<'_> {
        match self {
            Self::Empty => Value::Empty,
            Self::Str(text) => Value::Str(text),
            Self::Bool(value) => Value::Bool(*value),
            Self::I64(value) => Value::I64(*value),
            Self::F64(value) => Value::F64(*value),
            Self::Bytes(bytes) => Value::Bytes(bytes),
            Self::Array(list) => Value::Array(list),
            Self::Map(dict) => Value::Map(dict),
        }
    }

    /// The value under the limits, by their definition (rows L1, L3) and in the plainest way.
    pub(crate) fn expected(&self, limits: &ValueLimits, depth: u32) -> AnyValue {
        let length = limits.length as usize;
        let deep = depth > u32::from(limits.depth);
        let value = match self {
            Self::Empty => None,
            Self::Str(text) => Some(ProtoValue::StringValue(text.chars().take(length).collect())),
            Self::Bool(value) => Some(ProtoValue::BoolValue(*value)),
            Self::I64(value) => Some(ProtoValue::IntValue(*value)),
            Self::F64(value) => Some(ProtoValue::DoubleValue(*value)),
            Self::Bytes(bytes) => {
                Some(ProtoValue::BytesValue(bytes.iter().copied().take(length).collect()))
            }
            Self::Array(List(list)) => {
                let kept = if deep { &[] } else { list.as_slice() };
                let values = kept.iter().map(|any| any.expected(limits, depth + 1)).collect();
                Some(ProtoValue::ArrayValue(ArrayValue { values }))
            }
            Self::Map(Dict(entries)) => {
                let kept = if deep { &[] } else { entries.as_slice() };
                let mut values = Vec::new();
                kept.iter().for_each(|(key, any)| upsert(&mut values, key, any, limits, depth + 1));
                Some(ProtoValue::KvlistValue(KeyValueList { values }))
            }
        };
        AnyValue { value }
    }

    /// Whether something is left out for standing too deep.
    pub(crate) fn loses(&self, limits: &ValueLimits, depth: u32) -> bool {
        let deep = depth > u32::from(limits.depth);
        let of = |any: &Self| deep || any.loses(limits, depth + 1);
        match self {
            Self::Array(List(list)) => list.iter().any(of),
            Self::Map(Dict(entries)) => entries.iter().any(|(_, any)| of(any)),
            _ => false,
        }
    }
}

/// Last value wins, where the key stood first (row T12).
fn upsert(list: &mut Vec<KeyValue>, key: &str, any: &Any, limits: &ValueLimits, depth: u32) {
    let value = Some(any.expected(limits, depth));
    match list.iter_mut().find(|attribute| attribute.key == key) {
        Some(attribute) => attribute.value = value,
        None => list.push(KeyValue { key: key.to_owned(), value, ..KeyValue::default() }),
    }
}

/// A collection under the limits, and how many attributes did not fit (row L2).
#[derive(Clone, Debug, Default)]
pub(crate) struct ModelList {
    pub(crate) list: Vec<KeyValue>,
    pub(crate) dropped: u32,
}

impl ModelList {
    pub(crate) fn set(&mut self, key: &str, any: &Any, limits: &AttributeLimits) {
        let known = self.list.iter().any(|attribute| attribute.key == key);
        let full = self.list.len() >= limits.count as usize;
        if !known && (full || key.is_empty()) {
            self.dropped += 1;
        } else {
            upsert(&mut self.list, key, any, &limits.value, 1);
        }
    }

    pub(crate) fn remove(&mut self, key: &str) -> bool {
        let before = self.list.len();
        self.list.retain(|attribute| attribute.key != key);
        self.list.len() < before
    }

    pub(crate) fn of(sets: &[(String, Any)], limits: &AttributeLimits) -> Self {
        let mut model = Self::default();
        sets.iter().for_each(|(key, any)| model.set(key, any, limits));
        model
    }
}

/// What an application does with a span.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(crate) identity: SpanIdentity,
    pub(crate) name: String,
    pub(crate) kind: SpanKind,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) limits: SpanLimits,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) enum Step {
    Attribute(String, Any),
    Remove(String),
    Event { name: String, time: u64, dropped: u32, attributes: Vec<(String, Any)> },
    Link { to: LinkTo, dropped: u32, attributes: Vec<(String, Any)> },
    Status(StatusCode, String),
    Name(String),
    TraceState(String),
}

#[derive(Clone, Debug)]
pub(crate) struct LinkTo {
    pub(crate) trace_id: [u8; 16],
    pub(crate) span_id: [u8; 8],
    pub(crate) trace_flags: u8,
    pub(crate) is_remote: bool,
    pub(crate) trace_state: String,
}

impl Script {
    /// Does it with the encoder.
    pub(crate) fn record(&self, encoder: &mut SpanEncoder) {
        encoder.start(self.identity.clone(), self.name.clone(), self.kind, self.start);
        for step in &self.steps {
            self.record_step(encoder, step);
        }
    }

    fn record_step(&self, encoder: &mut SpanEncoder, step: &Step) {
        let limits = &self.limits;
        match step {
            Step::Attribute(key, any) => encoder.set_attribute(key, any.value(), limits),
            Step::Remove(key) => drop(encoder.remove_attribute(key)),
            Step::Event { name, time, dropped, attributes } => {
                encoder.add_event_with_dropped(name, *time, *dropped, limits, |set| {
                    attributes.iter().for_each(|(key, any)| set(key, any.value()));
                });
            }
            Step::Link { to, dropped, attributes } => {
                let link = LinkContext {
                    trace_id: to.trace_id,
                    span_id: to.span_id,
                    trace_flags: to.trace_flags,
                    is_remote: to.is_remote,
                    trace_state: &to.trace_state,
                };
                encoder.add_link_with_dropped(link, *dropped, limits, |set| {
                    attributes.iter().for_each(|(key, any)| set(key, any.value()));
                });
            }
            Step::Status(code, description) => encoder.set_status(*code, description.clone()),
            Step::Name(name) => encoder.update_name(name.clone()),
            Step::TraceState(state) => encoder.set_trace_state(state.clone()),
        }
    }

    /// The message that it must come out as.
    pub(crate) fn expected(&self) -> Span {
        let identity = &self.identity;
        let remote = identity.parent.is_some_and(|parent| parent.is_remote);
        let mut span = Span {
            trace_id: identity.trace_id.to_vec(),
            span_id: identity.span_id.to_vec(),
            trace_state: identity.trace_state.to_string(),
            parent_span_id: identity.parent.map_or_else(Vec::new, |it| it.span_id.to_vec()),
            flags: flags(identity.trace_flags, remote),
            name: self.name.clone(),
            kind: self.kind as i32,
            start_time_unix_nano: self.start,
            end_time_unix_nano: self.end,
            ..Span::default()
        };
        let mut attributes = ModelList::default();
        for step in &self.steps {
            self.expect_step(&mut span, &mut attributes, step);
        }
        span.attributes = attributes.list;
        span.dropped_attributes_count = attributes.dropped;
        span
    }

    fn expect_step(&self, span: &mut Span, own: &mut ModelList, step: &Step) {
        let limits = &self.limits;
        match step {
            Step::Attribute(key, any) => own.set(key, any, &limits.attributes),
            Step::Remove(key) => drop(own.remove(key)),
            Step::Event { .. } if span.events.len() >= limits.events as usize => {
                span.dropped_events_count += 1;
            }
            Step::Event { name, time, dropped, attributes } => {
                let model = ModelList::of(attributes, &limits.event_attributes());
                span.events.push(Event {
                    time_unix_nano: *time,
                    name: name.clone(),
                    attributes: model.list,
                    dropped_attributes_count: model.dropped + dropped,
                });
            }
            Step::Link { .. } if span.links.len() >= limits.links as usize => {
                span.dropped_links_count += 1;
            }
            Step::Link { to, dropped, attributes } => {
                let model = ModelList::of(attributes, &limits.link_attributes());
                span.links.push(Link {
                    trace_id: to.trace_id.to_vec(),
                    span_id: to.span_id.to_vec(),
                    trace_state: to.trace_state.clone(),
                    attributes: model.list,
                    dropped_attributes_count: model.dropped + dropped,
                    flags: flags(to.trace_flags, to.is_remote),
                });
            }
            Step::Status(code, description) => expect_status(&mut span.status, *code, description),
            Step::Name(name) => span.name.clone_from(name),
            Step::TraceState(state) => span.trace_state.clone_from(state),
        }
    }
}

/// Row T13, as the specification tells it.
fn expect_status(status: &mut Option<Status>, code: StatusCode, description: &str) {
    const OK: i32 = 1;
    const ERROR: i32 = 2;
    if status.as_ref().is_some_and(|status| status.code == OK) {
        return;
    }
    match code {
        StatusCode::Unset => {}
        StatusCode::Ok => *status = Some(Status { message: String::new(), code: OK }),
        StatusCode::Error => {
            *status = Some(Status { message: description.to_owned(), code: ERROR });
        }
    }
}

/// Row F1.
fn flags(trace_flags: u8, is_remote: bool) -> u32 {
    u32::from(trace_flags) + 256 + if is_remote { 512 } else { 0 }
}

/// Texts with characters of every length, sometimes empty, sometimes long enough for a length of
/// two bytes.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => vec(prop_oneof![prop::char::range('a', 'z'), any::<char>()], 0..12)
            .prop_map(String::from_iter),
        1 => vec(any::<char>(), 100..200).prop_map(String::from_iter),
    ]
}

/// Keys that repeat often, some of equal length, head and tail.
pub(crate) fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-d]{1,2}",
        3 => "prefix__[a-c]__suffix__",
        1 => text(),
        1 => Just("k".repeat(130)),
    ]
}

fn number() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("NaN is not equal to itself", |number| !number.is_nan())
}

/// Values of any kind, nested; map keys are not empty.
pub(crate) fn any_value() -> impl Strategy<Value = Any> {
    let scalar = prop_oneof![
        Just(Any::Empty),
        text().prop_map(Any::Str),
        any::<bool>().prop_map(Any::Bool),
        any::<i64>().prop_map(Any::I64),
        (-2i64..130).prop_map(Any::I64),
        number().prop_map(Any::F64),
        vec(any::<u8>(), 0..140).prop_map(Any::Bytes),
    ];
    scalar.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|list| Any::Array(List(list))),
            vec(("[a-c]{1,2}", inner), 0..5).prop_map(|entries| Any::Map(Dict(entries))),
        ]
    })
}

pub(crate) fn value_limits() -> impl Strategy<Value = ValueLimits> {
    let length = prop_oneof![Just(u32::MAX), 0u32..8];
    let depth = prop_oneof![Just(64u8), 0u8..4];
    (length, depth).prop_map(|(length, depth)| ValueLimits { length, depth })
}

fn count() -> impl Strategy<Value = u32> {
    prop_oneof![Just(128u32), 0u32..6, Just(u32::MAX)]
}

pub(crate) fn attribute_limits() -> impl Strategy<Value = AttributeLimits> {
    (count(), value_limits()).prop_map(|(count, value)| AttributeLimits { count, value })
}

pub(crate) fn span_limits() -> impl Strategy<Value = SpanLimits> {
    (attribute_limits(), count(), count(), count(), count()).prop_map(
        |(attributes, events, links, attributes_per_event, attributes_per_link)| SpanLimits {
            attributes,
            events,
            links,
            attributes_per_event,
            attributes_per_link,
        },
    )
}

pub(crate) fn attributes() -> impl Strategy<Value = Vec<(String, Any)>> {
    vec((key(), any_value()), 0..8)
}

fn link_to() -> impl Strategy<Value = LinkTo> {
    (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>(), any::<bool>(), "[a-z=]{0,9}").prop_map(
        |(trace_id, span_id, trace_flags, is_remote, trace_state)| LinkTo {
            trace_id,
            span_id,
            trace_flags,
            is_remote,
            trace_state,
        },
    )
}

fn step() -> impl Strategy<Value = Step> {
    let code = prop_oneof![Just(StatusCode::Unset), Just(StatusCode::Ok), Just(StatusCode::Error)];
    let dropped = || prop_oneof![4 => Just(0u32), 1 => 0u32..1000];
    prop_oneof![
        6 => (key(), any_value()).prop_map(|(key, any)| Step::Attribute(key, any)),
        1 => key().prop_map(Step::Remove),
        3 => (text(), any::<u64>(), dropped(), attributes()).prop_map(
            |(name, time, dropped, attributes)| Step::Event { name, time, dropped, attributes },
        ),
        3 => (link_to(), dropped(), attributes())
            .prop_map(|(to, dropped, attributes)| Step::Link { to, dropped, attributes }),
        1 => (code, text()).prop_map(|(code, description)| Step::Status(code, description)),
        1 => text().prop_map(Step::Name),
        1 => "[a-z=,]{0,9}".prop_map(Step::TraceState),
    ]
}

fn identity() -> impl Strategy<Value = SpanIdentity> {
    let parent = prop::option::of((any::<[u8; 8]>(), any::<bool>()))
        .prop_map(|parent| parent.map(|(span_id, is_remote)| ParentContext { span_id, is_remote }));
    (any::<[u8; 16]>(), any::<[u8; 8]>(), any::<u8>(), "[a-z=]{0,9}", parent).prop_map(
        |(trace_id, span_id, trace_flags, trace_state, parent)| SpanIdentity {
            trace_id,
            span_id,
            trace_flags,
            trace_state: trace_state.into(),
            parent,
        },
    )
}

fn time() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0u64), any::<u64>()]
}

pub(crate) fn script() -> impl Strategy<Value = Script> {
    let kind = prop_oneof![
        Just(SpanKind::Internal),
        Just(SpanKind::Server),
        Just(SpanKind::Client),
        Just(SpanKind::Producer),
        Just(SpanKind::Consumer),
    ];
    (identity(), text(), kind, time(), time(), span_limits(), vec(step(), 0..12)).prop_map(
        |(identity, name, kind, start, end, limits, steps)| Script {
            identity,
            name,
            kind,
            start,
            end,
            limits,
            steps,
        },
    )
}
