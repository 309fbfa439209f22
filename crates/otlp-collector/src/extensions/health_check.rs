//! `health_check`: whether the process lives, and whether each pipeline does what it is there for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use http::StatusCode;
use otlp_core::export::Deadline;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::clock::{now, rfc3339};
use crate::component::{BoxError, BoxFuture, Extension, Host, Running};
use crate::config::{ConfigError, Ignored, Node, Unsupported};
use crate::engine::{Board, Phase, PipelineStatus};
use crate::pages::{Page, PageRequest, PageServer, PageServerSettings, Pages};

/// Says over HTTP how the collector is: the Go collector's `health_check`, and more.
///
/// | path | 200 | otherwise |
/// |---|---|---|
/// | `path` | the collector takes what comes, and with `check_collector_pipeline` all pipelines are ready | 503 |
/// | `/livez` | the process answers | |
/// | `/readyz` | every pipeline [is ready](PipelineStatus::is_ready); the body lists them, with what is wrong | 503 |
/// | `/readyz?pipeline=traces/x` | this one is ready | 503; 404 if there is none |
///
/// `path` says nothing of pipelines by default, as in Go: an orchestrator that asks there whether the process
/// lives must not end it, and with it what waits in memory, because a back end is away.
///
/// ```yaml
/// extensions:
///   health_check:
///     endpoint: 0.0.0.0:13133
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct HealthCheckSettings {
    /// Where it is served. Default `localhost:13133`.
    #[serde(skip)]
    pub server: PageServerSettings,
    /// The path of the Go collector's check. Default `/`; one that ends with `/` stands for all below it.
    pub path: String,
    /// What is answered at `path` instead of JSON.
    pub response_body: Option<ResponseBodySettings>,
    /// Whether `path` speaks for the pipelines too.
    pub check_collector_pipeline: PipelineCheckSettings,
    use_v2: Option<Unsupported>,
    grpc: Option<Unsupported>,
    http: Option<Unsupported>,
    component_health: Option<Unsupported>,
}

/// What is answered at `path` instead of JSON.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ResponseBodySettings {
    /// With status 200. Default empty.
    pub healthy: String,
    /// With status 503. Default empty.
    pub unhealthy: String,
}

/// The Go collector's `check_collector_pipeline`. What it counts there does not tell how a pipeline is; here it
/// asks the pipelines.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct PipelineCheckSettings {
    /// Whether `path` answers 503 also while a pipeline is not ready. Default false.
    pub enabled: bool,
    interval: Ignored,
    exporter_failure_threshold: Ignored,
}

impl Default for HealthCheckSettings {
    fn default() -> Self {
        Self {
            server: PageServerSettings::at("localhost:13133"),
            path: "/".to_owned(),
            response_body: None,
            check_collector_pipeline: PipelineCheckSettings::default(),
            use_v2: None,
            grpc: None,
            http: None,
            component_health: None,
        }
    }
}

impl HealthCheckSettings {
    /// Reads and checks what stands under `health_check`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its place.
    pub fn read(node: &Node) -> Result<Self, ConfigError> {
        let mut settings: Self = PageServerSettings::beside(node, KEYS)?;
        settings.server = PageServerSettings::read(node, settings.server)?;
        if !settings.path.starts_with('/') {
            let message = format!("\"{}\" does not start with \"/\"", settings.path);
            return Err(ConfigError::new(message).under("path"));
        }
        Ok(settings)
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.server.warnings();
        let check = &self.check_collector_pipeline;
        if check.interval.is_some() || check.exporter_failure_threshold.is_some() {
            let keys = "check_collector_pipeline::{interval, exporter_failure_threshold}";
            warnings.push(format!("{keys} have no effect here: pipelines are asked themselves"));
        }
        warnings
    }
}

impl Extension for HealthCheckSettings {
    fn start<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Box<dyn Running>, BoxError>> {
        Box::pin(async move {
            for warning in self.warnings() {
                tracing::warn!(target: "otlp_collector", extension = %host.id(), "{warning}");
            }
            let health = Health {
                settings: self.clone(),
                board: host.board().clone(),
                since: SystemTime::now(),
            };
            let server = PageServer::start(&self.server, Some(host), Arc::new(health)).await?;
            Ok(Box::new(Served(server)) as Box<dyn Running>)
        })
    }
}

/// An extension that is nothing but pages.
#[derive(Debug)]
struct Served(PageServer);

impl Running for Served {
    fn stop(&self, _deadline: Deadline) -> BoxFuture<'_, ()> {
        Box::pin(self.0.stop())
    }

    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        vec![("http", self.0.address())]
    }
}

struct Health {
    settings: HealthCheckSettings,
    board: Board,
    since: SystemTime,
}

impl Pages for Health {
    fn page(&self, request: &PageRequest<'_>) -> Option<Page> {
        let path = &self.settings.path;
        match request.path {
            asked if asked == path => Some(self.collector()),
            "/livez" => Some(Page::json(&json!({ "status": "alive" }))),
            "/readyz" => Some(self.ready(request)),
            asked if path.ends_with('/') && asked.starts_with(path) => Some(self.collector()),
            _ => None,
        }
    }
}

impl Health {
    /// In the Go collector's words.
    fn collector(&self) -> Page {
        let is_healthy = self.is_healthy();
        let status = status_of(is_healthy);
        if let Some(body) = &self.settings.response_body {
            return Page::text(status, if is_healthy { &body.healthy } else { &body.unhealthy });
        }
        let body = match is_healthy {
            true => {
                let uptime = now().saturating_duration_since(self.board.started());
                let since = rfc3339(self.since);
                let uptime = format!("{:?}", uptime);
                json!({ "status": "Server available", "upSince": since, "uptime": uptime })
            }
            false => {
                let never = "0001-01-01T00:00:00Z";
                json!({ "status": "Server not available", "upSince": never, "uptime": "" })
            }
        };
        Page::json(&body).with_status(status)
    }

    fn is_healthy(&self) -> bool {
        self.board.phase() == Phase::Running
            && (!self.settings.check_collector_pipeline.enabled
                || self.board.status().pipelines.iter().all(PipelineStatus::is_ready))
    }

    fn ready(&self, request: &PageRequest<'_>) -> Page {
        let mut pipelines = self.board.status().pipelines;
        if let Some(name) = request.parameter("pipeline") {
            pipelines.retain(|it| it.id.to_string() == name);
            if pipelines.is_empty() {
                let status = StatusCode::NOT_FOUND;
                return Page::json(&json!({ "status": "no such pipeline" })).with_status(status);
            }
        }
        // While it starts not all pipelines are there yet.
        let is_running = self.board.phase() == Phase::Running;
        let is_ready = is_running && pipelines.iter().all(PipelineStatus::is_ready);
        let body = json!({
            "status": if is_ready { "ready" } else { "not ready" },
            "phase": format!("{:?}", self.board.phase()).to_lowercase(),
            "pipelines": pipelines.iter().map(pipeline).collect::<Map<_, _>>(),
        });
        Page::json(&body).with_status(status_of(is_ready))
    }
}

fn pipeline(pipeline: &PipelineStatus) -> (String, Value) {
    let mut value = json!({ "ready": pipeline.is_ready() });
    if let (Value::Object(value), Some(problem)) = (&mut value, &pipeline.problem) {
        value.insert("problem".to_owned(), problem.as_str().into());
    }
    (pipeline.id.to_string(), value)
}

const fn status_of(is_good: bool) -> StatusCode {
    if is_good { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// Its keys beside those of the server.
const KEYS: &[&str] = &[
    "path",
    "response_body",
    "check_collector_pipeline",
    "use_v2",
    "grpc",
    "http",
    "component_health",
];
