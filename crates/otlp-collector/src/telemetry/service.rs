//! Serves and sends the numbers for as long as the collector runs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use otlp_core::Payload;
use otlp_core::export::Deadline;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::push::Push;
use super::resource::Resource;
use super::settings::{Level, PrometheusSettings, TelemetrySettings};
use super::{Measurements, otlp, process, prometheus};
use crate::clock::now;
use crate::component::BoxError;
use crate::engine::Board;
use crate::pages::{Page, PageRequest, PageServer, PageServerSettings, Pages};

/// Starts to serve and to send the numbers of a collector, on the current Tokio runtime, which needs I/O and time.
///
/// # Errors
///
/// An address of Prometheus text cannot be listened at, or what is to be sent to cannot be opened.
pub async fn start(settings: &TelemetrySettings, board: &Board) -> Result<Telemetry, BoxError> {
    for warning in settings.warnings() {
        tracing::warn!(target: "otlp_collector", "{warning}");
    }
    let stop = watch::Sender::new(None);
    let (mut servers, mut pushing) = (Vec::new(), JoinSet::new());
    let metrics = &settings.metrics;
    if metrics.level != Level::None {
        let resource = Arc::new(Resource::new(&settings.resource));
        let source = Source { board: board.clone(), resource, started: SystemTime::now() };
        for (endpoint, how) in metrics.pulls() {
            let pages = Arc::new(Prometheus { source: source.clone(), how });
            let server = PageServer::start(&PageServerSettings::at(endpoint), None, pages).await;
            let named = |error| format!("service::telemetry::metrics: {error}");
            servers.push(server.map_err(named)?);
        }
        for settings in metrics.pushes() {
            let push = Push::new(settings, source.clone());
            let push = push.map_err(|error| format!("service::telemetry::{error}"))?;
            pushing.spawn(push.run(stop.subscribe()));
        }
    }
    Ok(Telemetry { servers, stop, pushing: Mutex::new(pushing) })
}

/// The telemetry of a collector, until it is stopped. Dropped, it ends at once.
#[derive(Debug)]
#[must_use = "dropped, it ends at once"]
pub struct Telemetry {
    servers: Vec<PageServer>,
    stop: watch::Sender<Option<Deadline>>,
    pushing: Mutex<JoinSet<()>>,
}

impl Telemetry {
    /// Where Prometheus text is served, with the port that was taken for port 0.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.servers.iter().map(PageServer::address).collect()
    }

    /// Sends the numbers for the last time, and ends. A second call does nothing.
    pub async fn stop(&self, deadline: Deadline) {
        self.stop.send_replace(Some(deadline));
        let mut pushing = std::mem::take(&mut *self.pushing.lock());
        // Each ends by the deadline.
        while pushing.join_next().await.is_some() {}
        for server in &self.servers {
            server.stop().await;
        }
    }
}

/// Where the numbers come from.
#[derive(Clone)]
pub(super) struct Source {
    board: Board,
    resource: Arc<Resource>,
    started: SystemTime,
}

impl Source {
    fn measure(&self) -> Measurements {
        let mut all = self.board.measurements();
        let uptime = now().saturating_duration_since(self.board.started());
        process::measure(uptime.as_secs_f64(), &mut all);
        all
    }

    pub(super) fn request(&self) -> Payload {
        otlp::request(&self.measure(), &self.resource, self.started, SystemTime::now())
    }
}

struct Prometheus {
    source: Source,
    how: PrometheusSettings,
}

impl Pages for Prometheus {
    fn page(&self, request: &PageRequest<'_>) -> Option<Page> {
        if request.path != "/metrics" {
            return None;
        }
        let text = prometheus::text(&self.source.measure(), &self.source.resource, &self.how);
        Some(Page::new(prometheus::CONTENT_TYPE, text))
    }
}
