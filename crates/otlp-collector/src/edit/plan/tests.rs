use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::logs::v1::{LogRecord, ResourceLogs, ScopeLogs};
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{
    ExponentialHistogram, ExponentialHistogramDataPoint, Gauge, Histogram, HistogramDataPoint,
    Metric, NumberDataPoint, ResourceMetrics, ScopeMetrics, Sum, Summary, SummaryDataPoint,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use otlp_core::wire::writer::{LEN, key, put_len};
use otlp_core::{Payload, Signal};
use prost::Message;

use crate::edit::{
    Action, AttributeTest, ConvertedType, Criteria, Edited, Effect, LibraryTest, Literal, Pattern,
    Plan, Rule, Selector, SeverityTest, Source, Target, Texts, ValueTest,
};

fn attribute(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.into(), value: Some(AnyValue { value: Some(value) }), key_strindex: 0 }
}

fn text(key: &str, value: &str) -> KeyValue {
    attribute(key, Value::StringValue(value.into()))
}

fn literal(text: &str) -> Source {
    Source::value(&Literal::from(text))
}

fn pattern(text: &str) -> Pattern {
    Pattern::new(text).unwrap()
}

fn traces(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let scope = Some(InstrumentationScope {
        name: "http".into(),
        version: "1".into(),
        ..InstrumentationScope::default()
    });
    let attributes = vec![text("service.name", "shop"), text("host", "a")];
    let resource = Some(Resource { attributes, ..Resource::default() });
    let scope_spans = vec![ScopeSpans { scope, spans, ..ScopeSpans::default() }];
    let group = ResourceSpans { resource, scope_spans, ..ResourceSpans::default() };
    ExportTraceServiceRequest { resource_spans: vec![group] }
}

fn payload(signal: Signal, request: &impl Message) -> Payload {
    Payload::from_request(signal, request.encode_to_vec()).unwrap()
}

fn apply(signal: Signal, rule: Rule, request: &impl Message) -> Edited {
    Plan::new(signal, vec![rule]).apply(&payload(signal, request)).unwrap()
}

fn edit(target: Target, actions: Vec<Action>) -> Rule {
    Rule { target, selector: Selector::default(), effect: Effect::Edit(actions) }
}

fn keep(include: Criteria) -> Rule {
    let selector = Selector { include: Some(include), exclude: None };
    Rule { target: Target::Item, selector, effect: Effect::Keep }
}

fn decoded<M: Message + Default>(edited: &Edited) -> M {
    M::decode(Bytes::from(edited.payload.clone())).unwrap()
}

/// The attributes of a span after these actions.
fn after(actions: Vec<Action>, attributes: Vec<KeyValue>) -> Vec<KeyValue> {
    let request = traces(vec![Span { attributes, ..Span::default() }]);
    let edited = apply(Signal::Traces, edit(Target::Item, actions), &request);
    let mut request: ExportTraceServiceRequest = decoded(&edited);
    request.resource_spans.remove(0).scope_spans.remove(0).spans.remove(0).attributes
}

#[test]
fn insert_adds_only_what_is_not_there() {
    let insert = || vec![Action::insert("a", literal("new"))];
    assert_eq!(after(insert(), vec![text("a", "old")]), [text("a", "old")]);
    assert_eq!(after(insert(), vec![text("b", "")]), [text("b", ""), text("a", "new")]);
}

#[test]
fn update_sets_only_what_is_there() {
    let update = || vec![Action::update("a", literal("new"))];
    let before = vec![text("a", "old"), text("b", "")];
    assert_eq!(after(update(), before), [text("a", "new"), text("b", "")]);
    assert_eq!(after(update(), vec![text("b", "")]), [text("b", "")]);
}

#[test]
fn upsert_sets_or_adds_also_from_another_attribute_or_a_default() {
    let upsert = || vec![Action::upsert("a", Source::attribute("b"))];
    assert_eq!(after(upsert(), vec![text("b", "x")]), [text("b", "x"), text("a", "x")]);
    assert_eq!(after(upsert(), vec![text("a", "old")]), [text("a", "old")]);
    let or = vec![Action::upsert("a", Source::attribute("b").or(&Literal::Int(7)))];
    assert_eq!(after(or, vec![text("a", "old")]), [attribute("a", Value::IntValue(7))]);
}

#[test]
fn delete_removes_by_key_and_by_pattern_and_every_duplicate() {
    let before = || vec![text("a", "1"), text("b", "2"), text("a", "3"), text("ab", "4")];
    assert_eq!(after(vec![Action::delete("a")], before()), [text("b", "2"), text("ab", "4")]);
    let matching = vec![Action::delete_matching(pattern("^a"))];
    assert_eq!(after(matching, before()), [text("b", "2")]);
}

#[test]
fn hash_is_sha_256_in_hexadecimal_digits() {
    // From sha256sum: of "abc", of one byte 1, of 1 in eight bytes.
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    let one = "4bf5122f344554c53bde2ebb8cd2b7e3d1600ad631c385a5d7cce23c7785459a";
    let eight = "7c9fa136d4413fa6173637e883b6998d32e1d675f88cddff9dcbcf331820f4b8";
    let before = vec![
        text("a", "abc"),
        attribute("b", Value::BoolValue(true)),
        attribute("c", Value::IntValue(1)),
        attribute("d", Value::BytesValue(vec![1])),
    ];
    let expected = [text("a", abc), text("b", one), text("c", eight), text("d", "")];
    assert_eq!(after(vec![Action::hash_matching(pattern("."))], before), expected);
    assert_eq!(after(vec![Action::hash("a")], vec![text("a", "abc")]), [text("a", abc)]);
}

#[test]
fn extract_sets_an_attribute_for_each_group() {
    let url = pattern("^(?P<scheme>[a-z]+)://(?P<host>[^/]+)(?P<port>:[0-9]+)?");
    let extract = || vec![Action::extract("url", url.clone()).unwrap()];
    let expected = [
        text("host", "b.c"),
        text("url", "http://b.c/d"),
        text("scheme", "http"),
        text("port", ""),
    ];
    assert_eq!(after(extract(), vec![text("host", "old"), text("url", "http://b.c/d")]), expected);
    let number = vec![attribute("url", Value::IntValue(1))];
    assert_eq!(after(extract(), number.clone()), number);
    assert!(Action::extract("a", pattern("(.)")).is_none());
    assert!(Action::extract("a", pattern(".")).is_none());
}

#[test]
fn convert_makes_what_can_be_converted() {
    let cases = [
        (ConvertedType::Int, Value::StringValue("12".into()), Value::IntValue(12)),
        (ConvertedType::Int, Value::StringValue("1.5".into()), Value::StringValue("1.5".into())),
        (ConvertedType::Int, Value::DoubleValue(-1.9), Value::IntValue(-1)),
        (ConvertedType::Int, Value::BoolValue(true), Value::IntValue(1)),
        (ConvertedType::Double, Value::StringValue("1e3".into()), Value::DoubleValue(1000.0)),
        (
            ConvertedType::Double,
            Value::StringValue("inf".into()),
            Value::DoubleValue(f64::INFINITY),
        ),
        (
            ConvertedType::Double,
            Value::StringValue("1e999".into()),
            Value::StringValue("1e999".into()),
        ),
        (ConvertedType::Double, Value::IntValue(3), Value::DoubleValue(3.0)),
        (ConvertedType::String, Value::DoubleValue(1.0), Value::StringValue("1".into())),
        (ConvertedType::String, Value::BytesValue(b"hi".into()), Value::StringValue("aGk=".into())),
    ];
    for (to, value, expected) in cases {
        let found = after(vec![Action::convert("a", to)], vec![attribute("a", value.clone())]);
        assert_eq!(found, [attribute("a", expected)], "{to:?} {value:?}");
    }
}

#[test]
fn actions_run_in_order_each_on_what_was_left() {
    let actions = vec![
        Action::insert("a", literal("x")),
        Action::upsert("b", Source::attribute("a")),
        Action::delete("a"),
        Action::insert("a", literal("again")),
    ];
    assert_eq!(after(actions, vec![]), [text("b", "x"), text("a", "again")]);
}

fn framed(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_len(&mut out, key(number, LEN), content);
    out
}

#[test]
fn what_is_not_edited_keeps_its_bytes_also_where_it_is_not_known() {
    // A field that nobody knows on each level; in the attribute, also the one of profiles.
    let unknown = [0xa2, 0x06, 1, 7];
    let with_value = |value: &[u8], behind: &[u8]| {
        let attribute = framed(9, &[b"\x0a\x01a".as_slice(), value, &[0x18, 5], behind].concat());
        let span = framed(2, &[&unknown[..], &attribute, &unknown].concat());
        let scope = framed(2, &[&unknown[..], &span, &unknown].concat());
        let resource = framed(1, &[&unknown[..], &scope, &unknown].concat());
        [&unknown[..], &resource, &unknown].concat()
    };
    let before = with_value(b"\x12\x05\x0a\x03old", &unknown);
    // The new value stands behind what there was beside the old one.
    let new = [&unknown[..], b"\x12\x05\x0a\x03new"].concat();
    let payload = Payload::from_request(Signal::Traces, before).unwrap();
    let rule = edit(Target::Item, vec![Action::update("a", literal("new"))]);
    let edited = Plan::new(Signal::Traces, vec![rule]).apply(&payload).unwrap();
    assert_eq!(Bytes::from(edited.payload), with_value(b"", &new));
}

#[test]
fn the_pieces_of_a_resource_are_one() {
    // Two pieces with an attribute each, on both sides of the scope; what is added goes to the last one.
    let attribute = |key: &str| framed(1, &text(key, "x").encode_to_vec());
    let resource = |attributes: &[u8]| framed(1, attributes);
    let request = |behind: &[u8]| {
        let scope = framed(2, &framed(2, b""));
        framed(1, &[resource(&attribute("a")), scope, resource(behind)].concat())
    };
    let payload = Payload::from_request(Signal::Traces, request(&attribute("b"))).unwrap();
    let actions = ["a", "b", "c"].map(|key| Action::insert(key, literal("x")));
    let rule = edit(Target::Resource, actions.into());
    let edited = Plan::new(Signal::Traces, vec![rule]).apply(&payload).unwrap();
    let expected = request(&[attribute("b"), attribute("c")].concat());
    assert_eq!(Bytes::from(edited.payload), expected);
}

#[test]
fn a_plan_that_changes_nothing_gives_the_same_payload() {
    let request = traces(vec![Span { attributes: vec![text("a", "x")], ..Span::default() }]);
    let payload = payload(Signal::Traces, &request);
    let rules = [
        edit(
            Target::Item,
            vec![Action::update("b", literal("x")), Action::upsert("a", literal("x"))],
        ),
        edit(Target::Resource, vec![Action::insert("host", literal("b"))]),
        keep(Criteria {
            services: Some(Texts::Strict(vec!["shop".into()])),
            ..Criteria::default()
        }),
    ];
    for rule in rules {
        let edited = Plan::new(Signal::Traces, vec![rule]).apply(&payload).unwrap();
        assert!(!edited.is_changed);
        assert_eq!(edited.payload.rope().parts()[0].as_ptr(), payload.rope().parts()[0].as_ptr());
    }
    let of_logs = Plan::new(Signal::Logs, vec![edit(Target::Item, vec![Action::delete("a")])]);
    assert!(!of_logs.apply(&payload).unwrap().is_changed);
}

#[test]
fn an_edit_of_a_resource_shares_the_spans() {
    let spans = vec![Span { name: "x".repeat(100), ..Span::default() }; 100];
    let payload = payload(Signal::Traces, &traces(spans));
    let rule = edit(Target::Resource, vec![Action::insert("env", literal("test"))]);
    let edited = Plan::new(Signal::Traces, vec![rule]).apply(&payload).unwrap();
    assert_eq!((edited.resources_edited, edited.items_edited, edited.items_dropped), (1, 0, 0));
    let input = payload.rope().parts()[0].as_ptr_range();
    let parts = edited.payload.rope().parts();
    assert!(parts.len() == 2 && input.contains(&parts[1].as_ptr()));
}

#[test]
#[allow(clippy::needless_update, reason = "some kinds have no more than points")]
fn the_points_of_all_kinds_of_metrics_are_edited() {
    let attributes = vec![text("a", "old")];
    macro_rules! data {
        ($kind:ident, $point:ident) => {
            Data::$kind($kind {
                data_points: vec![$point { attributes: attributes.clone(), ..Default::default() }],
                ..Default::default()
            })
        };
    }
    let data = [
        data!(Gauge, NumberDataPoint),
        data!(Sum, NumberDataPoint),
        data!(Histogram, HistogramDataPoint),
        data!(ExponentialHistogram, ExponentialHistogramDataPoint),
        data!(Summary, SummaryDataPoint),
    ];
    let metrics = data.map(|data| Metric { data: Some(data), ..Metric::default() }).into();
    let scope_metrics = vec![ScopeMetrics { metrics, ..ScopeMetrics::default() }];
    let group = ResourceMetrics { scope_metrics, ..ResourceMetrics::default() };
    let request = ExportMetricsServiceRequest { resource_metrics: vec![group] };
    let rule = edit(Target::Item, vec![Action::update("a", literal("a new value"))]);
    let edited = apply(Signal::Metrics, rule, &request);
    assert_eq!((edited.items_edited, edited.payload.items()), (5, 5));
    let texts = decoded::<ExportMetricsServiceRequest>(&edited);
    assert_eq!(format!("{texts:?}").matches("a new value").count(), 5);
}

#[test]
fn what_is_emptied_goes_and_is_counted() {
    let names = |name: &str| Criteria {
        names: Some(Texts::Strict(vec![name.into()])),
        ..Criteria::default()
    };
    let span = |name: &str| Span { name: name.into(), ..Span::default() };
    let mut request = traces(vec![span("a"), span("b")]);
    request.resource_spans.extend(traces(vec![span("b"), span("b")]).resource_spans);
    let edited = apply(Signal::Traces, keep(names("a")), &request);
    assert_eq!((edited.items_dropped, edited.payload.items()), (3, 1));
    assert_eq!(decoded::<ExportTraceServiceRequest>(&edited), traces(vec![span("a")]));
    let edited = apply(Signal::Traces, keep(names("c")), &request);
    assert_eq!((edited.items_dropped, edited.payload.items(), edited.payload.len()), (4, 0, 0));
}

/// Whether a span that is the only one in a request is kept.
fn is_kept(include: Criteria, span: Span) -> bool {
    apply(Signal::Traces, keep(include), &traces(vec![span])).items_dropped == 0
}

fn strict(texts: &[&str]) -> Option<Texts> {
    Some(Texts::Strict(texts.iter().map(|it| (*it).to_owned()).collect()))
}

fn test(key: &str, value: Option<ValueTest>) -> Vec<AttributeTest> {
    vec![AttributeTest { key: key.into(), value }]
}

#[test]
fn every_criterion_of_spans_is_compared() {
    let span = || Span {
        name: "GET /".into(),
        kind: 2,
        status: Some(Status { code: 2, ..Status::default() }),
        attributes: vec![text("a", "x"), attribute("n", Value::IntValue(404))],
        ..Span::default()
    };
    let all = Criteria::default;
    let library = |name: &str, version: Option<&str>| LibraryTest {
        name: strict(&[name]).unwrap(),
        version: version.and_then(|version| strict(&[version])),
    };
    let regexp = |text: &str| Some(ValueTest::Regexp(pattern(text)));
    let value = |value: Literal| Some(ValueTest::Strict(value));
    let kept = [
        Criteria { services: strict(&["x", "shop"]), ..all() },
        Criteria { names: Some(Texts::Regexp(vec![pattern("^x"), pattern("^GET")])), ..all() },
        Criteria { span_kinds: strict(&["SPAN_KIND_SERVER"]), ..all() },
        Criteria { status_codes: strict(&["STATUS_CODE_ERROR"]), ..all() },
        Criteria { libraries: vec![library("x", None), library("http", None)], ..all() },
        Criteria { libraries: vec![library("http", Some("1"))], ..all() },
        Criteria { resources: test("host", None), ..all() },
        Criteria { resources: test("host", value("a".into())), ..all() },
        Criteria { attributes: test("n", value(Literal::Int(404))), ..all() },
        Criteria { attributes: test("n", regexp("^4..$")), ..all() },
    ];
    for criteria in kept {
        assert!(is_kept(criteria.clone(), span()), "{criteria:?}");
    }
    let dropped = [
        Criteria { services: strict(&["x"]), ..all() },
        Criteria { names: strict(&["GET"]), ..all() },
        Criteria { span_kinds: strict(&["SPAN_KIND_CLIENT"]), ..all() },
        Criteria { status_codes: strict(&["STATUS_CODE_OK"]), ..all() },
        Criteria { libraries: vec![library("http", Some("2"))], ..all() },
        Criteria { resources: test("a", None), ..all() },
        Criteria { attributes: test("n", value("404".into())), ..all() },
        Criteria { attributes: test("a", regexp("^y")), ..all() },
        // All criteria must be met, and all attributes of a list.
        Criteria { services: strict(&["shop"]), names: strict(&["GET"]), ..all() },
        Criteria { attributes: [test("a", None), test("b", None)].concat(), ..all() },
    ];
    for criteria in dropped {
        assert!(!is_kept(criteria.clone(), span()), "{criteria:?}");
    }
}

#[test]
fn exclude_comes_after_include() {
    let names = |text: &str| Criteria {
        names: Some(Texts::Regexp(vec![pattern(text)])),
        ..Criteria::default()
    };
    let selector = Selector { include: Some(names("^a")), exclude: Some(names("z$")) };
    let rule = Rule { target: Target::Item, selector, effect: Effect::Keep };
    let span = |name: &str| Span { name: name.into(), ..Span::default() };
    let request = traces(["a", "az", "b", "bz"].map(span).into());
    let edited = apply(Signal::Traces, rule, &request);
    assert_eq!(decoded::<ExportTraceServiceRequest>(&edited), traces(vec![span("a")]));
}

#[test]
fn every_criterion_of_log_records_is_compared() {
    let body = Some(AnyValue { value: Some(Value::StringValue("it failed".into())) });
    let record = |severity_number| LogRecord {
        body: body.clone(),
        severity_number,
        severity_text: "ERR".into(),
        ..LogRecord::default()
    };
    let is_kept = |criteria, severity| {
        let log_records = vec![record(severity)];
        let scope_logs = vec![ScopeLogs { log_records, ..ScopeLogs::default() }];
        let group = ResourceLogs { scope_logs, ..ResourceLogs::default() };
        let request = ExportLogsServiceRequest { resource_logs: vec![group] };
        apply(Signal::Logs, keep(criteria), &request).items_dropped == 0
    };
    let all = Criteria::default;
    let severity = |min, match_undefined| Criteria {
        severity: Some(SeverityTest { min, match_undefined }),
        ..Criteria::default()
    };
    assert!(is_kept(Criteria { bodies: strict(&["it failed"]), ..all() }, 0));
    assert!(!is_kept(Criteria { bodies: strict(&["it"]), ..all() }, 0));
    assert!(is_kept(Criteria { severity_texts: strict(&["ERR"]), ..all() }, 0));
    assert!(is_kept(severity(9, false), 9) && !is_kept(severity(9, false), 8));
    assert!(!is_kept(severity(9, false), 0) && is_kept(severity(9, true), 0));
    assert!(is_kept(Criteria { services: strict(&["<nil-service-name>"]), ..all() }, 0));
}

#[test]
fn damage_that_a_rule_comes_upon_is_refused_with_its_place() {
    // An attribute with a string that is cut off.
    let request = b"\x0a\x0a\x12\x08\x12\x06\x4a\x04\x0a\x09ab".to_vec();
    let payload = Payload::from_request(Signal::Traces, request).unwrap();
    let edit = Plan::new(Signal::Traces, vec![edit(Target::Item, vec![Action::delete("a")])]);
    assert!(edit.apply(&payload).is_err());
    let criteria = Criteria { names: strict(&["x"]), ..Criteria::default() };
    let filter = Plan::new(Signal::Traces, vec![keep(criteria)]);
    assert_eq!(filter.apply(&payload).unwrap().items_dropped, 1, "it did not look there");
}

#[test]
fn repetition_without_end_costs_no_squares() {
    const MANY: usize = 200_000;
    let attribute = framed(1, &text("a", "x").encode_to_vec());
    let pieces = framed(1, &framed(1, &attribute).repeat(MANY));
    let value = framed(2, &framed(1, b"x")).repeat(MANY);
    let in_pieces = framed(9, &[framed(1, b"a"), value].concat());
    let duplicates = framed(9, &text("a", "x").encode_to_vec()).repeat(MANY);
    let span = framed(2, &[in_pieces, duplicates].concat());
    let request = [pieces, framed(1, &framed(2, &span))].concat();
    let payload = Payload::from_request(Signal::Traces, request).unwrap();
    let actions =
        || vec![Action::hash("a"), Action::upsert("b", literal("x")), Action::delete("a")];
    let rules = [Target::Resource, Target::Item].map(|target| edit(target, actions()));
    let edited = Plan::new(Signal::Traces, rules.into()).apply(&payload).unwrap();
    assert_eq!((edited.resources_edited, edited.items_edited), (2, 1));
    assert!(Bytes::from(edited.payload).len() < 10 * MANY);
}
