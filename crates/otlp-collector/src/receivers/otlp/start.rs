//! Starts a receiver, and stops it.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::auth::Authenticator;
use super::bind::Listener;
use super::counters::CountersSnapshot;
use super::intake::Intake;
use super::lifetime::Phase;
use super::listener;
use super::settings::{OtlpSettings, SocketKind};
use super::slots::Slots;
use super::tls;
use crate::admission::Budget;
use crate::consumer::Consumers;

/// A receiver that does not run yet.
#[derive(Clone, Debug)]
pub struct OtlpReceiver {
    pub(super) settings: OtlpSettings,
    pub(super) authenticators: HashMap<String, Arc<dyn Authenticator>>,
}

impl OtlpReceiver {
    /// A receiver with these settings.
    #[must_use]
    pub fn new(settings: OtlpSettings) -> Self {
        Self { settings, authenticators: HashMap::new() }
    }

    /// Adds who checks credentials, by the name that `auth::authenticator` refers to.
    #[must_use]
    pub fn with_authenticator(
        mut self,
        name: impl Into<String>,
        authenticator: Arc<dyn Authenticator>,
    ) -> Self {
        self.authenticators.insert(name.into(), authenticator);
        self
    }

    /// The names that the settings refer to under `auth::authenticator`.
    pub(super) fn authenticator_names(&self) -> impl Iterator<Item = &str> {
        let protocols = &self.settings.protocols;
        let grpc = protocols.grpc.as_ref().and_then(|it| it.auth.as_ref());
        let http = protocols.http.as_ref().and_then(|it| it.auth.as_ref());
        grpc.into_iter().chain(http).map(|auth| auth.authenticator.as_str())
    }

    /// What is set and has no effect, or may not be meant.
    pub(super) fn warnings(&self) -> Vec<String> {
        self.settings.warnings()
    }

    /// Binds and serves, on the Tokio runtime that this is called on. It needs I/O and time.
    ///
    /// # Errors
    ///
    /// No protocol is set, an address cannot be bound, a certificate cannot be read, an authenticator is
    /// missing. Then nothing is served.
    pub async fn start(
        self,
        consumers: Consumers,
        budget: Budget,
    ) -> Result<RunningReceiver, StartError> {
        let OtlpSettings { protocols, limits, .. } = &self.settings;
        if protocols.grpc.is_none() && protocols.http.is_none() {
            return Err(StartError::NoProtocol);
        }
        let intake = Arc::new(Intake::new(consumers, budget, limits.clone()));
        let slots = Slots::new(limits.max_connections, limits.max_connections_per_peer);
        let mut doors = Vec::new();
        let (mut grpc_addr, mut http_addr) = (None, None);
        if let Some(grpc) = &protocols.grpc {
            let door = self.grpc_door(grpc, &intake, slots.clone())?;
            let listener = bound("grpc", &grpc.endpoint, grpc.transport).await?;
            grpc_addr = listener.addr();
            doors.push((listener, door));
        }
        if let Some(http) = &protocols.http {
            let door = self.http_door(http, &intake, slots)?;
            let listener = bound("http", &http.endpoint, http.transport).await?;
            http_addr = listener.addr();
            doors.push((listener, door));
        }
        let phase = watch::Sender::new(Phase::Running);
        let mut tasks = JoinSet::new();
        for (listener, door) in doors {
            let door = Arc::new(door);
            tasks.spawn(tls::reload(Arc::clone(&door), phase.subscribe()));
            tasks.spawn(listener::run(listener, door, phase.subscribe()));
        }
        Ok(RunningReceiver { intake, grpc_addr, http_addr, phase, tasks })
    }
}

/// A receiver that serves until it is stopped. Dropped, it is cut: connections are closed at once.
#[derive(Debug)]
#[must_use = "dropped, it ends at once"]
pub struct RunningReceiver {
    intake: Arc<Intake>,
    grpc_addr: Option<SocketAddr>,
    http_addr: Option<SocketAddr>,
    phase: watch::Sender<Phase>,
    /// Aborted when dropped.
    tasks: JoinSet<()>,
}

impl RunningReceiver {
    /// Where gRPC is served, with the port that was taken for port 0. A Unix socket has no address.
    #[must_use]
    pub fn grpc_addr(&self) -> Option<SocketAddr> {
        self.grpc_addr
    }

    /// Where HTTP is served.
    #[must_use]
    pub fn http_addr(&self) -> Option<SocketAddr> {
        self.http_addr
    }

    /// What was taken so far and what was not.
    #[must_use]
    pub fn counters(&self) -> CountersSnapshot {
        self.intake.counters.snapshot()
    }

    /// Stops: no new connection at once, and no new request (GOAWAY, `connection: close`); what is under
    /// way has `grace` to finish, then connections are cut. Returns the final numbers once all is closed.
    pub async fn stop(mut self, grace: Duration) -> CountersSnapshot {
        self.phase.send_replace(Phase::Draining);
        let _ = timeout(grace, ended(&mut self.tasks)).await;
        self.phase.send_replace(Phase::Cut);
        ended(&mut self.tasks).await;
        self.counters()
    }
}

async fn ended(tasks: &mut JoinSet<()>) {
    while tasks.join_next().await.is_some() {}
}

/// Why a receiver does not start.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// Nothing stands under `protocols`.
    #[error("protocols: neither grpc nor http is set")]
    NoProtocol,
    /// An address cannot be listened at.
    #[error("protocols::{protocol}::endpoint: \"{endpoint}\" cannot be listened at: {source}")]
    Bind {
        /// `grpc` or `http`.
        protocol: &'static str,
        /// The address as it was set.
        endpoint: String,
        /// What the operating system says.
        source: io::Error,
    },
    /// The settings of TLS cannot be used.
    #[error("protocols::{protocol}::{message}")]
    Tls {
        /// `grpc` or `http`.
        protocol: &'static str,
        /// Which of them, and why.
        message: String,
    },
    /// Authentication is set, and nobody is there to do it.
    #[error("auth::authenticator: there is no authenticator \"{name}\"")]
    NoAuthenticator {
        /// The name as it was set.
        name: String,
    },
    /// A setting of HTTP cannot be used.
    #[error("protocols::http::{message}")]
    Setting {
        /// Which, and why.
        message: String,
    },
}

async fn bound(
    protocol: &'static str,
    endpoint: &str,
    transport: SocketKind,
) -> Result<Listener, StartError> {
    let bound = Listener::bind(endpoint, transport).await;
    bound.map_err(|source| StartError::Bind { protocol, endpoint: endpoint.to_owned(), source })
}
