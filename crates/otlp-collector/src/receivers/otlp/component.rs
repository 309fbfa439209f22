//! The receiver as a component of a collector.

use std::net::SocketAddr;
use std::time::Duration;

use otlp_core::export::Deadline;
use parking_lot::Mutex;

use super::counters::CountersSnapshot;
use super::start::{OtlpReceiver, RunningReceiver};
use crate::clock::now;
use crate::component::{BoxError, BoxFuture, Host, Receiver, Running};
use crate::consumer::Consumers;
use crate::telemetry::{Measurements, receiver};

impl Receiver for OtlpReceiver {
    fn needs(&self) -> Vec<(&'static str, String)> {
        let protocols = &self.settings.protocols;
        let named = [
            ("protocols::grpc::auth", protocols.grpc.as_ref().and_then(|it| it.auth.as_ref())),
            ("protocols::http::auth", protocols.http.as_ref().and_then(|it| it.auth.as_ref())),
        ];
        let named = named.into_iter().filter_map(|(key, auth)| Some((key, auth?)));
        named
            .map(|(key, auth)| (key, auth.authenticator.clone()))
            .filter(|(_, name)| !self.authenticators.contains_key(name))
            .collect()
    }

    fn start<'a>(
        &'a self,
        host: &'a Host,
        consumers: Consumers,
    ) -> BoxFuture<'a, Result<Box<dyn Running>, BoxError>> {
        Box::pin(async move {
            let mut receiver = self.clone();
            for name in self.authenticator_names() {
                if !receiver.authenticators.contains_key(name) {
                    receiver = receiver.with_authenticator(name, host.authenticator(name)?);
                }
            }
            for warning in self.warnings() {
                tracing::warn!(target: "otlp_collector", receiver = %host.id(), "{warning}");
            }
            let running = receiver.start(consumers, host.budget().clone()).await?;
            Ok(Box::new(Served::new(running)) as Box<dyn Running>)
        })
    }
}

/// A receiver that serves, and that can be stopped once.
#[derive(Debug)]
struct Served {
    listeners: Vec<(&'static str, SocketAddr)>,
    running: Mutex<Option<RunningReceiver>>,
    /// What was counted when it had ended.
    last: Mutex<CountersSnapshot>,
}

impl Served {
    fn new(running: RunningReceiver) -> Self {
        let listeners = [("grpc", running.grpc_addr()), ("http", running.http_addr())];
        let listeners =
            listeners.into_iter().filter_map(|(name, addr)| Some((name, addr?))).collect();
        Self { listeners, running: Mutex::new(Some(running)), last: Mutex::default() }
    }
}

impl Running for Served {
    fn stop(&self, deadline: Deadline) -> BoxFuture<'_, ()> {
        let running = {
            let mut running = self.running.lock();
            if let Some(running) = &*running {
                *self.last.lock() = running.counters();
            }
            running.take()
        };
        Box::pin(async move {
            if let Some(running) = running {
                let grace = deadline.remaining(now()).unwrap_or(Duration::MAX);
                *self.last.lock() = running.stop(grace).await;
            }
        })
    }

    fn measure(&self, measurements: &mut Measurements) {
        let counters = match &*self.running.lock() {
            Some(running) => running.counters(),
            None => *self.last.lock(),
        };
        receiver::measure(&counters, measurements);
    }

    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        self.listeners.clone()
    }
}
