//! The layer beside and behind other layers.

use std::io;
use std::sync::{Arc, Mutex};

use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt as _, Tracer as _};
use otlp_sdk::tracing_layer::{OtelSpanExt as _, SpanError, TracingLayer};
use tracing::{Dispatch, Subscriber, debug, debug_span, info, info_span};
use tracing_subscriber::filter::{EnvFilter, LevelFilter, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::{fmt, registry, reload};

use crate::trace_support::{Bench, remote_parent};

fn app() {
    info_span!("outer", field = 1).in_scope(|| {
        debug_span!("between").in_scope(|| {
            info_span!("inner").in_scope(|| {
                info!("told");
                debug!("whispered");
            });
        });
    });
}

fn run(subscriber: impl Subscriber + Send + Sync) {
    tracing::dispatcher::with_default(&Dispatch::new(subscriber), app);
}

#[derive(Clone, Default)]
struct Printed(Arc<Mutex<Vec<u8>>>);

impl Printed {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Printed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn beside_a_layer_that_prints_both_see_everything() {
    let (bench, printed) = (Bench::new(), Printed::default());
    let writer = printed.clone();
    let prints = fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    run(registry().with(prints).with(TracingLayer::new(&bench.provider)));
    assert_eq!(bench.names(), ["inner", "between", "outer"]);
    assert!(printed.text().contains("outer{field=1}:between:inner"), "{}", printed.text());
    assert_eq!(bench.find("inner").span.events.len(), 2);
}

#[test]
fn under_a_filter_children_belong_to_the_next_span_that_passes() {
    let bench = Bench::new();
    let filtered = TracingLayer::new(&bench.provider).with_filter(LevelFilter::INFO);
    run(registry().with(filtered));
    let (inner, outer) = (bench.find("inner"), bench.find("outer"));
    assert_eq!(bench.names(), ["inner", "outer"]);
    assert_eq!(inner.parent_span_id(), outer.span_id());
    assert_eq!(inner.span.events.len(), 1);
}

#[test]
fn filters_of_its_own_leave_other_layers_alone() {
    let (bench, printed) = (Bench::new(), Printed::default());
    let writer = printed.clone();
    let prints = fmt::layer().with_ansi(false).with_writer(move || writer.clone());
    let layer = TracingLayer::new(&bench.provider)
        .with_span_filter("info".parse().unwrap())
        .with_event_filter("debug,tracing_layer::set_ups=off".parse().unwrap());
    run(registry().with(layer).with(prints));
    let (inner, outer) = (bench.find("inner"), bench.find("outer"));
    assert_eq!(inner.parent_span_id(), outer.span_id());
    assert!(inner.span.events.is_empty());
    assert!(printed.text().contains("outer{field=1}:between:inner"), "{}", printed.text());
    assert!(printed.text().contains("whispered"));
}

#[test]
fn rust_log_turns_spans_off_for_everyone() {
    let bench = Bench::new();
    run(registry().with(EnvFilter::new("info")).with(TracingLayer::new(&bench.provider)));
    assert_eq!(bench.names(), ["inner", "outer"]);
}

#[test]
fn boxed_optional_and_several_of_them() {
    let (first, second) = (Bench::new(), Bench::new());
    let boxed = TracingLayer::new(&first.provider).boxed();
    let some = Some(TracingLayer::new(&second.provider));
    run(registry().with(boxed).with(some).with(None::<TracingLayer>));
    for bench in [&first, &second] {
        let (inner, between) = (bench.find("inner"), bench.find("between"));
        assert_eq!(bench.names(), ["inner", "between", "outer"]);
        assert_eq!(inner.parent_span_id(), between.span_id());
        assert_eq!(between.parent_span_id(), bench.find("outer").span_id());
        assert_eq!(inner.span.events.len(), 2);
    }
    assert_ne!(first.find("outer").trace_id(), second.find("outer").trace_id());
}

#[test]
fn the_extension_reaches_every_copy() {
    let (first, second) = (Bench::new(), Bench::new());
    let subscriber = registry()
        .with(TracingLayer::new(&first.provider))
        .with(TracingLayer::new(&second.provider));
    let (cx, parent) = remote_parent(1, "");
    tracing::subscriber::with_default(subscriber, || {
        let span = info_span!("server");
        span.set_parent(cx).unwrap();
        span.set_attribute("set", true).unwrap();
        span.in_scope(|| drop(info_span!("child")));
    });
    for bench in [&first, &second] {
        let server = bench.find("server");
        assert_eq!(server.parent_span_id(), parent.span_id().to_string());
        assert_eq!(server.attribute_text("set").as_deref(), Some("true"));
        assert_eq!(bench.find("child").parent_span_id(), server.span_id());
    }
}

#[test]
fn the_extension_works_behind_reload_and_filters() {
    let (cx, parent) = remote_parent(1, "");
    let bench = Bench::new();
    let layer = TracingLayer::new(&bench.provider);
    let filtered = layer.with_filter(filter_fn(|metadata| metadata.name() != "left out"));
    let (reloaded, _handle) = reload::Layer::new(filtered);
    let subscriber = registry().with(fmt::layer().with_writer(io::sink)).with(reloaded);
    tracing::subscriber::with_default(subscriber, || {
        let span = info_span!("server");
        span.set_parent(cx).unwrap();
        let inside = span.context().unwrap();
        assert_eq!(inside.span().span_context().trace_id(), parent.trace_id());
        // Nothing of it lies about for another span.
        let left_out = info_span!("left out");
        assert_eq!(left_out.set_parent(Context::new()), Err(SpanError::NotFound));
    });
    assert_eq!(bench.names(), ["server"]);
    assert_eq!(bench.find("server").parent_span_id(), parent.span_id().to_string());
}

#[test]
fn a_layer_can_be_put_in_while_spans_are_open() {
    let bench = Bench::new();
    let (layer, handle) = reload::Layer::new(None::<TracingLayer>);
    tracing::subscriber::with_default(registry().with(layer), || {
        let before = info_span!("before").entered();
        handle.reload(Some(TracingLayer::new(&bench.provider))).unwrap();
        info_span!("inside").in_scope(|| info!("event"));
        before.record("nothing", 1);
        drop(before);
        info_span!("after").in_scope(|| {});
    });
    assert_eq!(bench.names(), ["inside", "after"]);
    assert_eq!(bench.find("inside").parent_span_id(), "");
}

#[test]
fn a_scope_can_be_set() {
    let bench = Bench::new();
    let scope = opentelemetry::InstrumentationScope::builder("mine").with_version("2").build();
    let layer = TracingLayer::new(&bench.provider).with_scope(scope);
    assert!(format!("{layer:?}").starts_with("TracingLayer"));
    run(registry().with(layer));
    let record = bench.find("inner");
    assert_eq!((record.scope.name.as_str(), record.scope.version.as_str()), ("mine", "2"));
}

/// The layer is the last to hold a provider that has lost something, so it has something to say when
/// it goes, while `reload` holds its lock.
#[test]
fn a_layer_that_takes_its_provider_with_it_does_not_hold_up_reload() {
    use otlp_core::export::{ErrorKind, ExportError, Outcome};
    use otlp_sdk::BatchConfig;
    use otlp_sdk::trace::TracerProvider;
    use otlp_testing::ScriptedExporter;

    let exporter = ScriptedExporter::new();
    let refused = ExportError::new(ErrorKind::HttpStatus(400), "refused");
    exporter.respond_with([Outcome::permanent(refused).into()]);
    let provider = TracerProvider::builder()
        .with_batch_exporter_config(exporter.clone(), BatchConfig::default())
        .build();
    let (layer, handle) = reload::Layer::new(Some(TracingLayer::new(&provider)));
    drop(provider);
    tracing::subscriber::with_default(registry().with(layer), || {
        let open = info_span!("open").entered();
        handle.reload(None).unwrap();
        drop(open);
    });
    assert_eq!(exporter.exports(), 1, "the open span has ended with the layer");
}

#[test]
fn spans_after_a_layer_that_went_within_its_span_are_roots() {
    for takes_over in [true, false] {
        let bench = Bench::new();
        let (layer, handle) = reload::Layer::new(Some(TracingLayer::new(&bench.provider)));
        tracing::subscriber::with_default(registry().with(layer), || {
            let outer = info_span!("outer").entered();
            let inner = info_span!("inner").entered();
            handle.reload(takes_over.then(|| TracingLayer::new(&bench.provider))).unwrap();
            drop(bench.tracer.start("of the API, inside"));
            drop(info_span!("inside"));
            drop((inner, outer));
            drop(bench.tracer.start("of the API, after"));
            info_span!("after").in_scope(|| drop(bench.tracer.start("child")));
            drop(info_span!("at last"));
        });
        assert!(!Context::current().span().span_context().is_valid());
        let mut roots = vec!["of the API, inside", "of the API, after"];
        if takes_over {
            roots.extend(["inside", "after", "at last"]);
            assert_eq!(bench.find("child").parent_span_id(), bench.find("after").span_id());
        }
        for root in roots {
            assert_eq!(bench.find(root).parent_span_id(), "", "{root}, {takes_over}");
        }
    }
}

/// The thread that is in the span is not the one that takes the layer out.
#[test]
fn a_thread_whose_layer_was_taken_out_elsewhere_leaves_its_span() {
    let bench = Bench::new();
    let (layer, handle) = reload::Layer::new(Some(TracingLayer::new(&bench.provider)));
    tracing::subscriber::with_default(registry().with(layer), || {
        let outer = info_span!("outer").entered();
        let inner = info_span!("inner").entered();
        let next = Some(TracingLayer::new(&bench.provider));
        std::thread::spawn(move || handle.reload(next).unwrap()).join().unwrap();
        drop(info_span!("inside"));
        drop((inner, outer));
        drop(bench.tracer.start("of the API"));
        drop(info_span!("after"));
    });
    for root in ["inside", "of the API", "after"] {
        assert_eq!(bench.find(root).parent_span_id(), "", "{root}");
    }
}

/// Of two layers, the one that stays keeps its spans.
#[test]
fn the_spans_of_a_layer_that_stays_are_kept() {
    let (goes, stays) = (Bench::new(), Bench::new());
    let (layer, handle) = reload::Layer::new(Some(TracingLayer::new(&goes.provider)));
    let subscriber = registry().with(layer).with(TracingLayer::new(&stays.provider));
    tracing::subscriber::with_default(subscriber, || {
        let outer = info_span!("outer").entered();
        handle.reload(None).unwrap();
        info_span!("inner").in_scope(|| ());
        drop(stays.tracer.start("of the API"));
        drop(outer);
        drop(info_span!("after"));
    });
    let outer = stays.find("outer");
    assert_eq!(stays.find("inner").parent_span_id(), outer.span_id());
    assert_eq!(stays.find("of the API").parent_span_id(), outer.span_id());
    assert_eq!(stays.find("after").parent_span_id(), "");
}
