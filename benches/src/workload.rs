//! What both sides make: spans by one piece of code through the public API of `opentelemetry`,
//! log records by one through `tracing`, and one set of measurements.
//!
//! Everything here is generic over the tracer, so that each side is compiled for its own types,
//! as it would be in an application.

pub mod logs;
pub mod metrics;

use std::hint::black_box;

use opentelemetry::trace::{Span, TraceContextExt, Tracer};
use opentelemetry::{Context, Key, KeyValue};

/// What one unit of work is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Root spans with so many attributes, set one by one.
    Root {
        /// 0 to [`MAX_ATTRIBUTES`].
        attributes: usize,
    },
    /// Trees of ten spans (1 + 3 + 6), four attributes each, every span active while its
    /// children run.
    Tree,
}

/// Spans of one batch, as many as a request has by default.
pub const BATCH: usize = 512;

/// Most attributes that [`Work::Root`] can set.
pub const MAX_ATTRIBUTES: usize = KEYS.len() * 10;

/// Spans in one tree.
pub const TREE_SPANS: usize = 10;

/// Name of every span of [`Work::Root`].
pub const NAME: &str = "GET /users/{id}";

/// Makes `spans` spans and ends them. For trees, `spans` is rounded down to whole trees.
pub fn run<T>(tracer: &T, work: Work, spans: usize)
where
    T: Tracer,
    T::Span: Send + Sync + 'static,
{
    match work {
        Work::Root { attributes: 0 } => (0..spans).for_each(|_| root0(tracer)),
        Work::Root { attributes: 4 } => (0..spans).for_each(|i| root4(tracer, i)),
        Work::Root { attributes: 10 } => (0..spans).for_each(|i| root10(tracer, i)),
        Work::Root { attributes } => (0..spans).for_each(|i| root_many(tracer, i, attributes)),
        Work::Tree => (0..spans / TREE_SPANS).for_each(|i| tree(tracer, i)),
    }
}

fn root0<T: Tracer>(tracer: &T) {
    tracer.start(NAME).end();
}

fn root4<T: Tracer>(tracer: &T, i: usize) {
    let mut span = tracer.start(NAME);
    set_four(&mut span, i);
    span.end();
}

/// 4 strings, 3 integers, 2 floats, 1 boolean; static keys.
fn root10<T: Tracer>(tracer: &T, i: usize) {
    let mut span = tracer.start(NAME);
    set_four(&mut span, i);
    span.set_attribute(KeyValue::new("url.scheme", black_box("https")));
    span.set_attribute(KeyValue::new("client.port", scattered(i, 0x7fff)));
    span.set_attribute(KeyValue::new("http.request.body.size", scattered(i, 0xff_ffff)));
    span.set_attribute(KeyValue::new("app.queue.seconds", scattered(i, 0xffff) as f64 * 1e-7));
    span.set_attribute(KeyValue::new("app.cache.ratio", black_box(0.75_f64)));
    span.set_attribute(KeyValue::new("app.cached", black_box(i.is_multiple_of(3))));
    span.end();
}

fn set_four(span: &mut impl Span, i: usize) {
    span.set_attribute(KeyValue::new("http.request.method", black_box("GET")));
    span.set_attribute(KeyValue::new("http.route", black_box("/users/{id}")));
    span.set_attribute(KeyValue::new("server.address", address(i)));
    span.set_attribute(KeyValue::new("app.sequence", black_box(i as i64)));
}

/// One of eight.
#[must_use]
pub fn address(i: usize) -> &'static str {
    let [a, b, c, d, e, f, g, h] = ADDRESSES;
    match i % 8 {
        0 => a,
        1 => b,
        2 => c,
        3 => d,
        4 => e,
        5 => f,
        6 => g,
        _ => h,
    }
}

/// A number that differs from span to span, so that compression has real work.
#[must_use]
pub fn scattered(i: usize, mask: u64) -> i64 {
    ((i as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & mask) as i64
}

const ADDRESSES: [&str; 8] = [
    "users-0.example.com",
    "users-1.example.com",
    "users-2.example.com",
    "users-3.example.com",
    "users-4.example.com",
    "users-5.example.com",
    "users-6.example.com",
    "users-7.example.com",
];

fn root_many<T: Tracer>(tracer: &T, i: usize, attributes: usize) {
    let mut span = tracer.start(NAME);
    for key in MANY_KEYS.iter().take(attributes) {
        span.set_attribute(KeyValue::new(Key::from_static_str(key), black_box(i as i64)));
    }
    span.end();
}

fn tree<T>(tracer: &T, i: usize)
where
    T: Tracer,
    T::Span: Send + Sync + 'static,
{
    active(tracer, "request", i, || {
        for _ in 0..3 {
            active(tracer, "handler", i, || {
                active(tracer, "query", i, || {});
                active(tracer, "render", i, || {});
            });
        }
    });
}

/// What `in_span` does, with the attributes set before the span becomes the active one.
fn active<T>(tracer: &T, name: &'static str, i: usize, children: impl FnOnce())
where
    T: Tracer,
    T::Span: Send + Sync + 'static,
{
    let mut span = tracer.start(name);
    set_four(&mut span, i);
    let guard = Context::current_with_span(span).attach();
    children();
    drop(guard);
}

const KEYS: [&str; 10] =
    ["app.a", "app.b", "app.c", "app.d", "app.e", "app.f", "app.g", "app.h", "app.i", "app.j"];

/// The keys of [`root_many`]: a hundred, all different.
static MANY_KEYS: std::sync::LazyLock<Vec<&'static str>> = std::sync::LazyLock::new(|| {
    let keys = (0..10).flat_map(|n| KEYS.iter().map(move |key| format!("{key}{n}")));
    keys.map(|key| &*key.leak()).collect()
});

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use opentelemetry::Value;
    use opentelemetry::trace::SpanId;

    use super::*;
    use crate::peers::official::made;

    #[test]
    fn ten_attributes_are_four_strings_three_integers_two_floats_and_a_boolean() {
        let spans = made(Work::Root { attributes: 10 }, 3);
        assert_eq!(spans.len(), 3);
        let mut kinds = [0; 4];
        for attribute in &spans[0].attributes {
            match attribute.value {
                Value::String(_) => kinds[0] += 1,
                Value::I64(_) => kinds[1] += 1,
                Value::F64(_) => kinds[2] += 1,
                Value::Bool(_) => kinds[3] += 1,
                _ => panic!("unexpected {attribute:?}"),
            }
        }
        assert_eq!(kinds, [4, 3, 2, 1]);
        assert!(spans.iter().all(|span| span.parent_span_id == SpanId::INVALID));
    }

    #[test]
    fn attributes_of_one_span_have_different_keys() {
        for attributes in [0, 4, 10, 50, MAX_ATTRIBUTES] {
            let spans = made(Work::Root { attributes }, 1);
            let keys: HashSet<_> = spans[0].attributes.iter().map(|a| a.key.clone()).collect();
            assert_eq!(keys.len(), attributes);
        }
    }

    #[test]
    fn a_tree_is_one_trace_of_ten_spans_in_three_levels() {
        let spans = made(Work::Tree, 2 * TREE_SPANS);
        assert_eq!(spans.len(), 2 * TREE_SPANS);
        let traces: HashSet<_> = spans.iter().map(|s| s.span_context.trace_id()).collect();
        assert_eq!(traces.len(), 2);
        let children = |name: &str| spans.iter().filter(|span| span.name == name).count();
        assert_eq!((children("request"), children("handler"), children("query")), (2, 6, 6));
        let roots = spans.iter().filter(|s| s.parent_span_id == SpanId::INVALID).count();
        assert_eq!(roots, 2);
    }
}
