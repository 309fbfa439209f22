//! A loopback OTLP server that keeps what it received and answers as it is told.

mod answer;
mod builder;
mod format;
mod grpc;
mod http_routes;
mod listen;
mod log;
mod received;
mod reply;
mod script;
mod site;
mod stream;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::ServerConfig;

pub use self::builder::ServerBuilder;
pub use self::log::{Counts, ReceivedLog, ReceivedRequest, ReceivedSpan, Transport, WaitError};
pub use self::reply::Reply;
pub use self::script::Script;
use self::site::Site;
use crate::background::{Background, Phase, started};

/// A loopback OTLP server; gRPC and HTTP each on a port of its own, on a thread of its own.
///
/// It accepts every signal, protobuf and (over HTTP) JSON, uncompressed, gzip and zstd, up to
/// 64 MiB. Dropping it cuts its connections and waits for its thread; [`stop`](Self::stop) lets it
/// answer what is under way first.
///
/// ```
/// use std::time::Duration;
/// use otlp_testing::{Reply, Server};
///
/// let server = Server::start();
/// server.respond_with([Reply::grpc(14, "try again"), Reply::ok()]);
/// // … export to server.grpc_endpoint() or server.http_endpoint() …
/// let spans = server.wait_for_spans(0, Duration::from_secs(10))?;
/// assert!(spans.is_empty());
/// # Ok::<(), otlp_testing::WaitError>(())
/// ```
#[derive(Debug)]
pub struct Server {
    site: Arc<Site>,
    grpc: SocketAddr,
    http: SocketAddr,
    tls: Option<Tls>,
    workers: usize,
    running: Mutex<Option<Background>>,
}

/// The TLS configuration of each transport: they differ in what they negotiate.
#[derive(Clone, Debug)]
struct Tls {
    grpc: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
}

impl Server {
    /// Starts a server on free ports.
    ///
    /// # Panics
    ///
    /// The machine gives no loopback port or no thread.
    #[must_use]
    pub fn start() -> Self {
        started(Self::builder().start())
    }

    /// Starts a server on given ports: a backend that is back where it was.
    ///
    /// # Errors
    ///
    /// A port is taken.
    pub fn start_at(grpc_port: u16, http_port: u16) -> io::Result<Self> {
        Self::builder().with_grpc_port(grpc_port).with_http_port(http_port).start()
    }

    /// A server with other settings.
    pub fn builder() -> ServerBuilder {
        ServerBuilder::default()
    }

    /// Where gRPC listens: `http://127.0.0.1:port`, or `https://` with TLS.
    #[must_use]
    pub fn grpc_endpoint(&self) -> String {
        self.endpoint(self.grpc)
    }

    /// Where HTTP listens, without a signal's path: `http://127.0.0.1:port`, or `https://`.
    #[must_use]
    pub fn http_endpoint(&self) -> String {
        self.endpoint(self.http)
    }

    /// The address of the gRPC listener, for a [`FaultProxy`](crate::FaultProxy) in front of it.
    #[must_use]
    pub fn grpc_addr(&self) -> SocketAddr {
        self.grpc
    }

    /// The address of the HTTP listener.
    #[must_use]
    pub fn http_addr(&self) -> SocketAddr {
        self.http
    }

    /// Sets what the next requests are answered, on both transports; see [`Script`].
    ///
    /// Replaces what was set before. When a queue is used up, the answer is success.
    pub fn respond_with(&self, script: impl Into<Script>) {
        self.site.set_script(script.into());
    }

    /// Holds every request from now on, answered by nobody, until [`resume`](Self::resume).
    pub fn pause(&self) {
        self.site.pause(true);
    }

    /// Answers what [`pause`](Self::pause) held, and everything after it.
    pub fn resume(&self) {
        self.site.pause(false);
    }

    /// Stops: no new connection, requests under way are answered within a second, then all
    /// connections are closed. What was received stays readable. Stopping twice does nothing.
    pub fn stop(&self) {
        self.end(Phase::Draining);
    }

    /// Stops as a crash does: connections are cut at once.
    pub fn kill(&self) {
        self.end(Phase::Cut);
    }

    /// Brings a stopped server back on the same ports, with what it received before.
    ///
    /// # Errors
    ///
    /// Somebody else has taken a port meanwhile. A server that runs is left as it is.
    pub fn restart(&self) -> io::Result<()> {
        let mut running = self.running.lock();
        if running.is_none() {
            let sockets = [TcpListener::bind(self.grpc)?, TcpListener::bind(self.http)?];
            let [grpc, http] = sockets;
            *running = Some(self.run(grpc, http)?);
        }
        Ok(())
    }

    fn end(&self, phase: Phase) {
        let running = self.running.lock().take();
        if let Some(background) = running {
            background.end(phase);
        }
    }

    fn run(&self, grpc: TcpListener, http: TcpListener) -> io::Result<Background> {
        let grpc_tls = self.tls.as_ref().map(|tls| Arc::clone(&tls.grpc));
        let http_tls = self.tls.as_ref().map(|tls| Arc::clone(&tls.http));
        grpc.set_nonblocking(true)?;
        http.set_nonblocking(true)?;
        let site = Arc::clone(&self.site);
        Background::start("otlp-testing-server", self.workers, move |phase| async move {
            let grpc =
                listen::run(grpc, grpc_tls, Transport::Grpc, Arc::clone(&site), phase.clone());
            let http = listen::run(http, http_tls, Transport::Http, site, phase);
            tokio::join!(grpc, http);
        })
    }

    fn endpoint(&self, addr: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{addr}")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Held answers would keep a drain waiting; a test that wants the drain calls `stop`.
        self.end(Phase::Cut);
    }
}
