//! One scripted reply: what it says, when it says it, and whether the data was taken.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use tonic::Code;

use crate::gate::Gate;

/// What the server does with one request.
///
/// A reply means the same on both transports where that is possible: [`grpc`](Self::grpc) over
/// HTTP becomes the status that the reference collector maps it to, [`http`](Self::http) over
/// gRPC is what a proxy in front of a gRPC server would send.
#[derive(Clone, Debug)]
#[must_use = "a reply does nothing until it is part of a script"]
pub struct Reply {
    pub(super) kind: Kind,
    pub(super) gate: Option<Gate>,
    pub(super) delay: Option<Duration>,
    takes: Option<bool>,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Ok,
    Partial { rejected: i64, message: String },
    Grpc(GrpcStatus),
    Http(HttpAnswer),
    Close,
    Never,
}

#[derive(Clone, Debug)]
pub(super) struct GrpcStatus {
    pub(super) code: Code,
    pub(super) message: String,
    pub(super) retry_delay: Option<Duration>,
    pub(super) details: Option<Bytes>,
}

#[derive(Clone, Debug)]
pub(super) struct HttpAnswer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) content: Content,
    pub(super) trailers: HeaderMap,
}

/// The body of an answer. All but `Raw` are put into a gRPC frame on the gRPC transport.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Raw(Bytes),
    Message(Bytes),
    CutAfter(Bytes),
    Endless { total: u64 },
    GzipBomb { inflated: u64 },
}

impl Reply {
    /// Full success; the data counts as accepted.
    pub fn ok() -> Self {
        Self::of(Kind::Ok)
    }

    /// `partial_success` with this count and message (rows W10, W11).
    ///
    /// The last `rejected` items of the request count as refused, the others as accepted. A
    /// negative count, which a correct server never sends, refuses nothing.
    pub fn partial_success(rejected: i64, message: &str) -> Self {
        Self::of(Kind::Partial { rejected, message: message.to_owned() })
    }

    /// A gRPC status by its number or as [`tonic::Code`]; over HTTP the status it maps to, with a
    /// `google.rpc.Status` as body.
    pub fn grpc(code: impl Into<Code>, message: &str) -> Self {
        let (code, message) = (code.into(), message.to_owned());
        Self::of(Kind::Grpc(GrpcStatus { code, message, retry_delay: None, details: None }))
    }

    /// An HTTP status with an empty body.
    ///
    /// # Panics
    ///
    /// `status` is not between 100 and 999.
    pub fn http(status: u16) -> Self {
        Self::of(Kind::Http(HttpAnswer::new(status)))
    }

    /// 307 to `location`.
    ///
    /// # Panics
    ///
    /// `location` cannot stand in a header.
    pub fn redirect(location: &str) -> Self {
        Self::http(307).with_header("location", location)
    }

    /// Closes the connection, with all that is under way on it, instead of an answer.
    pub fn close() -> Self {
        Self::of(Kind::Close)
    }

    /// Never answers and keeps the connection open, until the server stops.
    pub fn never() -> Self {
        Self::of(Kind::Never)
    }

    /// 200 whose message is these bytes instead of an encoded response.
    pub fn message(bytes: impl Into<Bytes>) -> Self {
        Self::content(Content::Message(bytes.into()))
    }

    /// 200 whose message is not protobuf: 64 bytes of `0xff`.
    pub fn garbage() -> Self {
        Self::message(vec![0xff; 64])
    }

    /// 200 with a few bytes of a longer body, then the connection (HTTP/1) or the stream (HTTP/2)
    /// breaks.
    pub fn cut_body() -> Self {
        Self::content(Content::CutAfter(Bytes::from_static(&[0x0a, 0x40, 0x12, 0x3e])))
    }

    /// 200 with a body of `total` bytes, made as it is sent, until the client goes away.
    pub fn endless_body(total: u64) -> Self {
        Self::content(Content::Endless { total })
    }

    /// 200 with a gzip body that inflates to `inflated` zero bytes (in steps of 1 MiB).
    pub fn gzip_bomb(inflated: u64) -> Self {
        Self::content(Content::GzipBomb { inflated })
    }

    /// Success followed by `bytes` bytes of trailers; over HTTP/1 they are headers, since trailers
    /// there are optional.
    pub fn huge_trailers(bytes: usize) -> Self {
        let filler = HeaderValue::try_from(vec![b'x'; bytes]);
        let mut answer = HttpAnswer::new(200);
        answer.content = Content::Message(Bytes::new());
        answer
            .trailers
            .extend(filler.ok().map(|filler| (HeaderName::from_static("x-filler"), filler)));
        Self::of(Kind::Http(answer))
    }

    fn content(content: Content) -> Self {
        Self::of(Kind::Http(HttpAnswer { content, ..HttpAnswer::new(200) }))
    }

    fn of(kind: Kind) -> Self {
        Self { kind, gate: None, delay: None, takes: None }
    }
}

/// What can be added to a reply.
impl Reply {
    /// Waits at `gate` before it is given; the data counts as accepted only then.
    pub fn after(mut self, gate: &Gate) -> Self {
        self.gate = Some(gate.clone());
        self
    }

    /// Waits `delay` of real time before it is given.
    pub fn delayed(mut self, delay: Duration) -> Self {
        self.delay = Some(delay);
        self
    }

    /// The server has taken the data although the reply does not say so: a lost acknowledgement
    /// (row W9).
    pub fn with_data_taken(mut self) -> Self {
        self.takes = Some(true);
        self
    }

    /// Adds `RetryInfo` to a gRPC status; over HTTP it is a `Retry-After` in whole seconds. A
    /// reply of another kind is left as it is.
    pub fn with_retry_info(mut self, delay: Duration) -> Self {
        if let Kind::Grpc(status) = &mut self.kind {
            status.retry_delay = Some(delay);
        }
        self
    }

    /// Sends these bytes as `grpc-status-details-bin` of a gRPC status, whatever they are. A reply
    /// of another kind is left as it is.
    pub fn with_details(mut self, details: impl Into<Bytes>) -> Self {
        if let Kind::Grpc(status) = &mut self.kind {
            status.details = Some(details.into());
        }
        self
    }

    /// Adds a header to an HTTP answer. A reply of another kind is left as it is.
    ///
    /// # Panics
    ///
    /// The name or the value cannot stand in a header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        if let Kind::Http(answer) = &mut self.kind {
            let (name, value) = header(name, value);
            answer.headers.append(name, value);
        }
        self
    }

    /// Adds a trailer to an HTTP answer, `grpc-status` for one. A reply of another kind is left as
    /// it is.
    ///
    /// # Panics
    ///
    /// The name or the value cannot stand in a header.
    pub fn with_trailer(mut self, name: &str, value: &str) -> Self {
        if let Kind::Http(answer) = &mut self.kind {
            let (name, value) = header(name, value);
            answer.trailers.append(name, value);
        }
        self
    }

    /// Sets the body of an HTTP answer, exactly these bytes on both transports.
    pub fn with_body(self, body: impl Into<Bytes>) -> Self {
        self.with_content(Content::Raw(body.into()))
    }

    /// Gives an HTTP answer the body of [`endless_body`](Self::endless_body), on any status.
    pub fn with_endless_body(self, total: u64) -> Self {
        self.with_content(Content::Endless { total })
    }

    /// Gives an HTTP answer the body of [`gzip_bomb`](Self::gzip_bomb), on any status.
    pub fn with_gzip_bomb(self, inflated: u64) -> Self {
        self.with_content(Content::GzipBomb { inflated })
    }

    fn with_content(mut self, content: Content) -> Self {
        if let Kind::Http(answer) = &mut self.kind {
            answer.content = content;
        }
        self
    }

    /// How many of `items` the server keeps under this reply.
    pub(super) fn accepted(&self, items: usize) -> usize {
        match (&self.kind, self.takes) {
            (Kind::Partial { rejected, .. }, _) => {
                items.saturating_sub(usize::try_from(*rejected).unwrap_or(0))
            }
            (Kind::Ok, _) | (_, Some(true)) => items,
            _ => 0,
        }
    }

    /// Whether it leaves no trace at all: no answer, and the data not taken.
    pub(super) fn is_silent(&self) -> bool {
        matches!(self.kind, Kind::Never) && !self.accepts()
    }

    /// Whether the request as a whole counts as accepted.
    pub(super) fn accepts(&self) -> bool {
        matches!(self.kind, Kind::Ok | Kind::Partial { .. }) || self.takes == Some(true)
    }
}

impl HttpAnswer {
    fn new(status: u16) -> Self {
        Self {
            status: checked(StatusCode::from_u16(status), "an HTTP status"),
            headers: HeaderMap::new(),
            content: Content::Raw(Bytes::new()),
            trailers: HeaderMap::new(),
        }
    }
}

fn header(name: &str, value: &str) -> (HeaderName, HeaderValue) {
    (
        checked(HeaderName::try_from(name), "a header name"),
        checked(HeaderValue::try_from(value), "a header value"),
    )
}

#[expect(clippy::panic, reason = "a mistake in the test's own script, named where it is written")]
fn checked<T, E: std::fmt::Display>(result: Result<T, E>, what: &str) -> T {
    match result {
        Ok(value) => value,
        Err(error) => panic!("the script needs {what}: {error}"),
    }
}
