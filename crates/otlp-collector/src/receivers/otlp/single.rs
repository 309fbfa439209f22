//! One connection without a listener: what a fuzzer and a test give bytes to.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;

use super::connection;
use super::counters::{CountersSnapshot, Transport};
use super::intake::Intake;
use super::lifetime::Phase;
use super::pulse::Pulse;
use super::slots::Slots;
use super::start::{OtlpReceiver, StartError};
use crate::admission::Budget;
use crate::consumer::Consumers;

impl OtlpReceiver {
    /// Serves a connection that is there already, until it ends: from bytes to bytes, by all that a
    /// connection of a listener is served by, but for TLS. For fuzz targets.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start) has them. A protocol that is not set is one.
    #[doc(hidden)]
    pub async fn serve_one<S>(
        &self,
        transport: Transport,
        stream: S,
        consumers: Consumers,
        budget: Budget,
    ) -> Result<CountersSnapshot, StartError>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let (protocols, limits) = (&self.settings.protocols, self.settings.limits.clone());
        let slots = Slots::new(limits.max_connections, limits.max_connections_per_peer);
        let intake = Arc::new(Intake::new(consumers, budget, limits));
        let door = match (transport, &protocols.grpc, &protocols.http) {
            (Transport::Grpc, Some(grpc), _) => self.grpc_door(grpc, &intake, slots)?,
            (Transport::Http, _, Some(http)) => self.http_door(http, &intake, slots)?,
            _ => return Err(StartError::NoProtocol),
        };
        let phase = watch::Sender::new(Phase::Running);
        let pulse = Arc::new(Pulse::new(Instant::now()));
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        connection::serve(stream, pulse, peer, &door, phase.subscribe()).await;
        Ok(intake.counters.snapshot())
    }
}
