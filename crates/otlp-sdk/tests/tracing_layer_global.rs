//! Under a global subscriber `tracing` also passes on what is used within its own callbacks: spans and
//! events in the `Debug` of a field reach the layer while it is at work.

#![cfg(feature = "tracing")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

mod trace_support;

use std::fmt;

use otlp_sdk::tracing_layer::{OtelSpanExt as _, SpanError, TracingLayer};
use tracing::{info, info_span};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::trace_support::{Bench, remote_parent};

/// Uses `tracing` while it is formatted, `.0` levels deep.
struct Nosy(u32);

impl fmt::Debug for Nosy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(next) = self.0.checked_sub(1) {
            info_span!("inner", field = ?Self(next))
                .in_scope(|| info!(field = ?Self(next), "told"));
        }
        f.write_str("nosy")
    }
}

#[test]
fn a_value_may_use_tracing_while_it_is_recorded() {
    let bench = Bench::new();
    let filter: Targets = "trace,left_out=off".parse().unwrap();
    let layer = TracingLayer::new(&bench.provider).with_filter(filter);
    // Another layer wants what this one leaves out.
    let other = tracing_subscriber::layer::Identity::new();
    tracing_subscriber::registry().with(layer).with(other).init();

    info_span!("outer", field = ?Nosy(1)).in_scope(|| info!(field = ?Nosy(1), "event"));
    let outer = bench.find("outer");
    assert_eq!(outer.attribute_text("field").as_deref(), Some("nosy"));
    assert_eq!(outer.span.events.len(), 1);
    let spans = bench.spans();
    let inner: Vec<_> = spans.iter().filter(|span| span.name() == "inner").collect();
    assert_eq!(inner.len(), 2);
    // The one in the span's own field was started before the span was entered.
    assert_eq!(inner[0].parent_span_id(), "");
    assert_eq!(inner[1].parent_span_id(), outer.span_id());
    assert!(inner.iter().all(|span| span.span.events.len() == 1));

    // One in one in one …: it ends, and the application goes on.
    info_span!("deep", field = ?Nosy(12)).in_scope(|| info!(field = ?Nosy(12), "event"));
    let deep = bench.find("deep");
    assert_eq!(deep.attribute_text("field").as_deref(), Some("nosy"));
    assert_eq!(deep.span.events.len(), 1);
    assert!(bench.spans().len() < 50);
    assert_eq!(bench.ledger().panics, 0);

    // The only layer of the process is called straight, also through a filter.
    let (cx, parent) = remote_parent(1, "");
    let server = info_span!("server");
    server.set_parent(cx).unwrap();
    server.set_attribute("set", 1).unwrap();
    assert_eq!(server.span_context().unwrap().trace_id(), parent.trace_id());
    drop(server);
    let record = bench.find("server");
    assert_eq!(record.parent_span_id(), parent.span_id().to_string());
    assert_eq!(record.attribute_text("set").as_deref(), Some("1"));
    let left_out = info_span!(target: "left_out", "left out");
    assert_eq!(left_out.set_attribute("set", 1), Err(SpanError::NotFound));
}
