//! Jaeger's own headers, from before it spoke W3C: `uber-trace-id`, and `uberctx-…` for baggage.
//!
//! Not `opentelemetry-jaeger-propagator`: its last release is for version 0.32 of the API.

use std::sync::LazyLock;

use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceId};
use opentelemetry::{Context, KeyValue};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::baggage::{BYTES_MAX, MEMBERS_MAX, valid_name};
use super::notice::Notice;
use super::told::{Sampling, with_remote_parent};

/// Propagates the span context in the header `uber-trace-id`, and baggage in a header `uberctx-…` per
/// entry, as [Jaeger's clients](https://www.jaegertracing.io/sdk-migration/#propagation-format) did.
///
/// OpenTelemetry deprecates the format: W3C Trace Context does the same, and Jaeger reads it. It is for
/// the time in which old and new services call each other.
///
/// *Extract* reads `trace:span:parent:flags`, also with its colons percent-encoded. Ids may be shorter
/// than their full length; the parent's parent is not used; the bits of the flags that mean "sampled" and
/// "debug" are. A header that cannot be used leaves the context as it was. Baggage is added to what
/// the context has, at most 64 entries and 8192 bytes. Names of headers have no case, so names of
/// baggage that come over HTTP are in lower case.
///
/// *Inject* writes both, ids in full length. Baggage's metadata has no place in the format. An entry whose
/// name can be no header's is left out.
///
/// The debug flag goes on with every sampled span of the trace, in the [`Context`].
///
/// ```
/// use std::collections::HashMap;
///
/// use opentelemetry::propagation::TextMapPropagator;
/// use opentelemetry::trace::TraceContextExt;
/// use otlp_sdk::propagation::JaegerPropagator;
///
/// let parent = "3000000000000022:e457b5a2e4d86bd1:0:1";
/// let request = HashMap::from([("uber-trace-id".to_owned(), parent.to_owned())]);
///
/// let cx = JaegerPropagator::new().extract(&request);
///
/// assert!(cx.span().span_context().is_sampled());
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct JaegerPropagator {
    _private: (),
}

impl JaegerPropagator {
    /// The propagator; it has no options and no state.
    #[must_use]
    pub const fn new() -> Self {
        Self { _private: () }
    }
}

impl TextMapPropagator for JaegerPropagator {
    // As the trait has both, but the thread's context is not borrowed meanwhile: a carrier or a log
    // layer may attach one.
    fn inject(&self, injector: &mut dyn Injector) {
        self.inject_context(&Context::current(), injector);
    }

    fn extract(&self, extractor: &dyn Extractor) -> Context {
        self.extract_with_context(&Context::current(), extractor)
    }

    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let span = cx.span();
        let span_context = span.span_context();
        if span_context.is_valid() {
            injector.set(TRACE, trace_header(cx, span_context));
        }
        inject_baggage(cx.baggage(), injector);
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let parent = extractor.get(TRACE).and_then(|header| {
            let parent = parse(header);
            if parent.is_none() {
                BAD_TRACE.ignored(TRACE, "not a valid uber-trace-id");
            }
            parent
        });
        let cx = match parent {
            Some((ids, sampling)) => with_remote_parent(cx, ids, sampling),
            None => cx.clone(),
        };
        let baggage = extract_baggage(extractor);
        if baggage.is_empty() {
            return cx;
        }
        let mut all = Baggage::new();
        for (name, (value, metadata)) in cx.baggage() {
            all.insert_with_metadata(name.clone(), value.clone(), metadata.clone());
        }
        for entry in baggage {
            all.insert(entry.key, entry.value.as_str().into_owned());
        }
        cx.with_baggage(all)
    }

    /// `uber-trace-id`. The names of baggage are data, so they are not in the list.
    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

/// Reads `trace:span:parent:flags`.
fn parse(header: &str) -> Option<((TraceId, SpanId), Sampling)> {
    let header = percent_decode_str(header.trim_matches(OWS)).decode_utf8().ok()?;
    let mut fields = header.split(':');
    let trace_id = TraceId::from(hex(fields.next()?, 32)?);
    let span_id = SpanId::from(u64::try_from(hex(fields.next()?, 16)?).ok()?);
    // The parent's parent was given up long ago. Zero, nothing, and what may be left of it.
    let parent = fields.next()?;
    let flags = hex(fields.next()?, 2)?;
    let ends = fields.next().is_none() && (parent.is_empty() || hex(parent, 16).is_some());
    let valid = ends && trace_id != TraceId::INVALID && span_id != SpanId::INVALID;
    valid.then(|| ((trace_id, span_id), sampling(flags)))
}

/// Debug counts only with sampled. The other bits are not for us.
const fn sampling(flags: u128) -> Sampling {
    match flags & (SAMPLED | DEBUG) {
        SAMPLED => Sampling::Accept,
        both if both == SAMPLED | DEBUG => Sampling::Debug,
        _ => Sampling::Deny,
    }
}

/// Up to `digits_max` digits of hex in any case, leading zeros left out or not.
fn hex(text: &str, digits_max: usize) -> Option<u128> {
    let digits = (1..=digits_max).contains(&text.len());
    // `from_str_radix` alone would take a sign.
    let hex = digits && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    hex.then(|| u128::from_str_radix(text, 16).ok()).flatten()
}

fn trace_header(cx: &Context, span_context: &SpanContext) -> String {
    let flags = match Sampling::outgoing(cx, span_context) {
        Sampling::Debug if span_context.is_sampled() => SAMPLED | DEBUG,
        Sampling::Accept => SAMPLED,
        Sampling::Debug | Sampling::Deny | Sampling::Deferred => 0,
    };
    format!("{}:{}:0:{flags:x}", span_context.trace_id(), span_context.span_id())
}

fn inject_baggage(baggage: &Baggage, injector: &mut dyn Injector) {
    let mut room = Room::new();
    for (name, (value, _)) in baggage {
        let value = utf8_percent_encode(value.as_str(), ESCAPES).to_string();
        if valid_name(name.as_str()) && room.take(name.as_str().len() + value.len()) {
            injector.set(&format!("{BAGGAGE_PREFIX}{name}"), value);
        } else {
            BAD_BAGGAGE.ignored("uberctx-", "a name that no header can have, or too much");
        }
    }
}

fn extract_baggage(extractor: &dyn Extractor) -> Vec<KeyValue> {
    let mut entries = Vec::new();
    let mut room = Room::new();
    for header in extractor.keys() {
        let Some(name) = baggage_name(header) else { continue };
        let value = extractor.get(header).unwrap_or_default();
        if !valid_name(name) || !room.take(name.len() + value.len()) {
            BAD_BAGGAGE.ignored("uberctx-", "not a valid name, or too much");
            continue;
        }
        let value = percent_decode_str(value.trim_matches(OWS)).decode_utf8_lossy().into_owned();
        entries.push(KeyValue::new(name.to_owned(), value));
    }
    entries
}

/// The part of a header's name behind `uberctx-`, in any case.
fn baggage_name(header: &str) -> Option<&str> {
    let (prefix, name) = header.split_at_checked(BAGGAGE_PREFIX.len())?;
    prefix.eq_ignore_ascii_case(BAGGAGE_PREFIX).then_some(name)
}

/// What is left of the limits.
struct Room {
    members: usize,
    bytes: usize,
}

impl Room {
    const fn new() -> Self {
        Self { members: MEMBERS_MAX, bytes: BYTES_MAX }
    }

    /// Whether there is room for an entry of so many bytes.
    fn take(&mut self, bytes: usize) -> bool {
        match (self.members.checked_sub(1), self.bytes.checked_sub(bytes)) {
            (Some(members), Some(bytes)) => {
                *self = Self { members, bytes };
                true
            }
            _ => false,
        }
    }
}

const TRACE: &str = "uber-trace-id";
const BAGGAGE_PREFIX: &str = "uberctx-";
const SAMPLED: u128 = 0x1;
const DEBUG: u128 = 0x2;
const OWS: [char; 2] = [' ', '\t'];
/// What a header cannot hold, and what would be taken for an escape.
const ESCAPES: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');

static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [TRACE.to_owned()]);

static BAD_TRACE: Notice = Notice::new();
static BAD_BAGGAGE: Notice = Notice::new();

#[cfg(test)]
mod tests;
