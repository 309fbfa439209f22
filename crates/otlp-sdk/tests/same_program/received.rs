//! What a server has received, in a form that compares.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::logs::v1::ScopeLogs;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{NumberDataPoint, ScopeMetrics};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::{ScopeSpans, Span};
use otlp_testing::{Message, Server};

/// What a server has received, in a form that compares.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Received {
    pub(crate) resources: Vec<Resource>,
    pub(crate) spans: Vec<ScopeSpans>,
    pub(crate) logs: Vec<ScopeLogs>,
    pub(crate) metrics: Vec<ScopeMetrics>,
}

impl Received {
    pub(crate) fn from(server: &Server) -> Self {
        assert_eq!(server.problems(), [""; 0]);
        let mut received = Self::default();
        for request in server.requests() {
            received.take(request.message.clone());
        }
        let names = received.names_of_ids();
        received.normalise_spans(&names);
        received.normalise_logs(&names);
        received.normalise_metrics();
        received.resources.dedup();
        received
    }

    fn take(&mut self, message: Message) {
        match message {
            Message::Traces(request) => {
                for group in request.resource_spans {
                    self.resources.push(own(group.resource.unwrap()));
                    self.spans.extend(group.scope_spans);
                }
            }
            Message::Logs(request) => {
                for group in request.resource_logs {
                    self.resources.push(own(group.resource.unwrap()));
                    self.logs.extend(group.scope_logs);
                }
            }
            Message::Metrics(request) => {
                for group in request.resource_metrics {
                    self.resources.push(own(group.resource.unwrap()));
                    self.metrics.extend(group.scope_metrics);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    /// What each generated id stands for: a span, or the trace of a root.
    fn names_of_ids(&self) -> HashMap<Vec<u8>, Vec<u8>> {
        let spans = || self.spans.iter().flat_map(|scope| &scope.spans);
        let name = |span: &Span| span.name.clone().into_bytes();
        let roots = spans().filter(|span| span.parent_span_id.is_empty());
        let traces = roots.map(|span| (span.trace_id.clone(), name(span)));
        traces.chain(spans().map(|span| (span.span_id.clone(), name(span)))).collect()
    }

    /// One group per span, in an order that both have, with names for ids.
    fn normalise_spans(&mut self, names: &HashMap<Vec<u8>, Vec<u8>>) {
        let mut single = Vec::new();
        for group in std::mem::take(&mut self.spans) {
            for mut span in group.spans.clone() {
                assert!(0 < span.start_time_unix_nano);
                assert!(span.start_time_unix_nano <= span.end_time_unix_nano);
                (span.start_time_unix_nano, span.end_time_unix_nano) = (0, 0);
                rename(&mut span.trace_id, names);
                rename(&mut span.span_id, names);
                rename(&mut span.parent_span_id, names);
                for link in &mut span.links {
                    rename(&mut link.trace_id, names);
                    rename(&mut link.span_id, names);
                }
                for event in &mut span.events {
                    event.time_unix_nano = 0;
                    sort(&mut event.attributes);
                }
                sort(&mut span.attributes);
                // A status of nothing says what none says.
                span.status = span.status.filter(|status| status.code != 0);
                single.push(ScopeSpans { spans: vec![span], ..group.clone() });
            }
        }
        single.sort_by_key(|group| format!("{:?}", group.spans));
        self.spans = single;
    }

    fn normalise_logs(&mut self, names: &HashMap<Vec<u8>, Vec<u8>>) {
        let mut single = Vec::new();
        for group in std::mem::take(&mut self.logs) {
            for mut record in group.log_records.clone() {
                assert!(record.observed_time_unix_nano > 0);
                record.observed_time_unix_nano = 0;
                record.time_unix_nano = record.time_unix_nano.min(1);
                rename(&mut record.trace_id, names);
                rename(&mut record.span_id, names);
                sort(&mut record.attributes);
                single.push(ScopeLogs { log_records: vec![record], ..group.clone() });
            }
        }
        single.sort_by_key(|group| format!("{:?}", group.log_records));
        self.logs = single;
    }

    fn normalise_metrics(&mut self) {
        for metric in self.metrics.iter_mut().flat_map(|scope| &mut scope.metrics) {
            match metric.data.as_mut().unwrap() {
                Data::Gauge(gauge) => normalise_points(&mut gauge.data_points),
                Data::Sum(sum) => normalise_points(&mut sum.data_points),
                Data::Histogram(histogram) => {
                    for point in &mut histogram.data_points {
                        assert!(point.time_unix_nano >= point.start_time_unix_nano);
                        (point.time_unix_nano, point.start_time_unix_nano) = (0, 0);
                        sort(&mut point.attributes);
                    }
                    histogram.data_points.sort_by_key(|point| format!("{:?}", point.attributes));
                }
                Data::ExponentialHistogram(histogram) => {
                    for point in &mut histogram.data_points {
                        assert!(point.time_unix_nano >= point.start_time_unix_nano);
                        (point.time_unix_nano, point.start_time_unix_nano) = (0, 0);
                        sort(&mut point.attributes);
                    }
                    histogram.data_points.sort_by_key(|point| format!("{:?}", point.attributes));
                }
                other => panic!("{other:?}"),
            }
        }
        for scope in &mut self.metrics {
            scope.metrics.sort_by(|a, b| a.name.cmp(&b.name));
        }
    }
}

fn normalise_points(points: &mut [NumberDataPoint]) {
    for point in points.iter_mut() {
        assert!(point.time_unix_nano >= point.start_time_unix_nano);
        (point.time_unix_nano, point.start_time_unix_nano) = (0, 0);
        sort(&mut point.attributes);
    }
    points.sort_by_key(|point| format!("{:?}", point.attributes));
}

/// Without what it says of the SDK.
fn own(mut resource: Resource) -> Resource {
    resource.attributes.retain(|attribute| !attribute.key.starts_with("telemetry.sdk."));
    resource
}

fn rename(id: &mut Vec<u8>, names: &HashMap<Vec<u8>, Vec<u8>>) {
    if let Some(name) = names.get(id) {
        id.clone_from(name);
    }
}

fn sort(attributes: &mut [KeyValue]) {
    attributes.sort_by(|a, b| a.key.cmp(&b.key));
}
