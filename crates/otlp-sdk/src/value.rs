//! The API's values and scopes in wire form.

use std::collections::HashMap;

use opentelemetry::logs::AnyValue;
use opentelemetry::{Array, InstrumentationScope, Key, Value};
use otlp_core::AttributeLimits;
use otlp_core::wire::envelope::ScopeHeader;
use otlp_core::wire::{AttributeList, Elements, Entries, Value as WireValue};

/// The scope as the header of its items.
pub(crate) fn scope_header(scope: &InstrumentationScope) -> ScopeHeader {
    scope_header_named(scope, scope.name())
}

/// The scope under another name. Row L5: the limits on span attributes do not hold here.
pub(crate) fn scope_header_named(scope: &InstrumentationScope, name: &str) -> ScopeHeader {
    let mut attributes = AttributeList::new(SCOPE_ATTRIBUTES);
    for attribute in scope.attributes() {
        with_wire(&attribute.value, |value| {
            attributes.set(attribute.key.as_str(), value, &AttributeLimits::EXEMPT);
        });
    }
    let (version, schema_url) = (scope.version(), scope.schema_url());
    ScopeHeader::from_attributes(
        name,
        version.unwrap_or_default(),
        &attributes,
        schema_url.unwrap_or_default(),
    )
}

/// Calls `f` with the wire form of `value`. Nothing is copied.
#[inline]
pub(crate) fn with_wire<R>(value: &Value, f: impl FnOnce(WireValue<'_>) -> R) -> R {
    match value {
        Value::Bool(value) => f(WireValue::Bool(*value)),
        Value::I64(value) => f(WireValue::I64(*value)),
        Value::F64(value) => f(WireValue::F64(*value)),
        Value::String(value) => f(WireValue::Str(value.as_str())),
        Value::Array(array) => with_array(array, f),
        // The API's enumerations are open: a kind that is not known yet is sent as its text.
        other => f(WireValue::Str(&other.as_str())),
    }
}

/// Calls `f` with the wire form of a value of the logs API. Nothing is copied.
#[inline]
pub(crate) fn with_wire_any<R>(value: &AnyValue, f: impl FnOnce(WireValue<'_>) -> R) -> R {
    match value {
        AnyValue::Int(value) => f(WireValue::I64(*value)),
        AnyValue::Double(value) => f(WireValue::F64(*value)),
        AnyValue::String(value) => f(WireValue::Str(value.as_str())),
        AnyValue::Boolean(value) => f(WireValue::Bool(*value)),
        AnyValue::Bytes(value) => f(WireValue::Bytes(value)),
        AnyValue::ListAny(list) => f(WireValue::Array(&AnyList(list))),
        AnyValue::Map(map) => f(WireValue::Map(&AnyMap(map))),
        // The API's enumeration is open: a kind that is not known yet is sent as its text.
        other => f(WireValue::Str(&format!("{other:?}"))),
    }
}

struct AnyList<'a>(&'a [AnyValue]);

impl Elements for AnyList<'_> {
    fn for_each(&self, f: &mut dyn FnMut(WireValue<'_>)) {
        self.0.iter().for_each(|element| with_wire_any(element, &mut *f));
    }
}

struct AnyMap<'a>(&'a HashMap<Key, AnyValue>);

impl Entries for AnyMap<'_> {
    fn for_each(&self, f: &mut dyn FnMut(&str, WireValue<'_>)) {
        self.0.iter().for_each(|(key, value)| with_wire_any(value, |value| f(key.as_str(), value)));
    }
}

fn with_array<R>(array: &Array, f: impl FnOnce(WireValue<'_>) -> R) -> R {
    match array {
        Array::Bool(list) => f(WireValue::Array(&Items(list, |v| (*v).into()))),
        Array::I64(list) => f(WireValue::Array(&Items(list, |v| (*v).into()))),
        Array::F64(list) => f(WireValue::Array(&Items(list, |v| (*v).into()))),
        Array::String(list) => f(WireValue::Array(&Items(list, |v| v.as_str().into()))),
        other => f(WireValue::Str(&other.to_string())),
    }
}

/// The elements of an API array and how to see one as a wire value.
struct Items<'a, T>(&'a [T], fn(&T) -> WireValue<'_>);

impl<T> Elements for Items<'_, T> {
    fn for_each(&self, f: &mut dyn FnMut(WireValue<'_>)) {
        let Self(items, view) = self;
        items.iter().for_each(|item| f(view(item)));
    }
}

/// Field number of `InstrumentationScope.attributes`.
const SCOPE_ATTRIBUTES: u8 = 3;
