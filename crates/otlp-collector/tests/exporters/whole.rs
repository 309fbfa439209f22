//! A collector with these exporters, from the official SDK to a server made of the official crates.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _};
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_collector::admission::Budget;
use otlp_collector::component::{BoxError, BoxFuture, Extension, Host, Running};
use otlp_collector::config::{Config, Source};
use otlp_collector::engine::{Blueprint, Collector, StartError};
use otlp_collector::registry::{Factory, Registry};
use otlp_core::Signal;
use otlp_core::export::{HeaderProvider, Headers};
use otlp_testing::{Message, Server};
use tokio::task::spawn_blocking;

use crate::support::soon;

/// Brings another token each time it is asked.
#[derive(Clone, Debug, Default)]
struct Tokens(Arc<AtomicUsize>);

impl Extension for Tokens {
    fn credentials(&self) -> Option<HeaderProvider> {
        let count = Arc::clone(&self.0);
        Some(HeaderProvider::new(move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            async move {
                let mut headers = Headers::new();
                headers.insert("authorization", format!("Bearer token-{number}"))?;
                Ok(headers)
            }
        }))
    }

    fn start<'a>(&'a self, _host: &'a Host) -> BoxFuture<'a, Result<Box<dyn Running>, BoxError>> {
        Box::pin(async { Ok(Box::new(self.clone()) as Box<dyn Running>) })
    }
}

impl Running for Tokens {}

async fn collector(yaml: &str) -> Result<Collector, StartError> {
    let mut registry = Registry::standard();
    registry.extensions.push(Factory::new(&["tokens"], |_, _| Ok(Box::new(Tokens::default()))));
    let config = Config::load_with(&[Source::Yaml(yaml.to_owned())], &|_| None)?;
    Blueprint::new(&config.settings, &registry)?.start(Budget::new(64 << 20)).await
}

/// Spans through the official SDK.
fn emit(endpoint: &str) {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint(endpoint).build().unwrap();
    let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    let tracer = provider.tracer("official");
    for at in 0..5 {
        drop(tracer.start(format!("span {at}")));
    }
    provider.shutdown().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_official_sdk_sends_arrives_everywhere_with_credentials() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.json");
    let (grpc, http) = (server.grpc_addr(), server.http_endpoint());
    let yaml = format!(
        "
extensions: {{tokens: }}
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}
exporters:
  otlp: {{endpoint: '{grpc}', tls: {{insecure: true}}, auth: {{authenticator: tokens}}}}
  otlphttp: {{endpoint: '{http}', auth: {{authenticator: tokens}}, encoding: json}}
  file: {{path: '{}'}}
  nop:
service:
  extensions: [tokens]
  pipelines: {{traces: {{receivers: [otlp], exporters: [otlp, otlphttp, file, nop]}}}}
",
        path.display()
    );
    let collector = collector(&yaml).await.unwrap();
    let endpoint = format!("http://{}", collector.listener("otlp", "grpc").unwrap());
    spawn_blocking(move || emit(&endpoint)).await.unwrap();
    let ledger = collector.stop(soon()).await;
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    let tokens: Vec<_> =
        requests.iter().map(|it| it.header("authorization").unwrap().to_owned()).collect();
    assert!(tokens.iter().all(|token| token.starts_with("Bearer token-")), "{tokens:?}");
    assert_ne!(tokens[0], tokens[1]);
    assert_eq!(requests[0].message, requests[1].message);
    assert_eq!(requests[0].items(), 5);
    let line = std::fs::read(&path).unwrap();
    let written = Message::decode_json(Signal::Traces, line.trim_ascii_end()).unwrap();
    assert_eq!(written, requests[0].message);
}

#[tokio::test]
async fn credentials_that_nobody_brings_are_no_start() {
    for auth in ["missing", "tokens"] {
        let yaml = format!(
            "
receivers: {{otlp: {{protocols: {{grpc: {{endpoint: '127.0.0.1:0'}}}}}}}}
exporters: {{otlp: {{endpoint: 'localhost:1', tls: {{insecure: true}}, auth: {{authenticator: {auth}}}}}}}
service: {{pipelines: {{traces: {{receivers: [otlp], exporters: [otlp]}}}}}}
"
        );
        let error = collector(&yaml).await.unwrap_err().to_string();
        let said = format!(
            "exporters::otlp::auth: no extension \"{auth}\" is started; name it in service::extensions"
        );
        assert!(error.starts_with("yaml::3:") && error.ends_with(&said), "{error}");
    }
}
