//! The connector `forward`: from pipelines to pipelines of the same signal, as it is.

use std::sync::Arc;

use otlp_core::Signal;
use otlp_core::export::Deadline;
use serde::Deserialize;

use crate::component::{BoxError, Connector, Host, Node, Running};
use crate::consumer::{Answer, Batch, Consumer, Consumers, SharedConsumer};

/// Hands on what it is given, to pipelines of the same signal: to put the processing of several pipelines
/// together, or to process one stream in several ways. It has no settings.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ForwardSettings {}

impl Connector for ForwardSettings {
    fn outputs(&self, signal: Signal) -> Vec<Signal> {
        vec![signal]
    }

    fn hands_on_all(&self) -> bool {
        true
    }

    fn start(
        &self,
        _host: &Host,
        signal: Signal,
        next: &Consumers,
    ) -> Result<Arc<dyn Node>, BoxError> {
        match next.of(signal) {
            Some(next) => Ok(Arc::new(Forward { next: Arc::clone(next) })),
            None => Err(format!("no pipeline of {signal} has it as its receiver").into()),
        }
    }
}

#[derive(Debug)]
struct Forward {
    next: SharedConsumer,
}

impl Consumer for Forward {
    fn holds(&self) -> bool {
        self.next.holds()
    }

    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_> {
        self.next.consume(batch, deadline)
    }
}

impl Running for Forward {}

impl Node for Forward {}
