//! `fastrace`, through its own API: its values are strings, so numbers are formatted.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use fastrace::Span;
use fastrace::collector::{Config, Reporter, SpanContext, SpanRecord};
use fastrace::local::LocalSpan;

use crate::subject::{Account, Failure, Progress, Subject};
use crate::workload::{NAME as SPAN_NAME, TREE_SPANS, Work, address, scattered};

/// What the results call this peer.
pub const NAME: &str = "fastrace 0.7";

/// Installs the process-wide reporter. There is one for all subjects.
#[must_use]
pub fn local() -> impl Subject {
    let progress = Arc::new(Progress::default());
    fastrace::set_reporter(Count(Arc::clone(&progress)), Config::default());
    Fastrace { progress }
}

struct Fastrace {
    progress: Arc<Progress>,
}

impl Subject for Fastrace {
    /// Roots have ten properties; trees are as the other side's.
    fn make(&self, work: Work, spans: usize) {
        match work {
            Work::Root { .. } => (0..spans).for_each(root10),
            Work::Tree => (0..spans / TREE_SPANS).for_each(tree),
        }
    }

    fn flush(&self) -> Result<(), Failure> {
        fastrace::flush();
        Ok(())
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }

    fn shutdown(&self, _timeout: Duration) -> Result<(), Failure> {
        self.flush()
    }

    fn account(&self) -> Option<Account> {
        None
    }
}

struct Count(Arc<Progress>);

impl Reporter for Count {
    fn report(&mut self, spans: Vec<SpanRecord>) {
        self.0.advance(spans.len(), 0);
    }
}

/// All properties in one call: set one by one, each would be a command of its own to the
/// collector, of which its queue holds 10,240.
fn root10(i: usize) {
    drop(Span::root(SPAN_NAME, SpanContext::random()).with_properties(|| {
        let [method, route, server, sequence] = four(i);
        [
            method,
            route,
            server,
            sequence,
            ("url.scheme", "https".into()),
            ("client.port", scattered(i, 0x7fff).to_string().into()),
            ("http.request.body.size", scattered(i, 0xff_ffff).to_string().into()),
            ("app.queue.seconds", (scattered(i, 0xffff) as f64 * 1e-7).to_string().into()),
            ("app.cache.ratio", 0.75_f64.to_string().into()),
            ("app.cached", if i.is_multiple_of(3) { "true" } else { "false" }.into()),
        ]
    }));
}

fn tree(i: usize) {
    let root = Span::root("request", SpanContext::random()).with_properties(|| four(i));
    let _active = root.set_local_parent();
    for _ in 0..3 {
        let _handler = local_span("handler", i);
        drop(local_span("query", i));
        drop(local_span("render", i));
    }
}

fn local_span(name: &'static str, i: usize) -> LocalSpan {
    LocalSpan::enter_with_local_parent(name).with_properties(|| four(i))
}

fn four(i: usize) -> [Property; 4] {
    [
        ("http.request.method", "GET".into()),
        ("http.route", "/users/{id}".into()),
        ("server.address", address(i).into()),
        ("app.sequence", i.to_string().into()),
    ]
}

type Property = (&'static str, Cow<'static, str>);
