//! A collector inside an application, put together in code.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use otlp_core::export::{BoxedExporter, Deadline, ExportError, Exporter, Outcome};
use otlp_core::{Payload, Signal};

use crate::admission::Budget;
use crate::component::{BoxError, Destination, Host, Processor, Receiver};
use crate::config::{ComponentId, ConfigError, PipelineId, PipelineSettings};
use crate::engine::{Blueprint, Collector, Named, StartError};
use crate::sending::SendingSettings;

/// A way through a collector: see [`builder`](Self::builder).
#[derive(Clone, Copy, Debug)]
pub struct Pipeline;

impl Pipeline {
    /// One pipeline for each signal, all of them with the same components, to run inside an application.
    ///
    /// For more than that (several pipelines of a signal, connectors, extensions) there is
    /// [`Blueprint::new`], which takes what the [configuration](crate::config) says.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    ///
    /// use otlp_collector::exporters::NopExporter;
    /// use otlp_collector::pipeline::Pipeline;
    /// use otlp_collector::receivers::otlp::{OtlpReceiver, OtlpSettings};
    /// use otlp_collector::sending::SendingSettings;
    /// use otlp_core::export::Deadline;
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let collector = Pipeline::builder()
    ///     .receiver("otlp", OtlpReceiver::new(OtlpSettings::on_free_ports()))
    ///     .export_with("backend", NopExporter, SendingSettings::default())
    ///     .start()
    ///     .await?;
    /// println!("send OTLP over gRPC to {:?}", collector.listener("otlp", "grpc"));
    /// let ledger = collector.stop(Deadline::after(Instant::now(), Duration::from_secs(5))).await;
    /// assert_eq!(ledger.unaccounted(), 0);
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder() -> PipelineBuilder {
        PipelineBuilder::default()
    }
}

/// Puts a collector together, component by component: from [`Pipeline::builder`].
#[derive(Debug)]
#[must_use = "it does nothing before it is started"]
pub struct PipelineBuilder {
    signals: Vec<Signal>,
    budget: Budget,
    receivers: Vec<Named<dyn Receiver>>,
    processors: Vec<Named<dyn Processor>>,
    exporters: Vec<Named<dyn Destination>>,
    /// The first name that is none.
    problem: Option<ConfigError>,
}

impl Default for PipelineBuilder {
    fn default() -> Self {
        Self {
            signals: Signal::ALL.to_vec(),
            budget: Budget::of_this_process(),
            receivers: Vec::new(),
            processors: Vec::new(),
            exporters: Vec::new(),
            problem: None,
        }
    }
}

impl PipelineBuilder {
    /// Which signals it takes. Default: all.
    pub fn signals(mut self, signals: impl IntoIterator<Item = Signal>) -> Self {
        self.signals.clear();
        for signal in signals {
            if !self.signals.contains(&signal) {
                self.signals.push(signal);
            }
        }
        self
    }

    /// How many bytes may be in it at once. Default [`Budget::of_this_process`].
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Adds a receiver, by a name such as `otlp` or `otlp/internal`.
    pub fn receiver(mut self, name: &str, receiver: impl Receiver + 'static) -> Self {
        if let Some(id) = self.id(name) {
            self.receivers.push(Named { id, component: Box::new(receiver) });
        }
        self
    }

    /// Adds a processor behind those that are there.
    pub fn processor(mut self, name: &str, processor: impl Processor + 'static) -> Self {
        if let Some(id) = self.id(name) {
            self.processors.push(Named { id, component: Box::new(processor) });
        }
        self
    }

    /// Adds an exporter: everything goes to each of them.
    pub fn exporter(mut self, name: &str, exporter: impl Destination + 'static) -> Self {
        if let Some(id) = self.id(name) {
            self.exporters.push(Named { id, component: Box::new(exporter) });
        }
        self
    }

    /// Adds an exporter of any kind, such as one of the application's own, and how it is sent to.
    pub fn export_with(
        self,
        name: &str,
        exporter: impl Exporter,
        sending: SendingSettings,
    ) -> Self {
        let (exporter, users) = (exporter.boxed(), Arc::default());
        self.exporter(name, Given { exporter, users, sending })
    }

    /// Checks that everything fits together, without opening anything.
    ///
    /// # Errors
    ///
    /// A name is none, or is there twice; there is no receiver, no exporter, no signal.
    pub fn build(self) -> Result<Blueprint, ConfigError> {
        self.checked().map(|(blueprint, _)| blueprint)
    }

    /// Starts it, on the Tokio runtime that this is called on, which needs I/O and time.
    ///
    /// # Errors
    ///
    /// As for [`build`](Self::build), or a component cannot have what it needs, such as its address.
    pub async fn start(self) -> Result<Collector, StartError> {
        let (blueprint, budget) = self.checked()?;
        blueprint.start(budget).await
    }

    fn checked(self) -> Result<(Blueprint, Budget), ConfigError> {
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        let receivers = names("receiver", &self.receivers, 1)?;
        let processors = names("processor", &self.processors, 0)?;
        let exporters = names("exporter", &self.exporters, 1)?;
        if self.signals.is_empty() {
            return Err(ConfigError::new("there is no signal; at least one is needed"));
        }
        let pipeline = |signal: &Signal| PipelineSettings {
            id: PipelineId::of(*signal),
            receivers: receivers.clone(),
            processors: processors.clone(),
            exporters: exporters.clone(),
            origin: None,
        };
        let pipelines = self.signals.iter().map(pipeline).collect();
        let blueprint =
            Blueprint::of_parts(self.receivers, self.processors, self.exporters, pipelines)?;
        Ok((blueprint, self.budget))
    }

    fn id(&mut self, name: &str) -> Option<ComponentId> {
        match name.parse() {
            Ok(id) => Some(id),
            Err(error) => {
                self.problem.get_or_insert(error);
                None
            }
        }
    }
}

/// The names of components, each of which is there once.
fn names<C: ?Sized>(
    what: &str,
    all: &[Named<C>],
    least: usize,
) -> Result<Vec<ComponentId>, ConfigError> {
    let mut ids: Vec<ComponentId> = Vec::new();
    for Named { id, .. } in all {
        if ids.contains(id) {
            return Err(ConfigError::new(format!("{what} \"{id}\" is there twice")));
        }
        ids.push(id.clone());
    }
    if ids.len() < least {
        return Err(ConfigError::new(format!("there is no {what}; one is needed")));
    }
    Ok(ids)
}

/// An exporter that is there already, and that all signals share.
#[derive(Debug)]
struct Given {
    exporter: BoxedExporter,
    users: Arc<AtomicUsize>,
    sending: SendingSettings,
}

impl Destination for Given {
    fn open(&self, _host: &Host, _signal: Signal) -> Result<BoxedExporter, BoxError> {
        self.users.fetch_add(1, Ordering::Relaxed);
        let (exporter, users) = (self.exporter.clone(), Arc::clone(&self.users));
        Ok(Share { exporter, users, has_ended: AtomicBool::new(false) }.boxed())
    }

    fn sending(&self) -> SendingSettings {
        self.sending.clone()
    }
}

/// The exporter as one signal sees it: it ends with the last of them.
#[derive(Debug)]
struct Share {
    exporter: BoxedExporter,
    users: Arc<AtomicUsize>,
    has_ended: AtomicBool,
}

impl Exporter for Share {
    async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
        self.exporter.export(payload, deadline).await
    }

    async fn force_flush(&self, deadline: Deadline) -> Result<(), ExportError> {
        self.exporter.force_flush(deadline).await
    }

    async fn shutdown(&self, deadline: Deadline) -> Result<(), ExportError> {
        if self.has_ended.swap(true, Ordering::AcqRel)
            || self.users.fetch_sub(1, Ordering::AcqRel) > 1
        {
            return Ok(());
        }
        self.exporter.shutdown(deadline).await
    }

    fn component_type(&self) -> &'static str {
        self.exporter.component_type()
    }

    fn destination(&self) -> String {
        self.exporter.destination()
    }
}
