//! The choice of propagators, and that they work together.

use opentelemetry::KeyValue;
use opentelemetry::baggage::BaggageExt;
use opentelemetry::trace::TraceContextExt;
use otlp_core::export::Env;

use super::super::carrier::Lines;
use super::*;

const PARENT: &str = "00-12345678901234567890123456789012-1234567890123456-01";

#[test]
fn the_variable_chooses_and_bad_names_give_warnings() {
    // Names in any case, white space and repetition; unknown names are left out (conformance 1.9).
    let both = ["traceparent", "tracestate", "baggage"].as_slice();
    for (value, fields, warnings) in [
        ("", both, 0),
        ("tracecontext,baggage", both, 0),
        ("TraceContext , BAGGAGE,tracecontext", both, 0),
        ("tracecontext", &["traceparent", "tracestate"], 0),
        ("baggage", &["baggage"], 0),
        ("baggage,tracecontext", &["baggage", "traceparent", "tracestate"], 0),
        ("none", &[], 0),
        ("none,tracecontext", &[], 1),
        ("baggage,xray", &["baggage"], 1),
        ("xray", both, 1),
        ("xray,ottrace,typo", both, 3),
    ] {
        let env = Env::from_pairs([("OTEL_PROPAGATORS", value)]);
        let mut reader = env.reader();

        let propagators = Propagators::from_env(&mut reader);

        assert_eq!(propagators.fields().collect::<Vec<_>>(), fields, "{value:?}");
        assert_eq!(propagators.is_empty(), fields.is_empty());
        assert_eq!(reader.into_warnings().len(), warnings, "{value:?}");
    }
}

/// The fields of what the variable chooses, and the warnings.
fn chosen(value: &str) -> (Vec<String>, Vec<String>) {
    let env = Env::from_pairs([("OTEL_PROPAGATORS", value)]);
    let mut reader = env.reader();
    let fields = Propagators::from_env(&mut reader).fields().map(str::to_owned).collect();
    (fields, reader.into_warnings().iter().map(ToString::to_string).collect())
}

#[cfg(feature = "b3")]
#[test]
fn b3_is_the_single_header_and_b3multi_one_per_field() {
    // row C3
    let multi = ["x-b3-traceid", "x-b3-spanid", "x-b3-sampled", "x-b3-flags"].map(str::to_owned);
    assert_eq!(chosen("B3"), (vec!["b3".to_owned()], vec![]));
    assert_eq!(chosen("b3multi,b3multi"), (multi.to_vec(), vec![]));
    assert_eq!(chosen("b3,baggage").0, ["b3", "baggage"]);
}

#[cfg(feature = "jaeger")]
#[test]
fn jaeger_is_chosen_by_its_name() {
    assert_eq!(chosen("jaeger"), (vec!["uber-trace-id".to_owned()], vec![]));
}

#[test]
fn a_propagator_that_is_not_compiled_in_names_its_feature() {
    let in_this_build = Known::ALL.iter().map(|known| known.name());
    let in_this_build: Vec<_> = in_this_build.collect();
    for (name, feature) in [("b3", "b3"), ("b3multi", "b3"), ("jaeger", "jaeger")] {
        let (fields, warnings) = chosen(name);
        if in_this_build.contains(&name) {
            assert_eq!(warnings, [""; 0]);
            continue;
        }
        assert_eq!(fields, ["traceparent", "tracestate", "baggage"]);
        let accepted = in_this_build.join(", ");
        assert_eq!(
            warnings,
            [format!(
                "OTEL_PROPAGATORS=\"{name}\" needs the feature `{feature}` of otlp-sdk, which is not \
                 compiled in; accepted: {accepted}, or none alone (default tracecontext,baggage); \
                 using the default tracecontext,baggage"
            )]
        );
    }
}

#[test]
fn a_warning_names_the_variable_the_value_and_what_is_accepted() {
    let (_, warnings) = chosen("xray,tracecontexts");

    let names: Vec<_> = Known::ALL.iter().map(|known| known.name()).collect();
    assert_eq!(names[..2], ["tracecontext", "baggage"]);
    let accepted = format!(
        "accepted: {}, or none alone (default tracecontext,baggage); \
         using the default tracecontext,baggage",
        names.join(", ")
    );
    assert_eq!(
        warnings,
        [
            format!("OTEL_PROPAGATORS=\"xray\" is not available here; {accepted}"),
            format!("OTEL_PROPAGATORS=\"tracecontexts\" is not known; {accepted}"),
        ]
    );
}

#[test]
fn all_propagators_see_the_headers_and_write_theirs() {
    let received = Lines::new([("traceparent", PARENT), ("tracestate", "a=1"), ("baggage", "k=v")]);
    let propagators = Propagators::default();

    let cx = propagators.extract_with_context(&Context::new(), &received);
    let mut sent = Lines::default();
    propagators.inject_context(&cx, &mut sent);

    assert_eq!(sent, received);
}

#[test]
fn none_reads_and_writes_nothing() {
    let propagators = Propagators::none();
    let received = Lines::new([("traceparent", PARENT), ("baggage", "k=v")]);

    let cx = propagators.extract_with_context(&Context::new(), &received);

    assert!(!cx.has_active_span() && cx.baggage().is_empty());
    let mut sent = Lines::default();
    Propagators::default().inject_context(&cx, &mut sent);
    assert_eq!(sent, Lines::default());
}

/// A carrier whose code runs under a context of its own, as an instrumented one does.
struct Attaching(Lines);

impl Attaching {
    fn attach() {
        drop(Context::new().attach());
    }
}

impl Extractor for Attaching {
    fn get(&self, key: &str) -> Option<&str> {
        Self::attach();
        self.0.get(key)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys()
    }
}

impl Injector for Attaching {
    fn set(&mut self, key: &str, value: String) {
        Self::attach();
        self.0.set(key, value);
    }
}

#[test]
fn a_carrier_may_attach_a_context() {
    let received = Lines::new([("traceparent", PARENT), ("baggage", "k=v")]);
    let all: [Box<dyn TextMapPropagator>; 3] = [
        Box::new(Propagators::default()),
        Box::new(TraceContextPropagator::new()),
        Box::new(BaggagePropagator::new()),
    ];
    let own = Context::new().with_baggage([KeyValue::new("own", "1")]);
    for propagator in all {
        let _guard = own.clone().attach();
        let received = Attaching(Lines(received.0.clone()));

        let cx = propagator.extract(&received);
        let _guard = cx.attach();
        let mut sent = Attaching(Lines::default());
        propagator.inject(&mut sent);

        assert!(!sent.0.0.is_empty());
    }
}
