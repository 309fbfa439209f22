//! The SDK's metrics about itself (semantic conventions, `otel.sdk.*`; rows O3 to O10): told by whichever
//! meter the application gives, read from the ledgers when that one collects. Nobody pays for them who
//! does not ask.

use std::collections::BTreeMap;
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Histogram, Meter};
use parking_lot::Mutex;

use crate::pipeline::{ERROR_TYPE, Observable, Pipeline, Progress, REJECTED};

/// Has `meter` tell how a pipeline does. A second time nothing more happens.
pub(crate) fn pipeline(meter: &Meter, pipeline: &Pipeline) {
    let observable = pipeline.observable();
    let Some((component_type, destination)) = observable.exporter() else { return };
    if observable.is_observed() {
        return;
    }
    let (signal, unit) = (observable.signal().convention_noun(), observable.signal().item_unit());
    let mut attributes = component(component_type).to_vec();
    attributes.extend(server(&destination));
    if !observable.tell_durations(durations(meter, OPERATION), attributes.clone()) {
        return;
    }
    let progress: Ask = Arc::new(observable.progress());
    processor(meter, &observable, &progress);

    let (name, at) = (format!("otel.sdk.exporter.{signal}.inflight"), Arc::clone(&progress));
    let base = attributes.clone();
    let _ = meter
        .i64_observable_up_down_counter(name)
        .with_unit(unit)
        .with_callback(move |it| {
            if let Some(progress) = at() {
                it.observe(signed(progress.in_flight()), &base);
            }
        })
        .build();
    let (name, at) = (format!("otel.sdk.exporter.{signal}.exported"), progress);
    let _ = meter
        .u64_observable_counter(name)
        .with_unit(unit)
        .with_callback(move |it| {
            let Some(progress) = at() else { return };
            it.observe(progress.ledger.delivered, &attributes);
            let rejected = std::iter::once((REJECTED, progress.ledger.rejected));
            let failed = progress.failed().map(|(reason, count)| (reason.name(), count));
            for (error, count) in rejected.chain(failed).filter(|(_, count)| *count > 0) {
                it.observe(count, &with_error(&attributes, error));
            }
        })
        .build();
}

/// The part that the conventions call a processor: what happens before an export begins. Metrics have none.
fn processor(meter: &Meter, observable: &Observable, progress: &Ask) {
    let component_type = observable.signal().processor_type(observable.is_simple());
    let Some(component_type) = component_type else { return };
    let (signal, unit) = (observable.signal().convention_noun(), observable.signal().item_unit());
    let attributes = component(component_type);
    let (name, at) = (format!("otel.sdk.processor.{signal}.processed"), Arc::clone(progress));
    let base = attributes.clone();
    let _ = meter
        .u64_observable_counter(name)
        .with_unit(unit)
        .with_callback(move |it| {
            let Some(progress) = at() else { return };
            it.observe(progress.tried(), &base);
            for (reason, count) in progress.refused().filter(|(_, count)| *count > 0) {
                it.observe(count, &with_error(&base, processor_error(reason.name())));
            }
        })
        .build();
    let (name, at) = (format!("otel.sdk.processor.{signal}.queue.size"), Arc::clone(progress));
    let base = attributes.clone();
    let _ = meter
        .i64_observable_up_down_counter(name)
        .with_unit(unit)
        .with_callback(move |it| {
            if let Some(progress) = at() {
                it.observe(signed(progress.queued()), &base);
            }
        })
        .build();
    // Without it the queue is bounded in bytes, which is not the unit of this metric (row O3).
    let Some(capacity) = observable.max_queue_size() else { return };
    let (name, at) = (format!("otel.sdk.processor.{signal}.queue.capacity"), Arc::clone(progress));
    let _ = meter
        .i64_observable_up_down_counter(name)
        .with_unit(unit)
        .with_callback(move |it| {
            if at().is_some() {
                it.observe(signed(capacity.get() as u64), &attributes);
            }
        })
        .build();
}

/// Where the durations of a reader's collections are told.
pub(crate) fn collections(meter: &Meter) -> (Histogram<f64>, [KeyValue; 2]) {
    (durations(meter, COLLECTION), component("periodic_metric_reader"))
}

/// How far the items of a pipeline have come, as long as it is there.
type Ask = Arc<dyn Fn() -> Option<Progress> + Send + Sync>;

fn durations(meter: &Meter, name: &'static str) -> Histogram<f64> {
    meter.f64_histogram(name).with_unit("s").with_boundaries(BOUNDARIES.to_vec()).build()
}

/// `otel.component.name` and `otel.component.type`. Names are numbered from 0 on for each type, so that
/// they are the same in every run of a program.
fn component(component_type: &'static str) -> [KeyValue; 2] {
    static NEXT: Mutex<BTreeMap<&str, u64>> = Mutex::new(BTreeMap::new());
    let mut all = NEXT.lock();
    let next = all.entry(component_type).or_default();
    let name = format!("{component_type}/{next}");
    *next += 1;
    [
        KeyValue::new("otel.component.name", name),
        KeyValue::new("otel.component.type", component_type),
    ]
}

/// `server.address` and `server.port`, where the destination is a URL.
fn server(destination: &str) -> Vec<KeyValue> {
    let Some((scheme, rest)) = destination.split_once("://") else { return Vec::new() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => (host, port.parse().ok()),
        _ => (authority, None),
    };
    let default = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Vec::new();
    }
    let port: Option<i64> = port.or(default);
    let address = KeyValue::new("server.address", host.to_owned());
    let port = port.map(|port| KeyValue::new("server.port", port));
    std::iter::once(address).chain(port).collect()
}

fn with_error(attributes: &[KeyValue], error: &'static str) -> Vec<KeyValue> {
    let error = KeyValue::new(ERROR_TYPE, error);
    attributes.iter().cloned().chain([error]).collect()
}

/// The conventions have a name of their own for one of our reasons.
fn processor_error(reason: &'static str) -> &'static str {
    if reason == "after_shutdown" { "already_shutdown" } else { reason }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

const OPERATION: &str = "otel.sdk.exporter.operation.duration";
const COLLECTION: &str = "otel.sdk.metric_reader.collection.duration";
/// In seconds: those that the conventions have for durations of requests.
const BOUNDARIES: [f64; 14] =
    [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(destination: &str) -> String {
        let show = |it: &KeyValue| format!("{}={}", it.key, it.value);
        server(destination).iter().map(show).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_server_is_what_the_url_says() {
        let local = "server.address=localhost server.port=4318";
        assert_eq!(text("http://localhost:4318/v1/traces"), local);
        assert_eq!(text("https://x.example/a:b?c=d:1"), "server.address=x.example server.port=443");
        assert_eq!(text("http://[::1]:4317"), "server.address=::1 server.port=4317");
        assert_eq!(text("http://[::1]"), "server.address=::1 server.port=80");
        assert_eq!(
            text("https://user:secret@x.example"),
            "server.address=x.example server.port=443"
        );
        assert_eq!([text("standard output"), text("file:///tmp/a")], ["", ""]);
    }

    #[test]
    fn components_of_a_type_are_numbered() {
        let names = [(); 3].map(|()| component("a_type_of_this_test")[0].value.to_string());
        assert_eq!(names, [0, 1, 2].map(|n| format!("a_type_of_this_test/{n}")));
    }
}
