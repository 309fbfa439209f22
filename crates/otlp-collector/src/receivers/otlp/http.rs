//! One request of HTTP, in protobuf or JSON.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::RecvStream;
use h2::server::SendResponse;
use http::header::{
    ACCEPT_ENCODING, ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue,
    RETRY_AFTER, WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};
use http_body::Body;
use otlp_core::Signal;
use otlp_core::export::text::printable;

use super::answer::{self, Answer};
use super::auth::{self, Authenticator, Credentials};
use super::body::Length;
use super::cors::Cors;
use super::counters::Transport;
use super::http2::Http2Body;
use super::inflate::Encoding;
use super::intake::{Arrival, Form, Intake};
use super::refusal::{Kind, Refusal};
use super::shrink::shrink;

/// The HTTP side of a receiver.
#[derive(Debug)]
pub(super) struct HttpEnd {
    pub(super) intake: Arc<Intake>,
    pub(super) auth: Option<Arc<dyn Authenticator>>,
    pub(super) cors: Option<Cors>,
    /// Largest body.
    pub(super) limit: usize,
    /// Where each signal is posted.
    pub(super) paths: [(String, Signal); 3],
    /// The encodings that are taken.
    pub(super) encodings: Vec<Encoding>,
    /// What `Accept-Encoding` says of them.
    pub(super) accepted: HeaderValue,
    /// Headers of every answer.
    pub(super) headers: HeaderMap,
    pub(super) read_timeout: Duration,
    pub(super) answer_timeout: Duration,
    pub(super) keep_alive: bool,
}

impl HttpEnd {
    pub(super) fn keeps_alive(&self) -> bool {
        self.keep_alive
    }

    /// Answers a request of HTTP/2. A client that is gone is no error.
    pub(super) async fn call(
        &self,
        request: Request<RecvStream>,
        mut respond: SendResponse<Bytes>,
        peer: SocketAddr,
    ) {
        let (head, body) = request.into_parts();
        let response = self.answer(&head, &mut Http2Body(body), peer).await;
        let (head, body) = response.into_parts();
        let response = Response::from_parts(head, ());
        if let Ok(mut stream) = respond.send_response(response, body.is_empty())
            && !body.is_empty()
        {
            let _ = stream.send_data(body, true);
        }
    }

    /// Answers a request. Where it is refused early, the body is left where it is.
    pub(super) async fn answer<B>(
        &self,
        head: &Parts,
        body: &mut B,
        peer: SocketAddr,
    ) -> Response<Bytes>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if let Some(cors) = &self.cors
            && let Some(mut response) = cors.preflight(head)
        {
            self.add_headers(response.headers_mut());
            return response;
        }
        let form = form(&head.headers);
        let mut response = match self.admit(head, form, peer).await {
            Ok((signal, form, encoding)) => {
                let answer = self.take(head, signal, form, encoding, body).await;
                self.respond(answer, Some(form), signal)
            }
            // The signal is only for the answer of success.
            Err(answer) => self.respond(answer, form, Signal::Traces),
        };
        shrink(&head.headers, &mut response);
        if let Some(cors) = &self.cors {
            cors.mark(head, response.headers_mut());
        }
        self.add_headers(response.headers_mut());
        response
    }

    /// What a client is told that posts where nothing is served.
    fn not_served(&self, path: &str) -> String {
        let served =
            self.paths.iter().filter(|(_, signal)| self.intake.consumer(*signal).is_some());
        let served: Vec<_> = served.map(|(path, _)| path.as_str()).collect();
        format!("{} is not served here; served are: {}", printable(path), served.join(", "))
    }

    /// What the headers decide, before the body is read.
    async fn admit(
        &self,
        head: &Parts,
        form: Option<Form>,
        peer: SocketAddr,
    ) -> Result<(Signal, Form, Encoding), Answer> {
        let path = head.uri.path();
        let signal = self.paths.iter().find(|(known, _)| known == path).map(|(_, signal)| *signal);
        let refused = |refusal| self.intake.refuse(Transport::Http, signal, refusal);
        if let Some(authenticator) = &self.auth {
            let credentials = Credentials { headers: &head.headers, peer };
            auth::check(authenticator.as_ref(), &credentials).await.map_err(refused)?;
        }
        let Some(known) = signal.filter(|signal| self.intake.consumer(*signal).is_some()) else {
            return Err(refused(Refusal::new(Kind::Unknown, self.not_served(path))));
        };
        if head.method != Method::POST {
            return Err(refused(Refusal::new(Kind::WrongMethod, "only POST is served here")));
        }
        let Some(form) = form else {
            let message = "the content type is neither application/x-protobuf nor application/json";
            return Err(refused(Refusal::new(Kind::UnsupportedMedia, message)));
        };
        match self.encoding(&head.headers) {
            Some(encoding) => Ok((known, form, encoding)),
            None => {
                let message = "the content encoding is not accepted";
                Err(refused(Refusal::new(Kind::UnsupportedEncoding, message)))
            }
        }
    }

    /// The one encoding of a body; several on top of each other are not taken.
    fn encoding(&self, headers: &HeaderMap) -> Option<Encoding> {
        let mut values = headers.get_all(CONTENT_ENCODING).iter();
        let name = values.next().map_or(b"".as_slice(), |value| value.as_bytes().trim_ascii());
        let encoding = Encoding::of(name).filter(|_| values.next().is_none())?;
        self.encodings.contains(&encoding).then_some(encoding)
    }

    async fn take<B>(
        &self,
        head: &Parts,
        signal: Signal,
        form: Form,
        encoding: Encoding,
        body: &mut B,
    ) -> Answer
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let declared = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
        let length = match declared.and_then(|length| length.parse().ok()) {
            Some(length) => Length::Declared(length),
            None => Length::Unknown,
        };
        let arrival = Arrival {
            transport: Transport::Http,
            signal,
            form,
            encoding,
            length,
            limit: self.limit,
            started: Instant::now(),
            read_timeout: self.read_timeout,
            answer_timeout: self.answer_timeout,
            body,
        };
        self.intake.take(arrival).await
    }

    /// Writes an answer in the form of the request (rows H10 to H12).
    fn respond(&self, answer: Answer, form: Option<Form>, signal: Signal) -> Response<Bytes> {
        let refusal = match answer {
            Answer::Taken(partial) => {
                let max = self.intake.limits.max_response_size;
                let message = match form {
                    Some(Form::Json) => answer::json_success(signal, partial.as_ref(), max),
                    _ => answer::success(partial.as_ref(), max),
                };
                match message {
                    Ok(message) => return written(StatusCode::OK, form, message.into()),
                    Err(refusal) => refusal,
                }
            }
            Answer::Refused(refusal) => refusal,
        };
        let body = match form {
            Some(Form::Protobuf) => answer::status(&refusal).into(),
            Some(Form::Json) => answer::json_status(&refusal).into(),
            None => Bytes::from(refusal.message.clone().into_owned()),
        };
        let mut response = written(refusal.kind.http(), form, body);
        self.add_hints(&refusal, response.headers_mut());
        response
    }

    /// The headers that tell the client what would be taken, and when.
    fn add_hints(&self, refusal: &Refusal, headers: &mut HeaderMap) {
        if let Some(delay) = refusal.retry_after {
            // Whole seconds, and never fewer than asked for (row H14).
            let seconds = delay.as_secs().saturating_add(u64::from(delay.subsec_nanos() > 0));
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        match refusal.kind {
            Kind::WrongMethod => drop(headers.insert(ALLOW, HeaderValue::from_static("POST"))),
            Kind::UnsupportedEncoding => {
                drop(headers.insert(ACCEPT_ENCODING, self.accepted.clone()));
            }
            Kind::Unauthenticated => {
                if let Some(authenticator) = &self.auth {
                    headers.insert(WWW_AUTHENTICATE, authenticator.challenge());
                }
            }
            _ => {}
        }
    }

    fn add_headers(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }
}

fn written(status: StatusCode, form: Option<Form>, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let media = match form {
        Some(Form::Protobuf) => PROTOBUF,
        Some(Form::Json) => JSON,
        None => "text/plain; charset=utf-8",
    };
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

/// How the request is written, by its content type, whatever the parameters (row H3).
fn form(headers: &HeaderMap) -> Option<Form> {
    let media = headers.get(CONTENT_TYPE)?.as_bytes();
    let media = media.split(|byte| *byte == b';').next()?.trim_ascii();
    if media.eq_ignore_ascii_case(PROTOBUF.as_bytes()) {
        Some(Form::Protobuf)
    } else if media.eq_ignore_ascii_case(JSON.as_bytes()) {
        Some(Form::Json)
    } else {
        None
    }
}

const PROTOBUF: &str = "application/x-protobuf";
const JSON: &str = "application/json";
