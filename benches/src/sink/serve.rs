//! The HTTP side of the sink: OTLP/HTTP over HTTP/1.1, OTLP/gRPC over HTTP/2 without TLS.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Buf, Bytes};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Empty, Full, Limited};
use hyper::body::Incoming;
use hyper::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};

use super::{Encoding, Inbox};
use crate::subject::{Failure, Items, Transport};

/// Starts to serve on a thread of its own and returns the port.
pub(super) fn start(transport: Transport, inbox: Arc<Inbox>) -> Result<u16, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind(("127.0.0.1", 0)))?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || runtime.block_on(accept(transport, listener, inbox)));
    Ok(port)
}

async fn accept(transport: Transport, listener: TcpListener, inbox: Arc<Inbox>) {
    while let Ok((stream, _)) = listener.accept().await {
        // Without it, Nagle's algorithm waits for acknowledgements that the other side delays.
        let _ = stream.set_nodelay(true);
        tokio::spawn(connection(transport, stream, Arc::clone(&inbox)));
    }
}

/// A connection that breaks off is the client's business: spans that did not arrive are missing
/// in the report.
async fn connection(transport: Transport, stream: TcpStream, inbox: Arc<Inbox>) {
    let stream = TokioIo::new(stream);
    match transport {
        Transport::Http => {
            let service = service_fn(|request| http(request, Arc::clone(&inbox)));
            let server = hyper::server::conn::http1::Builder::new();
            let _ = server.serve_connection(stream, service).await;
        }
        Transport::Grpc => {
            let service = service_fn(|request| grpc(request, Arc::clone(&inbox)));
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            let _ = server.serve_connection(stream, service).await;
        }
    }
}

type Answer = Response<BoxBody<Bytes, Infallible>>;

async fn http(request: Request<Incoming>, inbox: Arc<Inbox>) -> Result<Answer, Infallible> {
    let encoding = encoding(request.headers(), &CONTENT_ENCODING);
    let on_path = request.uri().path() == inbox.items.http_path();
    match (encoding, on_path, body(request).await) {
        (Ok(encoding), true, Ok(message)) => drop(inbox.take(encoding, message)),
        (Err(fault), ..) | (.., Err(fault)) => return Ok(bad_request(&inbox, fault)),
        _ => return Ok(bad_request(&inbox, "a request to another path".to_owned())),
    }
    // An empty body is a whole `ExportTraceServiceResponse`.
    let mut answer = Response::new(Empty::new().boxed());
    let protobuf = HeaderValue::from_static("application/x-protobuf");
    answer.headers_mut().insert(CONTENT_TYPE, protobuf);
    Ok(answer)
}

async fn grpc(request: Request<Incoming>, inbox: Arc<Inbox>) -> Result<Answer, Infallible> {
    let encoding = encoding(request.headers(), &GRPC_ENCODING);
    let on_path = request.uri().path() == inbox.items.grpc_path();
    match (encoding, on_path, body(request).await) {
        (Ok(encoding), true, Ok(body)) => {
            let items = messages(encoding, body, &inbox);
            inbox.pace.take(items).await;
        }
        (Err(fault), ..) | (.., Err(fault)) => return Ok(bad_request(&inbox, fault)),
        _ => return Ok(bad_request(&inbox, "a call of another method".to_owned())),
    }
    // Flag, length 0: a whole, empty `ExportTraceServiceResponse`.
    let message = Full::new(Bytes::from_static(&[0; 5]));
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = message.with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut answer = Response::new(body.boxed());
    let grpc = HeaderValue::from_static("application/grpc");
    answer.headers_mut().insert(CONTENT_TYPE, grpc);
    Ok(answer)
}

/// Takes every message of a gRPC body: compressed flag, length, bytes. Returns the items that were
/// counted.
fn messages(encoding: Encoding, mut body: Bytes, inbox: &Inbox) -> u64 {
    let mut items = 0;
    while !body.is_empty() {
        let (Ok(flag), Ok(length)) = (body.try_get_u8(), body.try_get_u32()) else {
            inbox.refuse("a gRPC message without a whole prefix".to_owned());
            break;
        };
        let length = length as usize;
        if length > body.len() {
            inbox.refuse("a gRPC message that is shorter than its prefix says".to_owned());
            break;
        }
        let encoding = if flag == 0 { Encoding::Identity } else { encoding };
        items += inbox.take(encoding, body.split_to(length));
    }
    items
}

fn encoding(headers: &HeaderMap, name: &HeaderName) -> Result<Encoding, String> {
    match headers.get(name).map(HeaderValue::as_bytes) {
        None | Some(b"identity") => Ok(Encoding::Identity),
        Some(b"gzip") => Ok(Encoding::Gzip),
        Some(b"zstd") => Ok(Encoding::Zstd),
        Some(other) => Err(format!("unknown {name}: {}", other.escape_ascii())),
    }
}

async fn body(request: Request<Incoming>) -> Result<Bytes, String> {
    let body = Limited::new(request.into_body(), BODY_MAX);
    let collected = body.collect().await.map_err(|error| format!("a broken body: {error}"))?;
    Ok(collected.to_bytes())
}

fn bad_request(inbox: &Inbox, fault: String) -> Answer {
    inbox.refuse(fault);
    let mut answer = Response::new(Empty::new().boxed());
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer
}

impl Items {
    fn http_path(self) -> &'static str {
        match self {
            Self::Spans => "/v1/traces",
            Self::Points => "/v1/metrics",
        }
    }

    fn grpc_path(self) -> &'static str {
        match self {
            Self::Spans => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Points => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
        }
    }
}

const GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// Larger than any request that a client here makes.
const BODY_MAX: usize = 64 << 20;
