//! Accepts connections and answers requests: one each, few at a time, none for long.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderValue,
    WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::settings::PageServerSettings;
use super::{Page, PageRequest, Pages};
use crate::component::{BoxError, Host};
use crate::receivers::otlp::{Authenticator, Credentials, Denied, ask, bind_tcp};

/// A server of pages that runs until it is stopped or dropped.
pub(crate) struct PageServer {
    address: SocketAddr,
    task: Mutex<JoinSet<()>>,
}

impl PageServer {
    /// Binds and serves, on the current Tokio runtime. Whoever checks credentials is asked of the host.
    ///
    /// # Errors
    ///
    /// The address cannot be listened at, or there is no such authenticator.
    pub(crate) async fn start(
        settings: &PageServerSettings,
        host: Option<&Host>,
        pages: Arc<dyn Pages>,
    ) -> Result<Self, BoxError> {
        let authenticator = match (&settings.auth, host) {
            (Some(auth), Some(host)) => Some(host.authenticator(&auth.authenticator)?),
            (Some(_), None) => return Err("auth is not supported here".into()),
            (None, _) => None,
        };
        let site = Arc::new(Site { pages, authenticator, headers: settings.headers()? });
        let endpoint = &settings.endpoint;
        let bound = bind_tcp(endpoint, settings.transport).await.and_then(|listener| {
            let address = listener.local_addr()?;
            Ok((listener, address))
        });
        let (listener, address) = bound
            .map_err(|error| format!("endpoint: \"{endpoint}\" cannot be listened at: {error}"))?;
        let mut task = JoinSet::new();
        task.spawn(accept(listener, site));
        Ok(Self { address, task: Mutex::new(task) })
    }

    /// Where it listens, with the port that was taken for port 0.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes no more connections and cuts those that are there. A second call does nothing.
    pub(crate) async fn stop(&self) {
        let mut task = std::mem::take(&mut *self.task.lock());
        task.shutdown().await;
    }
}

impl fmt::Debug for PageServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PageServer({})", self.address)
    }
}

/// What all connections share.
struct Site {
    pages: Arc<dyn Pages>,
    authenticator: Option<Arc<dyn Authenticator>>,
    headers: HeaderMap,
}

async fn accept(listener: TcpListener, site: Arc<Site>) {
    let mut connections = JoinSet::new();
    let mut places = Places::default();
    loop {
        let accepted = tokio::select! {
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let site = Arc::clone(&site);
                let serving = async move {
                    let _ = timeout(LIFE, serve(stream, peer, &site)).await;
                };
                places.take(connections.spawn(serving));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            // No file handle most likely: one is not there sooner for being asked for again at once.
            Err(_) => {
                places.free_one();
                sleep(PAUSE).await;
            }
        }
    }
}

/// The connections that are open, the oldest first.
#[derive(Default)]
struct Places(VecDeque<AbortHandle>);

impl Places {
    /// The oldest makes room: it has had more time than a request needs.
    fn take(&mut self, connection: AbortHandle) {
        self.0.retain(|it| !it.is_finished());
        if self.0.len() >= CONNECTIONS {
            self.free_one();
        }
        self.0.push_back(connection);
    }

    fn free_one(&mut self) {
        if let Some(oldest) = self.0.pop_front() {
            oldest.abort();
        }
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, site: &Site) {
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(site.answer(&request, peer).await)
    });
    // What is wrong with a connection is its client's business.
    let _ = Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(LIFE)
        .keep_alive(false)
        .max_headers(HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

impl Site {
    async fn answer(&self, request: &Request<Incoming>, peer: SocketAddr) -> Response<Full<Bytes>> {
        let (page, more) = match self.page(request, peer).await {
            Ok(page) => (page, None),
            Err((status, more)) => {
                (Page::text(status, status.canonical_reason().unwrap_or_default()), more)
            }
        };
        let mut response = Response::new(Full::new(page.body));
        *response.status_mut() = page.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(page.content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.extend(more);
        headers.extend(self.headers.clone());
        response
    }

    async fn page(&self, request: &Request<Incoming>, peer: SocketAddr) -> Result<Page, Refused> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            let allow = (ALLOW, HeaderValue::from_static("GET, HEAD"));
            return Err((StatusCode::METHOD_NOT_ALLOWED, Some(allow)));
        }
        self.check(request.headers(), peer).await?;
        let uri = request.uri();
        let request = PageRequest { path: uri.path(), query: uri.query().unwrap_or_default() };
        // What is shown comes from components, and those may be others'.
        let made = catch_unwind(AssertUnwindSafe(|| self.pages.page(&request)));
        made.map_err(|_| (StatusCode::INTERNAL_SERVER_ERROR, None))?
            .ok_or((StatusCode::NOT_FOUND, None))
    }

    async fn check(&self, headers: &HeaderMap, peer: SocketAddr) -> Result<(), Refused> {
        let Some(authenticator) = &self.authenticator else { return Ok(()) };
        let status = match ask(authenticator.as_ref(), &Credentials::new(headers, peer)).await {
            Some(Ok(())) => return Ok(()),
            Some(Err(Denied::Unknown)) => StatusCode::UNAUTHORIZED,
            Some(Err(Denied::NotAllowed)) => StatusCode::FORBIDDEN,
            Some(Err(Denied::Busy)) => StatusCode::SERVICE_UNAVAILABLE,
            None => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let challenge = catch_unwind(AssertUnwindSafe(|| authenticator.challenge())).ok();
        let challenge = challenge.filter(|_| status == StatusCode::UNAUTHORIZED);
        Err((status, challenge.map(|challenge| (WWW_AUTHENTICATE, challenge))))
    }
}

/// A status instead of a page, and a header that goes with it.
type Refused = (StatusCode, Option<(http::HeaderName, HeaderValue)>);

/// Most connections at once.
const CONNECTIONS: usize = 32;

/// How long a connection may be there: for its request, and for the answer to be read.
const LIFE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

/// Most headers of a request, and most bytes of them.
const HEADERS: usize = 64;
const BUFFER: usize = 16 << 10;

/// A page shows what is in it and fetches nothing.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";
