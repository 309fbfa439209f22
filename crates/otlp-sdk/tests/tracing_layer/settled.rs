//! What makes the ids of a span final: whatever has taken them over.

use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use otlp_sdk::tracing_layer::{OtelSpanExt as _, SpanError};
use tracing::{info, info_span};

use crate::trace_support::remote_parent;
use crate::{traced, traced_with};

#[test]
fn a_child_in_an_attached_context_settles_the_parent_it_has_by_that() {
    let (cx, _) = remote_parent(1, "");
    let bench = traced(|| {
        let span = info_span!("told");
        let attached = span.context().unwrap().attach();
        drop(info_span!("below"));
        drop(attached);
        assert_eq!(span.set_parent(cx), Err(SpanError::HasChildren));
    });
    assert_eq!(bench.find("below").parent_span_id(), bench.find("told").span_id());
}

#[test]
fn a_link_that_nobody_records_leaves_the_cause_its_choice() {
    let (cx, parent) = remote_parent(1, "");
    let (unsampled, _) = remote_parent(0, "");
    let bench = traced(|| {
        let cause = info_span!("cause");
        let attached = unsampled.attach();
        info_span!("effect").follows_from(&cause);
        drop(attached);
        cause.set_parent(cx).unwrap();
    });
    assert_eq!(bench.find("cause").parent_span_id(), parent.span_id().to_string());
}

#[test]
fn a_child_through_the_api_settles_the_parent_recorded_or_not() {
    let (cx, _) = remote_parent(1, "");
    let (unsampled, _) = remote_parent(0, "");
    let bench = traced_with(
        |builder| builder,
        |bench| {
            for around in [Context::new(), unsampled] {
                let _attached = around.attach();
                let span = info_span!("server").entered();
                drop(bench.tracer.start("api"));
                assert_eq!(span.set_parent(cx.clone()), Err(SpanError::HasChildren));
            }
            // One that was told its context, or is only its parent by name.
            let span = info_span!("named");
            let named = span.context().unwrap();
            drop(bench.tracer.start_with_context("api of named", &named));
            assert_eq!(span.set_parent(cx.clone()), Err(SpanError::HasChildren));
            let span = info_span!("adopting");
            info_span!("adopted").set_parent(span.context().unwrap()).unwrap();
            assert_eq!(span.set_parent(cx), Err(SpanError::HasChildren));
        },
    );
    for (parent, child) in [("server", "api"), ("named", "api of named"), ("adopting", "adopted")] {
        let (parent, child) = (bench.find(parent), bench.find(child));
        assert_eq!(child.parent_span_id(), parent.span_id());
        assert_eq!(child.trace_id(), parent.trace_id());
    }
}

#[test]
fn a_child_on_a_thread_that_has_only_the_context_settles_the_parent() {
    let (cx, _) = remote_parent(1, "");
    let bench = traced(|| {
        let span = info_span!("server").entered();
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let child =
            move || tracing::dispatcher::with_default(&dispatch, || drop(info_span!("child")));
        otlp_sdk::context::spawn_thread(child).join().unwrap();
        assert_eq!(span.set_parent(cx), Err(SpanError::HasChildren));
    });
    let (server, child) = (bench.find("server"), bench.find("child"));
    assert_eq!(child.parent_span_id(), server.span_id());
    assert_eq!(child.trace_id(), server.trace_id());
}

#[test]
fn a_span_that_something_links_to_keeps_its_ids() {
    let (cx, _) = remote_parent(1, "");
    let bench = traced(|| {
        let (cause, other) = (info_span!("cause"), info_span!("other"));
        let span = info_span!("effect");
        span.follows_from(&cause);
        span.add_link(other.span_context().unwrap()).unwrap();
        assert_eq!(cause.set_parent(cx.clone()), Err(SpanError::HasChildren));
        assert_eq!(other.set_parent(cx.clone()), Err(SpanError::HasChildren));
        span.set_parent(cx).unwrap();
    });
    let links = bench.find("effect").span.links;
    for (link, name) in links.iter().zip(["cause", "other"]) {
        let linked: String = link.trace_id.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(linked, bench.find(name).trace_id());
    }
    assert_eq!(links.len(), 2);
}

#[test]
fn what_does_not_depend_on_its_ids_leaves_a_span_its_choice() {
    let (cx, parent) = remote_parent(1, "");
    let bench = traced_with(
        |builder| builder,
        |bench| {
            let span = info_span!("server");
            span.in_scope(|| info!("inside"));
            let entered = span.entered();
            let (told, attached) = (entered.context().unwrap(), Context::current());
            assert_eq!(told.span().span_context(), attached.span().span_context());
            drop(told.attach());
            drop(bench.tracer.start_with_context("elsewhere", &Context::new()));
            tracing::Span::current().set_parent(cx).unwrap();
        },
    );
    assert_eq!(bench.find("server").parent_span_id(), parent.span_id().to_string());
}
