//! The spans that a load generator sends, and what of them has to arrive behind a collector.
//!
//! A span follows from its number, so that whoever receives one can say what it must be. They are made by
//! `prost`, about 435 bytes each, and differ enough that compression finds in them what it finds in real
//! ones.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message;
use serde::{Deserialize, Serialize};

/// What a pipeline changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Edit {
    /// Nothing.
    #[default]
    None,
    /// [`RESOURCE_KEY`] is inserted into every resource.
    ResourceInsert,
    /// [`SPAN_KEY`] is updated on every other span and inserted on the rest.
    AttributeUpsert,
}

/// What [`Edit::ResourceInsert`] inserts, with [`EDITED`] as its value.
pub const RESOURCE_KEY: &str = "deployment.environment.name";
/// What [`Edit::AttributeUpsert`] sets to [`EDITED`].
pub const SPAN_KEY: &str = "app.tenant";
/// The value after an edit.
pub const EDITED: &str = "bench";

/// Encoded requests of so many spans, all different.
#[must_use]
pub fn requests(spans: usize) -> Vec<Bytes> {
    let count = (SPANS_PREPARED / spans.max(1)).max(REQUESTS_MIN);
    (0..count).map(|index| request(index * spans, spans).encode_to_vec().into()).collect()
}

/// The number of spans in a request that has come through a collector.
///
/// # Errors
///
/// It does not decode, or something is not as it was sent, but for the edit.
pub fn check(request: Bytes, edit: Edit) -> Result<u64, String> {
    let request = ExportTraceServiceRequest::decode(request).map_err(|error| error.to_string())?;
    let mut expected = resource();
    edit.resource(&mut expected);
    let expected = sorted(expected.attributes);
    let mut count = 0;
    for group in request.resource_spans {
        let attributes = sorted(group.resource.unwrap_or_default().attributes);
        if attributes != expected {
            return Err(format!("a resource with {attributes:?}"));
        }
        for of_scope in group.scope_spans {
            if of_scope.scope.as_ref() != Some(&scope()) {
                return Err(format!("a scope that is {:?}", of_scope.scope));
            }
            count += of_scope.spans.len() as u64;
            of_scope.spans.into_iter().try_for_each(|span| check_span(span, edit))?;
        }
    }
    Ok(count)
}

fn check_span(mut came: Span, edit: Edit) -> Result<(), String> {
    let number = number_of(&came).ok_or_else(|| format!("a span without its number: {came:?}"))?;
    let mut sent = span(number);
    edit.span(&mut sent);
    // A collector may order attributes as it likes.
    came.attributes = sorted(came.attributes);
    sent.attributes = sorted(sent.attributes);
    if came == sent { Ok(()) } else { Err(format!("{came:?} where {sent:?} was sent")) }
}

fn number_of(span: &Span) -> Option<usize> {
    let number = span.attributes.iter().find(|attribute| attribute.key == NUMBER)?;
    match number.value.as_ref()?.value {
        Some(Value::IntValue(number)) => usize::try_from(number).ok(),
        _ => None,
    }
}

fn sorted(mut attributes: Vec<KeyValue>) -> Vec<KeyValue> {
    attributes.sort_by(|one, other| one.key.cmp(&other.key));
    attributes
}

impl Edit {
    /// Does it to a decoded request.
    pub fn request(self, request: &mut ExportTraceServiceRequest) {
        if self == Self::None {
            return;
        }
        for group in &mut request.resource_spans {
            self.resource(group.resource.get_or_insert_default());
            let spans = group.scope_spans.iter_mut().flat_map(|scope| &mut scope.spans);
            spans.for_each(|span| self.span(span));
        }
    }

    fn resource(self, resource: &mut Resource) {
        let is_there = |attribute: &KeyValue| attribute.key == RESOURCE_KEY;
        if self == Self::ResourceInsert && !resource.attributes.iter().any(is_there) {
            resource.attributes.push(text(RESOURCE_KEY, EDITED));
        }
    }

    fn span(self, span: &mut Span) {
        if self != Self::AttributeUpsert {
            return;
        }
        match span.attributes.iter_mut().find(|attribute| attribute.key == SPAN_KEY) {
            Some(attribute) => attribute.value = Some(value(Value::StringValue(EDITED.to_owned()))),
            None => span.attributes.push(text(SPAN_KEY, EDITED)),
        }
    }
}

fn request(first: usize, spans: usize) -> ExportTraceServiceRequest {
    let of_scope = ScopeSpans {
        scope: Some(scope()),
        spans: (first..first + spans).map(span).collect(),
        ..ScopeSpans::default()
    };
    let of_resource = ResourceSpans {
        resource: Some(resource()),
        scope_spans: vec![of_scope],
        ..ResourceSpans::default()
    };
    ExportTraceServiceRequest { resource_spans: vec![of_resource] }
}

fn resource() -> Resource {
    let attributes = vec![
        text("service.name", "checkout"),
        text("service.namespace", "shop"),
        text("service.version", "4.17.2"),
        text("service.instance.id", "1c6e9b1e-9b0f-4b52-8f7e-9a6f2f0c7d11"),
        text("telemetry.sdk.language", "rust"),
        text("telemetry.sdk.name", "opentelemetry"),
        text("host.name", "checkout-7d9c5b6f4-x2v8q"),
    ];
    Resource { attributes, ..Resource::default() }
}

fn scope() -> InstrumentationScope {
    let (name, version) = ("shop::http::server".to_owned(), "4.17.2".to_owned());
    InstrumentationScope { name, version, ..InstrumentationScope::default() }
}

/// The span of that number.
fn span(number: usize) -> Span {
    let seed = number as u64;
    let (high, low, own) = (mix(seed / 8), mix(seed / 8 + (1 << 40)), mix(seed + (1 << 41)));
    let start = START + seed * 1_000_003 + own % 1_000;
    Span {
        trace_id: [high.to_be_bytes(), low.to_be_bytes()].concat(),
        span_id: own.to_be_bytes().to_vec(),
        parent_span_id: mix(own).to_be_bytes().to_vec(),
        flags: 0x101,
        name: format!("{} /users/{{user}}/orders/{{order}}", pick(&METHODS, own)),
        kind: 2,
        start_time_unix_nano: start,
        end_time_unix_nano: start + 50_000 + own % 40_000_000,
        attributes: attributes(number, own),
        status: Some(Status { code: 1, ..Status::default() }),
        ..Span::default()
    }
}

fn attributes(number: usize, own: u64) -> Vec<KeyValue> {
    let route = format!("/users/{}/orders/{:x}", own % 100_000, own >> 40);
    let [_, a, b, c, ..] = own.to_be_bytes();
    let mut attributes = vec![
        attribute(NUMBER, Value::IntValue(i64::try_from(number).unwrap_or(i64::MAX))),
        text("http.request.method", pick(&METHODS, own)),
        text("url.path", &route),
        attribute("http.response.status_code", Value::IntValue(200 + (own % 5) as i64)),
        text("server.address", pick(&SERVERS, own >> 8)),
        text("client.address", &format!("10.{a}.{b}.{c}")),
        attribute("client.port", Value::IntValue((1_024 + own % 60_000) as i64)),
        text("user_agent.original", pick(&AGENTS, own >> 16)),
        attribute("app.cache.hit", Value::BoolValue(own & 1 == 1)),
        attribute("app.queue.seconds", Value::DoubleValue((own % 10_000) as f64 / 1e6)),
    ];
    if number.is_multiple_of(2) {
        attributes.push(text(SPAN_KEY, "default"));
    }
    attributes
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.to_owned()))
}

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(self::value(value)), ..KeyValue::default() }
}

fn value(value: Value) -> AnyValue {
    AnyValue { value: Some(value) }
}

fn pick(choices: &[&'static str; 4], number: u64) -> &'static str {
    let [a, b, c, d] = *choices;
    match number % 4 {
        0 => a,
        1 => b,
        2 => c,
        _ => d,
    }
}

/// Numbers that look random and follow from the argument (the finalizer of SplitMix64).
fn mix(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

const METHODS: [&str; 4] = ["GET", "PUT", "POST", "DELETE"];
const SERVERS: [&str; 4] =
    ["api.shop.example", "eu.api.shop.example", "us.api.shop.example", "orders.shop.example"];
const AGENTS: [&str; 4] =
    ["curl/8.9.1", "okhttp/4.12.0", "python-requests/2.32.3", "Go-http-client/2.0"];

/// The attribute that a span has its number in.
const NUMBER: &str = "app.sequence";
const START: u64 = 1_750_000_000_000_000_000;
/// Further apart than any compressor here looks back.
const SPANS_PREPARED: usize = 8_192;
const REQUESTS_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_takes_about_435_bytes() {
        let requests = requests(100);
        let bytes: usize = requests.iter().map(Bytes::len).sum();
        let each = bytes as f64 / (requests.len() * 100) as f64;
        assert!((425.0..445.0).contains(&each), "{each}");
    }

    #[test]
    fn what_is_sent_is_what_is_expected() {
        let all = requests(10);
        for request in &all {
            assert_eq!(check(request.clone(), Edit::None), Ok(10));
        }
        // Every number once.
        assert!(all.len() * 10 >= SPANS_PREPARED - 10);
    }

    #[test]
    fn an_edit_that_was_not_done_is_found() {
        let sent = request(0, 10).encode_to_vec();
        for edit in [Edit::ResourceInsert, Edit::AttributeUpsert] {
            assert!(check(sent.clone().into(), edit).is_err(), "{edit:?}");
        }
    }

    #[test]
    fn an_edit_that_was_done_is_what_is_expected_and_nothing_else() {
        for edit in [Edit::ResourceInsert, Edit::AttributeUpsert] {
            let mut edited = request(0, 10);
            edit.request(&mut edited);
            let edited: Bytes = edited.encode_to_vec().into();
            assert_eq!(check(edited.clone(), edit), Ok(10), "{edit:?}");
            assert!(check(edited, Edit::None).is_err(), "{edit:?}");
        }
    }

    #[test]
    fn an_upsert_updates_one_half_and_inserts_into_the_other() {
        let mut edited = request(0, 10);
        Edit::AttributeUpsert.request(&mut edited);
        let spans = &edited.resource_spans[0].scope_spans[0].spans;
        for (number, (span, sent)) in spans.iter().zip((0..10).map(self::span)).enumerate() {
            let more = span.attributes.len() - sent.attributes.len();
            assert_eq!(more, number % 2);
            assert_eq!(span.attributes.last(), Some(&text(SPAN_KEY, EDITED)));
        }
    }

    #[test]
    fn a_changed_span_is_found() {
        let mut changed = request(5, 2);
        changed.resource_spans[0].scope_spans[0].spans[1].end_time_unix_nano += 1;
        assert!(check(changed.encode_to_vec().into(), Edit::None).is_err());
    }

    #[test]
    fn gzip_finds_in_them_what_it_finds_in_real_ones() {
        use std::io::Write;
        let request = requests(1000).swap_remove(0);
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(1));
        gzip.write_all(&request).unwrap();
        let ratio = request.len() as f64 / gzip.finish().unwrap().len() as f64;
        // Batches of the SDKs: 4.1 at level 1.
        assert!((3.0..5.5).contains(&ratio), "{ratio}");
    }
}
