//! Collectors whose receivers are the test's own and whose exporters do what they are told, on a clock that the
//! tests turn.

mod account;
mod fit;
mod stop;

use std::sync::Arc;
use std::time::Duration;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span};
use otlp_core::export::{BoxedExporter, Deadline, ErrorKind, ExportError, Exporter as _, Outcome};
use otlp_core::{Payload, Signal};
use otlp_testing::ScriptedExporter;
use parking_lot::Mutex;
use prost::Message as _;

use super::blueprint::Named;
use super::*;
use crate::admission::Budget;
use crate::component::{BoxError, BoxFuture, Destination, Host, Receiver, Running};
use crate::config::{Config, ConfigError, Source};
use crate::consumer::{Batch, Consumers, SharedConsumer};
use crate::registry::Registry;
use crate::sending::{QueueSettings, RetrySettings, SendingSettings};

/// A receiver that hands the test what it was given.
#[derive(Clone, Debug, Default)]
struct Inlet(Arc<Mutex<Option<Consumers>>>);

impl Inlet {
    fn consumer(&self) -> SharedConsumer {
        let consumers = self.0.lock().clone().expect("the collector runs");
        Arc::clone(consumers.of(Signal::Traces).expect("there is a pipeline of traces"))
    }

    /// Brings spans with these names.
    async fn bring(&self, names: &[&str]) -> Outcome {
        self.consumer().consume(batch(names), Deadline::NEVER).await
    }
}

impl Receiver for Inlet {
    fn start<'a>(
        &'a self,
        _host: &'a Host,
        consumers: Consumers,
    ) -> BoxFuture<'a, Result<Box<dyn Running>, BoxError>> {
        *self.0.lock() = Some(consumers);
        Box::pin(async { Ok(Box::new(Open) as Box<dyn Running>) })
    }
}

#[derive(Debug)]
struct Open;

impl Running for Open {}

/// An exporter that does what it is told.
#[derive(Clone, Debug)]
struct Told {
    exporter: ScriptedExporter,
    has_queue: bool,
}

impl Destination for Told {
    fn open(&self, _host: &Host, _signal: Signal) -> Result<BoxedExporter, BoxError> {
        Ok(self.exporter.clone().boxed())
    }

    fn sending(&self) -> SendingSettings {
        let queue = QueueSettings { enabled: self.has_queue, ..QueueSettings::default() };
        let retry = RetrySettings { enabled: false, ..RetrySettings::default() };
        let timeout = 20 * SECOND;
        SendingSettings::default().with_queue(queue).with_retry(retry).with_timeout(timeout)
    }
}

/// A configuration whose receivers and exporters are replaced by those of the test. An exporter of the type
/// `debug` has a queue, one of the type `nop` has none.
struct Bench {
    inlet: Inlet,
    exporters: Vec<(String, ScriptedExporter)>,
    blueprint: Blueprint,
}

impl Bench {
    fn of(yaml: &str) -> Self {
        Self::try_of(yaml).unwrap()
    }

    fn try_of(yaml: &str) -> Result<Self, ConfigError> {
        let mut config = Config::load_with(&[Source::Yaml(yaml.to_owned())], &|_| None)?;
        let exporters = std::mem::take(&mut config.settings.exporters);
        let receivers = std::mem::take(&mut config.settings.receivers);
        let mut blueprint = Blueprint::new(&config.settings, &Registry::standard())?;
        let inlet = Inlet::default();
        for it in receivers {
            blueprint.receivers.push(Named { id: it.id, component: Box::new(inlet.clone()) });
        }
        let mut told = Vec::new();
        for it in exporters {
            let exporter = ScriptedExporter::new();
            told.push((it.id.to_string(), exporter.clone()));
            let has_queue = it.id.component_type() == "debug";
            let component = Box::new(Told { exporter, has_queue });
            blueprint.exporters.push(Named { id: it.id, component });
        }
        Ok(Self { inlet, exporters: told, blueprint })
    }

    fn exporter(&self, name: &str) -> &ScriptedExporter {
        &self.exporters.iter().find(|(id, _)| id == name).expect("it is configured").1
    }

    async fn start(&self) -> Collector {
        self.blueprint.start(Budget::new(1 << 20)).await.unwrap()
    }
}

fn batch(names: &[&str]) -> Batch {
    let span = |name: &&str| Span { name: (*name).to_owned(), ..Span::default() };
    let scope = ScopeSpans { spans: names.iter().map(span).collect(), ..ScopeSpans::default() };
    let resource = ResourceSpans { scope_spans: vec![scope], ..ResourceSpans::default() };
    let request = ExportTraceServiceRequest { resource_spans: vec![resource] };
    let payload = Payload::from_request(Signal::Traces, request.encode_to_vec()).unwrap();
    Batch::without_ticket(payload)
}

fn busy() -> Outcome {
    Outcome::retryable(ExportError::new(ErrorKind::HttpStatus(503), "busy"))
}

fn is_delivered(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { .. })
}

fn within(time: Duration) -> Deadline {
    Deadline::after(tokio::time::Instant::now().into_std(), time)
}

const SECOND: Duration = Duration::from_secs(1);
