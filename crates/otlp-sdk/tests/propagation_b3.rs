//! B3 through the SDK (row C3): what a service sends on that was called with B3 headers.

#![cfg(feature = "b3")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod trace_support;

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use otlp_sdk::propagation::B3Propagator;
use otlp_sdk::trace::sampler::{ParentBased, Sampler};

use self::trace_support::Bench;

const IDS: &str = "80f198ee56343ba864fe8b2a57d3eff7-e457b5a2e4d86bd1";

/// The sampling state that is sent on for `received`, and how many spans were exported.
fn served(received: &str, sampler: Sampler) -> (String, usize) {
    let bench = Bench::with(|builder| builder.with_sampler(sampler));
    let request = HashMap::from([("b3".to_owned(), format!("{IDS}{received}"))]);
    let propagator = B3Propagator::single_header();
    let parent = propagator.extract_with_context(&Context::new(), &request);

    let server = parent.with_span(bench.tracer.start_with_context("serve", &parent));
    // A child decides as its parent did.
    let client = server.with_span(bench.tracer.start_with_context("call", &server));
    let mut sent = HashMap::new();
    propagator.inject_context(&client, &mut sent);
    drop((client, server));

    let sent = sent.get("b3").unwrap();
    let (ids, state) = sent.rsplit_once('-').unwrap();
    let (trace_id, _) = IDS.split_once('-').unwrap();
    assert!(ids.starts_with(trace_id) && ids != IDS, "{sent}");
    for span in bench.spans() {
        assert_eq!(span.trace_id(), trace_id);
    }
    (state.to_owned(), bench.spans().len())
}

fn deferred_to(sampler: Sampler) -> Sampler {
    ParentBased::builder(Sampler::AlwaysOff).with_remote_parent_deferred(sampler).build()
}

#[test]
fn children_follow_what_the_headers_say() {
    assert_eq!(served("-1", Sampler::default()), ("1".to_owned(), 2));
    assert_eq!(served("-0", Sampler::default()), ("0".to_owned(), 0));
    assert_eq!(served("-d", Sampler::default()), ("d".to_owned(), 2));
    // Debug goes on with the trace, even from one who does not record it.
    assert_eq!(served("-d", Sampler::AlwaysOff), ("d".to_owned(), 0));
}

#[test]
fn a_deferred_decision_is_not_sampled_unless_the_sampler_is_told() {
    assert_eq!(served("", Sampler::default()), ("0".to_owned(), 0));
    assert_eq!(served("", deferred_to(Sampler::AlwaysOn)), ("1".to_owned(), 2));
    assert_eq!(served("", deferred_to(Sampler::AlwaysOff)), ("0".to_owned(), 0));
}

#[test]
fn a_decision_that_was_made_is_not_asked_for_again() {
    assert_eq!(served("-0", deferred_to(Sampler::AlwaysOn)), ("0".to_owned(), 0));
    assert_eq!(served("-1", deferred_to(Sampler::AlwaysOff)), ("1".to_owned(), 2));
    assert_eq!(served("-d", deferred_to(Sampler::AlwaysOff)), ("d".to_owned(), 2));
}

#[test]
fn a_sampler_that_may_be_deferred_to_says_so() {
    let description = deferred_to(Sampler::AlwaysOn).description().into_owned();
    assert!(description.ends_with(",remoteParentDeferred:AlwaysOnSampler}"), "{description}");
}
