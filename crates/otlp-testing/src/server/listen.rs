//! Listeners and connections. The accept loop is ours, so that a script can cut a connection.

use std::convert::Infallible;
use std::future::pending;
use std::net::TcpListener as StdListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tower_service::Service as _;

use super::answer::{self, Scripted, plain};
use super::format::Format;
use super::reply::Kind;
use super::site::Site;
use super::{ReceivedRequest, Transport, grpc, http_routes};
use crate::background::{GRACE, Phase, reached};
use crate::oracle::Message;

/// Where one request came from; handlers find it in the request's extensions.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    transport: Transport,
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    version: Version,
    pub(super) wire: Bytes,
    connection: u64,
    client_certificate: bool,
    /// Set once the message was decoded and so handed to the script.
    decoded: Arc<AtomicBool>,
}

impl Arrival {
    /// The request that it is, once its message is decoded.
    pub(super) fn received(self, message: Message) -> ReceivedRequest {
        self.decoded.store(true, Ordering::Relaxed);
        ReceivedRequest {
            transport: self.transport,
            signal: message.signal(),
            path: self.path,
            headers: self.headers,
            http_version: self.version,
            wire: self.wire,
            message,
            connection: self.connection,
            client_certificate: self.client_certificate,
            accepted: 0,
        }
    }
}

/// Accepts connections until the phase changes, then drains or cuts them.
pub(super) async fn run(
    listener: StdListener,
    tls: Option<Arc<ServerConfig>>,
    transport: Transport,
    site: Arc<Site>,
    mut phase: watch::Receiver<Phase>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return site.problem(format!("no listener: {error}")),
    };
    let router = match transport {
        Transport::Grpc => grpc::router(&site),
        Transport::Http => http_routes::router(&site),
    };
    let tls = tls.map(TlsAcceptor::from);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = reached(&mut phase, Phase::Draining) => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                let connection = Connection {
                    transport,
                    number: site.connect(),
                    client_certificate: false,
                    router: router.clone(),
                    site: Arc::clone(&site),
                    cut: Notify::new(),
                    active: watch::Sender::new(0),
                };
                connections.spawn(open(stream, tls.clone(), connection, phase.clone()));
            },
        }
    }
    drop(listener);
    drain(connections, phase).await;
}

async fn drain(mut connections: JoinSet<()>, mut phase: watch::Receiver<Phase>) {
    tokio::select! {
        () = async { while connections.join_next().await.is_some() {} } => {}
        () = reached(&mut phase, Phase::Cut) => {}
        () = tokio::time::sleep(GRACE) => {}
    }
    connections.shutdown().await;
}

async fn open(
    stream: TcpStream,
    tls: Option<TlsAcceptor>,
    mut connection: Connection,
    phase: watch::Receiver<Phase>,
) {
    // Without it small answers wait for the client's delayed acknowledgement.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else {
        return serve(stream, connection, phase).await;
    };
    match tls.accept(stream).await {
        Ok(stream) => {
            let (_, session) = stream.get_ref();
            connection.client_certificate = session.peer_certificates().is_some();
            serve(stream, connection, phase).await;
        }
        Err(error) => connection.site.problem(format!("TLS handshake: {error}")),
    }
}

async fn serve<S>(stream: S, connection: Connection, mut phase: watch::Receiver<Phase>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connection = Arc::new(connection);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http2().initial_stream_window_size(WINDOW).initial_connection_window_size(WINDOW);
    if connection.transport == Transport::Grpc {
        builder = builder.http2_only();
    }
    let handler = Arc::clone(&connection);
    let service = service_fn(move |request| Arc::clone(&handler).handle(request));
    let served = builder.serve_connection(TokioIo::new(stream), service);
    let mut served = std::pin::pin!(served);
    let cut = connection.cut.notified();
    tokio::select! {
        _ = served.as_mut() => return,
        () = cut => return,
        () = reached(&mut phase, Phase::Draining) => served.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = served => {}
        () = connection.cut.notified() => {}
        () = connection.idle() => {}
    }
}

struct Connection {
    transport: Transport,
    number: u64,
    client_certificate: bool,
    router: Router,
    site: Arc<Site>,
    /// Notified when a script wants this connection closed.
    cut: Notify,
    /// Requests that are being handled on this connection.
    active: watch::Sender<usize>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.site.disconnect();
    }
}

/// Counts one request of a connection while it lives.
struct Active(Arc<Connection>);

impl Active {
    fn on(connection: Arc<Connection>) -> Self {
        connection.active.send_modify(|active| *active += 1);
        Self(connection)
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.0.active.send_modify(|active| *active = active.saturating_sub(1));
    }
}

impl Connection {
    /// Resolves when nothing is handled any more and the last answer has had time to leave.
    ///
    /// HTTP/2 ends in good order only with a client that answers; one whose runtime is blocked,
    /// maybe in the very call that stops this server, does not.
    async fn idle(&self) {
        let mut active = self.active.subscribe();
        // The sender lives as long as this connection, so the wait cannot fail.
        let _ = active.wait_for(|active| *active == 0).await;
        tokio::time::sleep(FLUSH).await;
    }

    async fn handle(
        self: Arc<Self>,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Infallible> {
        let _here = Active::on(Arc::clone(&self));
        let (mut parts, body) = request.into_parts();
        let wire = match Limited::new(body, WIRE_BYTES_MAX).collect().await {
            Ok(whole) => whole.to_bytes(),
            Err(error) => {
                self.site.problem(format!("{}: the body: {error}", parts.uri.path()));
                return Ok(plain(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or cut"));
            }
        };
        let version = parts.version;
        let format = Format::of(&parts.headers).unwrap_or(Format::Protobuf);
        let decoded = Arc::new(AtomicBool::new(false));
        let arrival = self.arrival(&parts, wire.clone(), Arc::clone(&decoded));
        parts.extensions.insert(arrival);
        let path = parts.uri.path().to_owned();
        let mut router = self.router.clone();
        let Ok(mut response) = router.call(Request::from_parts(parts, Body::from(wire))).await;
        if let Some(Scripted(kind)) = response.extensions_mut().remove() {
            return Ok(self.carry_out(kind, format, version).await);
        }
        if self.transport == Transport::Grpc && !decoded.load(Ordering::Relaxed) {
            self.note_refusal(&path, response.headers());
        }
        Ok(response)
    }

    fn arrival(&self, parts: &Parts, wire: Bytes, decoded: Arc<AtomicBool>) -> Arrival {
        Arrival {
            transport: self.transport,
            path: parts.uri.path().to_owned(),
            headers: parts.headers.clone(),
            version: parts.version,
            wire,
            connection: self.number,
            client_certificate: self.client_certificate,
            decoded,
        }
    }

    async fn carry_out(&self, kind: Kind, format: Format, version: Version) -> Response<Body> {
        match kind {
            Kind::Http(answer) => answer::raw(answer, self.transport, format, version),
            Kind::Close => {
                self.cut.notify_one();
                pending().await
            }
            _ => pending().await,
        }
    }

    /// tonic itself refused the request: it did not decode, or nobody serves its method.
    fn note_refusal(&self, path: &str, headers: &HeaderMap) {
        let message = headers.get("grpc-message").and_then(|text| text.to_str().ok());
        let code = headers.get("grpc-status").and_then(|code| code.to_str().ok());
        let (code, message) = (code.unwrap_or("?"), message.unwrap_or("no message"));
        self.site.problem(format!("{path}: refused with gRPC status {code}: {message}"));
    }
}

/// How long a stopping connection has to send what is answered.
const FLUSH: Duration = Duration::from_millis(50);

/// The largest message, inflated (row Z3).
pub(super) const MESSAGE_BYTES_MAX: usize = 64 * 1024 * 1024;

/// The largest body on the wire: a message that does not compress, and its frame.
const WIRE_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 1024 * 1024;

/// HTTP/2 windows: one large request is not held up by a round trip for each 64 KiB.
const WINDOW: u32 = 4 * 1024 * 1024;
