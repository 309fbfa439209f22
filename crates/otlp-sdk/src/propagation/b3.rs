//! The headers of B3, which Zipkin and its relatives speak: `b3`, and `X-B3-TraceId` and its siblings.
//!
//! Not `opentelemetry-zipkin`'s propagator: as of 0.33 it keeps "deferred" in a bit of the trace flags
//! that is W3C's, and it comes with an exporter and an HTTP client.

use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceId};

use super::hex;
use super::notice::Notice;
use super::told::{Sampling, with_remote_parent};

/// Propagates the span context in the headers of
/// [B3](https://github.com/openzipkin/b3-propagation) (row C3).
///
/// *Extract* reads the single header `b3` and, where there is none that is valid, the headers
/// `X-B3-TraceId`, `X-B3-SpanId`, `X-B3-Sampled` and `X-B3-Flags`, whichever form is sent.
/// Trace ids of 64 bits get leading zeros. The parent's parent is not used, so the span here always has
/// an id of its own. A header that cannot be used, or that has a sampling decision and no ids, leaves
/// the context as it was.
///
/// *Inject* writes one form: the single header, unless it was made with
/// [`multi_header`](Self::multi_header). `X-B3-ParentSpanId` is never sent.
///
/// The debug flag implies that the trace is sampled and goes on with every span of the trace, in the
/// [`Context`]. A decision that was left open ("deferred") counts as not sampled, as in most of
/// OpenTelemetry, unless the sampler is told otherwise:
/// [`with_remote_parent_deferred`](crate::trace::sampler::ParentBasedBuilder::with_remote_parent_deferred).
/// As long as no span is started it is handed on as it came.
///
/// ```
/// use std::collections::HashMap;
///
/// use opentelemetry::propagation::TextMapPropagator;
/// use opentelemetry::trace::TraceContextExt;
/// use otlp_sdk::propagation::B3Propagator;
///
/// let parent = "80f198ee56343ba864fe8b2a57d3eff7-05e3ac9a4f6e3b90-1";
/// let request = HashMap::from([("b3".to_owned(), parent.to_owned())]);
///
/// let cx = B3Propagator::single_header().extract(&request);
///
/// assert!(cx.span().span_context().is_sampled());
/// assert_eq!(cx.span().span_context().span_id().to_string(), "05e3ac9a4f6e3b90");
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct B3Propagator {
    form: Form,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Single,
    Multi,
}

impl B3Propagator {
    /// Sends the single header, which is the default; `b3` in `OTEL_PROPAGATORS`.
    #[must_use]
    pub const fn single_header() -> Self {
        Self { form: Form::Single }
    }

    /// Sends a header per field; `b3multi` in `OTEL_PROPAGATORS`.
    #[must_use]
    pub const fn multi_header() -> Self {
        Self { form: Form::Multi }
    }
}

impl TextMapPropagator for B3Propagator {
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
        if !span_context.is_valid() {
            return;
        }
        let sampling = Sampling::outgoing(cx, span_context);
        match self.form {
            Form::Single => injector.set(SINGLE, single_header(span_context, sampling)),
            Form::Multi => inject_multi(span_context, sampling, injector),
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        match extract_single(extractor).or_else(|| extract_multi(extractor)) {
            Some(Parent { ids, sampling }) => with_remote_parent(cx, ids, sampling),
            None => cx.clone(),
        }
    }

    fn fields(&self) -> FieldIter<'_> {
        match self.form {
            Form::Single => FieldIter::new(SINGLE_FIELDS.as_slice()),
            Form::Multi => FieldIter::new(MULTI_FIELDS.as_slice()),
        }
    }
}

/// What the headers say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parent {
    ids: (TraceId, SpanId),
    sampling: Sampling,
}

fn extract_single(extractor: &dyn Extractor) -> Option<Parent> {
    let header = extractor.get(SINGLE)?.trim_matches(OWS);
    if matches!(header, "0" | "1" | "d") {
        // A decision about no trace.
        return None;
    }
    let parent = parse_single(header);
    if parent.is_none() {
        BAD_SINGLE.ignored(SINGLE, "not a valid B3 single header");
    }
    parent
}

/// `trace-span`, `trace-span-sampling`, `trace-span-sampling-parent`; and, as a decision may be left
/// open also there, `trace-span-parent`.
fn parse_single(header: &str) -> Option<Parent> {
    let mut fields = header.split('-');
    let ids = ids(fields.next()?, fields.next()?)?;
    let (third, fourth, fifth) = (fields.next(), fields.next(), fields.next());
    let sampling = match third {
        None => Some(Sampling::Deferred),
        Some("0") => Some(Sampling::Deny),
        Some("1") => Some(Sampling::Accept),
        Some("d") => Some(Sampling::Debug),
        Some(parent) if fourth.is_none() => span_id(parent).map(|_| Sampling::Deferred),
        Some(_) => None,
    };
    let ends = fifth.is_none() && fourth.is_none_or(|parent| span_id(parent).is_some());
    sampling.filter(|_| ends).map(|sampling| Parent { ids, sampling })
}

fn extract_multi(extractor: &dyn Extractor) -> Option<Parent> {
    let get = |name| extractor.get(name).map(|value| value.trim_matches(OWS));
    let (trace_id, span_id) = match (get(TRACE_ID), get(SPAN_ID)) {
        (None, None) => return None,
        both => both,
    };
    let ids = ids(trace_id.unwrap_or_default(), span_id.unwrap_or_default());
    let sampling = multi_sampling(get(SAMPLED), get(FLAGS));
    if ids.is_none() {
        BAD_MULTI.ignored(TRACE_ID, "X-B3-TraceId and X-B3-SpanId are not two valid ids");
    } else if sampling.is_none() {
        BAD_MULTI.ignored(SAMPLED, "X-B3-Sampled is neither 0 nor 1");
    }
    ids.zip(sampling).map(|(ids, sampling)| Parent { ids, sampling })
}

/// `true` and `false` are from before B3 was written down. Nothing but 1 is known of the flags.
fn multi_sampling(sampled: Option<&str>, flags: Option<&str>) -> Option<Sampling> {
    match (flags, sampled) {
        (Some("1"), _) => Some(Sampling::Debug),
        (_, None) => Some(Sampling::Deferred),
        (_, Some("1" | "true")) => Some(Sampling::Accept),
        (_, Some("0" | "false")) => Some(Sampling::Deny),
        _ => None,
    }
}

fn ids(trace: &str, span: &str) -> Option<(TraceId, SpanId)> {
    Some((trace_id(trace)?, span_id(span)?))
}

/// 32 or 16 digits in lowercase hex, not all zero.
fn trace_id(text: &str) -> Option<TraceId> {
    let id = match text.len() {
        32 => TraceId::from_bytes(exactly(text)?),
        16 => TraceId::from(u128::from(u64::from_be_bytes(exactly(text)?))),
        _ => return None,
    };
    (id != TraceId::INVALID).then_some(id)
}

/// 16 digits in lowercase hex, not all zero.
fn span_id(text: &str) -> Option<SpanId> {
    let id = SpanId::from_bytes(exactly(text)?);
    (id != SpanId::INVALID).then_some(id)
}

fn exactly<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut text = text.as_bytes();
    let bytes = hex::take(&mut text)?;
    text.is_empty().then_some(bytes)
}

fn single_header(span_context: &SpanContext, sampling: Sampling) -> String {
    let mut header = String::with_capacity(SINGLE_LEN);
    hex::push(&mut header, &span_context.trace_id().to_bytes());
    header.push('-');
    hex::push(&mut header, &span_context.span_id().to_bytes());
    header.push_str(match sampling {
        Sampling::Deferred => "",
        Sampling::Deny => "-0",
        Sampling::Accept => "-1",
        Sampling::Debug => "-d",
    });
    header
}

fn inject_multi(span_context: &SpanContext, sampling: Sampling, injector: &mut dyn Injector) {
    injector.set(TRACE_ID, span_context.trace_id().to_string());
    injector.set(SPAN_ID, span_context.span_id().to_string());
    let decision = match sampling {
        Sampling::Deferred => return,
        Sampling::Deny => (SAMPLED, "0"),
        Sampling::Accept => (SAMPLED, "1"),
        // Says that it is sampled, too.
        Sampling::Debug => (FLAGS, "1"),
    };
    injector.set(decision.0, decision.1.to_owned());
}

// In lower case, for carriers that tell cases apart; HTTP does not.
const SINGLE: &str = "b3";
const TRACE_ID: &str = "x-b3-traceid";
const SPAN_ID: &str = "x-b3-spanid";
const SAMPLED: &str = "x-b3-sampled";
const FLAGS: &str = "x-b3-flags";

/// The longest that is sent.
const SINGLE_LEN: usize = 32 + 1 + 16 + 2;
const OWS: [char; 2] = [' ', '\t'];

static SINGLE_FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [SINGLE.to_owned()]);
static MULTI_FIELDS: LazyLock<[String; 4]> =
    LazyLock::new(|| [TRACE_ID, SPAN_ID, SAMPLED, FLAGS].map(str::to_owned));

static BAD_SINGLE: Notice = Notice::new();
static BAD_MULTI: Notice = Notice::new();

#[cfg(test)]
mod tests;
