//! The pipeline of a row, and its text in the Go collector's YAML.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::spans::{EDITED, Edit, RESOURCE_KEY, SPAN_KEY};

/// A pipeline between a load generator and a sink.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Setup {
    /// Where gRPC is received, on 127.0.0.1.
    pub grpc_port: u16,
    /// Where HTTP is received.
    pub http_port: u16,
    /// Where the sink listens.
    pub sink_port: u16,
    /// What is changed on the way.
    pub edit: Edit,
    /// Whether the exporter compresses with gzip.
    pub gzip_out: bool,
    /// The memory limiter's limit, if there is one.
    pub limit_mib: Option<u32>,
}

impl Setup {
    /// How long an export may take. Behind a slow sink, longer than all requests that wait there.
    #[must_use]
    pub fn export_timeout(&self) -> Duration {
        Duration::from_secs(if self.limit_mib.is_some() { 120 } else { 10 })
    }

    /// The configuration of a collector.
    pub(super) fn yaml(&self) -> String {
        let Self { grpc_port, http_port, sink_port, .. } = self;
        let compression = if self.gzip_out { "gzip" } else { "none" };
        let (processors, order) = self.processors();
        format!(
            "\
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{grpc_port}
      http:
        endpoint: 127.0.0.1:{http_port}
processors:
{processors}\
exporters:
  otlp:
    endpoint: 127.0.0.1:{sink_port}
    compression: {compression}
    timeout: {timeout}s
    tls:
      insecure: true
service:
  telemetry:
    logs:
      level: error
    metrics:
      level: none
  pipelines:
    traces:
      receivers: [otlp]
      processors: [{order}]
      exporters: [otlp]
",
            timeout = self.export_timeout().as_secs(),
            order = order.join(", "),
        )
    }

    fn processors(&self) -> (String, Vec<&'static str>) {
        let (mut text, mut order) = (String::new(), Vec::new());
        if let Some(limit) = self.limit_mib {
            text.push_str(&memory_limiter(limit));
            order.push("memory_limiter");
        }
        if let Some((name, key, action)) = match self.edit {
            Edit::None => None,
            Edit::ResourceInsert => Some(("resource", RESOURCE_KEY, "insert")),
            Edit::AttributeUpsert => Some(("attributes", SPAN_KEY, "upsert")),
        } {
            let list = if name == "resource" { "attributes" } else { "actions" };
            text.push_str(&format!(
                "  {name}:\n    {list}:\n      - key: {key}\n        value: {EDITED}\n        action: {action}\n"
            ));
            order.push(name);
        }
        text.push_str(BATCH);
        order.push("batch");
        (text, order)
    }
}

fn memory_limiter(limit: u32) -> String {
    let spike = limit / 4;
    format!(
        "  memory_limiter:\n    check_interval: 100ms\n    limit_mib: {limit}\n    spike_limit_mib: {spike}\n"
    )
}

const BATCH: &str = "  batch:\n    send_batch_size: 8192\n    timeout: 200ms\n";

#[cfg(test)]
mod tests {
    use otlp_collector::config::{Config, Source};
    use otlp_collector::receivers::otlp::OtlpSettings;

    use super::*;

    #[test]
    fn the_text_is_a_configuration_with_everything_that_the_row_needs() {
        for (edit, processors) in [
            (Edit::None, vec!["memory_limiter", "batch"]),
            (Edit::ResourceInsert, vec!["memory_limiter", "resource", "batch"]),
            (Edit::AttributeUpsert, vec!["memory_limiter", "attributes", "batch"]),
        ] {
            let setup = Setup {
                grpc_port: 1,
                http_port: 2,
                sink_port: 3,
                edit,
                gzip_out: true,
                limit_mib: Some(128),
            };
            let config = Config::load(&[Source::Yaml(setup.yaml())]).unwrap();
            let names: Vec<_> =
                config.settings.processors.iter().map(|one| one.id.to_string()).collect();
            assert_eq!(names.len(), processors.len());
            assert!(processors.iter().all(|name| names.iter().any(|one| one == name)), "{names:?}");
            let otlp: OtlpSettings = config.settings.receivers[0].settings.read().unwrap();
            assert_eq!(otlp.protocols.grpc.unwrap().endpoint, "127.0.0.1:1");
            assert_eq!(otlp.protocols.http.unwrap().endpoint, "127.0.0.1:2");
        }
    }
}
