//! A provider whose metrics a test can read.

use std::collections::BTreeMap;
use std::time::Duration;

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, number_data_point};
use otlp_core::Signal;
use otlp_core::export::Env;
use otlp_exporter_http::HttpExporter;
use otlp_sdk::metrics::{MeterProvider, ReaderConfig};
use otlp_testing::{Message, Server};

/// A provider whose metrics a test can read.
pub(crate) struct Watched {
    /// Ends before its server.
    pub(crate) provider: MeterProvider,
    pub(crate) server: Server,
}

impl Watched {
    pub(crate) fn start() -> Self {
        let server = Server::start();
        let builder = HttpExporter::builder(Signal::Metrics).with_endpoint(server.http_endpoint());
        let exporter = builder.build_with(&Env::empty()).unwrap();
        let config = ReaderConfig::default().with_interval(Duration::from_secs(3600));
        let provider = MeterProvider::builder().with_exporter_config(exporter, config).build();
        Self { provider, server }
    }

    /// What the metrics say now: for each, by its attributes without the component's name, the value, or
    /// of a histogram the count.
    pub(crate) fn read(&self) -> BTreeMap<String, i64> {
        let metrics = self.metrics();
        metrics.iter().flat_map(|it| points(it.data.as_ref().unwrap(), &it.name)).collect()
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        self.server.clear();
        self.provider.force_flush().unwrap();
        let requests = self.server.requests();
        let Message::Metrics(request) = &requests.first().unwrap().message else { panic!() };
        let scopes = request.resource_metrics.iter().flat_map(|it| &it.scope_metrics);
        scopes.flat_map(|scope| scope.metrics.clone()).collect()
    }
}

fn points(data: &Data, name: &str) -> Vec<(String, i64)> {
    let key = |attributes: &[KeyValue]| format!("{name}{}", text(attributes));
    match data {
        Data::Sum(sum) => sum
            .data_points
            .iter()
            .map(|point| match point.value {
                Some(number_data_point::Value::AsInt(value)) => (key(&point.attributes), value),
                value => panic!("{value:?}"),
            })
            .collect(),
        Data::Histogram(data) => data
            .data_points
            .iter()
            .map(|point| (key(&point.attributes), i64::try_from(point.count).unwrap()))
            .collect(),
        data => panic!("{data:?}"),
    }
}

fn text(attributes: &[KeyValue]) -> String {
    let mut texts: Vec<_> = attributes
        .iter()
        .filter(|attribute| attribute.key != "otel.component.name")
        .map(|attribute| match attribute.value.as_ref().unwrap().value.as_ref().unwrap() {
            Value::StringValue(text) => format!(" {}={text}", attribute.key),
            Value::IntValue(int) => format!(" {}={int}", attribute.key),
            value => panic!("{value:?}"),
        })
        .collect();
    texts.sort();
    texts.concat()
}
