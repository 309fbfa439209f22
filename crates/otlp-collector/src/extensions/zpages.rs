//! `zpages`: a page that shows how it goes with every pipeline and every exporter.

mod html;
mod rates;
mod tables;

use std::net::SocketAddr;
use std::sync::Arc;

use otlp_core::export::Deadline;
use parking_lot::Mutex;
use serde::Deserialize;
use tokio::task::JoinSet;

use self::rates::Rates;
use self::tables::Table;
use crate::component::{BoxError, BoxFuture, Extension, Host, Running};
use crate::config::{ConfigError, Node};
use crate::engine::{Board, Status};
use crate::pages::{Page, PageRequest, PageServer, PageServerSettings, Pages};

/// Shows the collector's state over HTTP: the Go collector's `zpages`, of what there is here.
///
/// `/debug/servicez` has the process and its memory budget, `/debug/pipelinez` the pipelines and exporters with
/// rates, queues and the last errors, `/debug/extensionz` the extensions; `/` has all of them. Rates are those of
/// the last minute. With `?format=json` the same comes as JSON. Nothing of what was received is shown.
///
/// `/debug/tracez`, `/debug/featurez` and `expvar` of the Go collector do not exist here.
#[derive(Clone, Debug, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ZpagesSettings {
    /// Where it is served. Default `localhost:55679`.
    #[serde(skip)]
    pub server: PageServerSettings,
    /// The Go runtime's variables, which there are none of here.
    pub expvar: ExpvarSettings,
}

/// `expvar`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct ExpvarSettings {
    /// Has no effect beside a warning. Default false.
    pub enabled: bool,
}

impl Default for ZpagesSettings {
    fn default() -> Self {
        let server = PageServerSettings::at("localhost:55679");
        Self { server, expvar: ExpvarSettings::default() }
    }
}

impl ZpagesSettings {
    /// Reads and checks what stands under `zpages`.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its place.
    pub fn read(node: &Node) -> Result<Self, ConfigError> {
        let mut settings: Self = PageServerSettings::beside(node, &["expvar"])?;
        settings.server = PageServerSettings::read(node, settings.server)?;
        Ok(settings)
    }

    fn warnings(&self) -> Vec<String> {
        let mut warnings = self.server.warnings();
        if self.expvar.enabled {
            warnings.push("expvar has no effect here".to_owned());
        }
        warnings
    }
}

impl Extension for ZpagesSettings {
    fn start<'a>(&'a self, host: &'a Host) -> BoxFuture<'a, Result<Box<dyn Running>, BoxError>> {
        Box::pin(async move {
            for warning in self.warnings() {
                tracing::warn!(target: "otlp_collector", extension = %host.id(), "{warning}");
            }
            let rates = Arc::new(Mutex::new(Rates::default()));
            let (board, watched) = (host.board().clone(), Arc::clone(&rates));
            let pages = Arc::new(Zpages { board: host.board().clone(), rates });
            let server = PageServer::start(&self.server, Some(host), pages).await?;
            let mut watching = JoinSet::new();
            watching.spawn(rates::watch(board, watched));
            Ok(Box::new(Shown { server, watching: Mutex::new(watching) }) as Box<dyn Running>)
        })
    }
}

#[derive(Debug)]
struct Shown {
    server: PageServer,
    watching: Mutex<JoinSet<()>>,
}

impl Running for Shown {
    fn stop(&self, _deadline: Deadline) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            self.watching.lock().abort_all();
            self.server.stop().await;
        })
    }

    fn listeners(&self) -> Vec<(&'static str, SocketAddr)> {
        vec![("http", self.server.address())]
    }
}

struct Zpages {
    board: Board,
    rates: Arc<Mutex<Rates>>,
}

impl Pages for Zpages {
    fn page(&self, request: &PageRequest<'_>) -> Option<Page> {
        let wanted: &[Section] = match request.path {
            "/" | "/debug" | "/debug/" => &ALL,
            "/debug/servicez" => &[Section::Service],
            "/debug/pipelinez" => &[Section::Pipelines, Section::Exporters],
            "/debug/extensionz" => &[Section::Extensions],
            _ => return None,
        };
        let status = self.board.status();
        let tables: Vec<_> = wanted.iter().map(|it| self.table(*it, &status)).collect();
        Some(match request.parameter("format").as_deref() {
            Some("json") => Page::json(&tables::json(&tables)),
            _ => Page::html(html::page(&tables)),
        })
    }
}

#[derive(Clone, Copy)]
enum Section {
    Service,
    Pipelines,
    Exporters,
    Extensions,
}

const ALL: [Section; 4] =
    [Section::Service, Section::Pipelines, Section::Exporters, Section::Extensions];

impl Zpages {
    fn table(&self, section: Section, status: &Status) -> Table {
        match section {
            Section::Service => tables::service(&self.board, status),
            Section::Pipelines => tables::pipelines(status, &self.rates.lock()),
            Section::Exporters => tables::exporters(status, &self.rates.lock()),
            Section::Extensions => tables::extensions(status),
        }
    }
}
