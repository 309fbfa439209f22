//! The exporter: one payload, one `POST`, one outcome.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use otlp_core::export::redact::Redactor;
use otlp_core::export::{
    AnswerStatus, BuildError, Compression, Deadline, Endpoint, ExportError, Exporter,
    ExporterConfig, HeaderProvider, Headers, Outcome, Secret, attempt,
};
use otlp_core::{Payload, Signal};
use parking_lot::Mutex;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use reqwest::{Client, Method, Request, Response, Url};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout_at};

use crate::body::RopeBody;
use crate::builder::HttpExporterBuilder;
use crate::encoding::Encoding;
use crate::outcome::Tried;
use crate::proxy::Proxy;
use crate::response;
use crate::transport::Transport;

/// Exports over HTTP with bodies in protobuf or JSON, any number of requests at a time.
///
/// Connections are made by requests and belong to the Tokio runtime that drives them. Drive one
/// exporter on one runtime; when that one ends, later requests connect anew on their own.
///
/// # Outcomes
///
/// | answer | outcome |
/// |---|---|
/// | 2xx | delivered, or partly rejected |
/// | 429, 502, 503, 504 | retryable, after `Retry-After` if given |
/// | 413 | too large |
/// | every other status, redirects too | permanent |
/// | no connection, connection lost, deadline passed | retryable |
/// | larger than the limit, or not OTLP in protobuf | permanent |
/// | 2xx in JSON that is no OTLP response | delivered, with a warning |
pub struct HttpExporter {
    signal: Signal,
    encoding: Encoding,
    endpoint: Endpoint,
    url: Url,
    /// `None` also with a client of the user's own, whose proxy is not known.
    proxy: Option<Proxy>,
    /// Headers of every request.
    headers: HeaderMap,
    /// The user's own among them, and the credentials of endpoint and proxy: not for messages.
    own_headers: Headers,
    secrets: Vec<Secret>,
    header_provider: Option<HeaderProvider>,
    compression: Compression,
    max_request_size: usize,
    max_response_size: usize,
    timeout: Option<Duration>,
    /// `None` after shutdown, which closes the connections that are kept.
    client: Mutex<Option<Client>>,
    has_answered: AtomicBool,
}

impl HttpExporter {
    /// Starts to build an exporter of `signal`.
    pub fn builder(signal: Signal) -> HttpExporterBuilder {
        HttpExporterBuilder::new(signal)
    }

    /// Builds the exporter from a resolved configuration.
    ///
    /// Reads the PEM files, but opens no connection and needs no runtime. The proxy variables are
    /// read from this process's environment.
    ///
    /// # Errors
    ///
    /// The protocol is not one over HTTP, or it is `http/json` without the feature `json`; the
    /// endpoint is `https` without the feature `tls`; a PEM file cannot be read.
    pub fn from_config(config: ExporterConfig) -> Result<Self, BuildError> {
        Self::new(config, None, &Transport::default())
    }

    pub(crate) fn new(
        config: ExporterConfig,
        client: Option<Client>,
        transport: &Transport,
    ) -> Result<Self, BuildError> {
        let encoding = Encoding::of(config.protocol)?;
        // The error of the URL parser says nothing about its input.
        let url = Url::parse(config.endpoint.url()).map_err(|error| {
            BuildError::new("endpoint", format!("{} is not a URL: {error}", config.endpoint))
        })?;
        let (client, proxy) = match client {
            Some(client) => (client, None),
            None => transport.client(&config)?,
        };
        let mut secrets = config.endpoint.secrets();
        secrets.extend_from_slice(proxy.as_ref().map(Proxy::secrets).unwrap_or_default());
        Ok(Self {
            signal: config.signal,
            encoding,
            url,
            proxy,
            headers: base_headers(&config, encoding)?,
            own_headers: config.headers,
            secrets,
            endpoint: config.endpoint,
            header_provider: config.header_provider,
            compression: config.compression,
            max_request_size: config.max_request_size,
            max_response_size: config.max_response_size,
            timeout: config.timeout,
            client: Mutex::new(Some(client)),
            has_answered: AtomicBool::new(false),
        })
    }

    /// Sends the request. `Err` is the outcome when there is no answer.
    async fn send(&self, client: &Client, payload: &Payload) -> Result<Answer, Outcome> {
        let (request, provided) = self.request(payload).await?;
        match client.execute(request).await {
            Ok(response) => Ok(Answer { response, provided, items: payload.items() }),
            Err(error) => {
                let tried = self.tried(payload.items(), provided.as_ref());
                Err(tried.unanswered(error))
            }
        }
    }

    /// The request and those of its headers that the provider had.
    async fn request(&self, payload: &Payload) -> Result<(Request, Option<Headers>), Outcome> {
        let tried = self.tried(payload.items(), None);
        if payload.signal() != self.signal {
            let problem =
                format_args!("it holds {}, the exporter sends {}", payload.signal(), self.signal);
            return Err(attempt::not_sent(tried, problem));
        }
        let body = self.encoding.body(tried, payload, self.compression, self.max_request_size)?;
        let provided = match &self.header_provider {
            Some(provider) => Some(attempt::provided_headers(tried, provider).await?),
            None => None,
        };
        let mut headers = self.headers.clone();
        if let Some(provided) = &provided {
            add_headers(&mut headers, provided);
        }
        if let Some(encoding) = body.compression().content_encoding() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        let mut request = Request::new(Method::POST, self.url.clone());
        *request.headers_mut() = headers;
        *request.body_mut() = Some(match body.rope().parts() {
            [] => reqwest::Body::from(""),
            [only] => reqwest::Body::from(only.clone()),
            _ => reqwest::Body::wrap(RopeBody::new(body.rope())),
        });
        Ok((request, provided))
    }

    /// Reads the answer as far as it matters.
    async fn read(&self, answer: Answer, until: Option<Instant>) -> Outcome {
        let Answer { mut response, provided, items } = answer;
        self.has_answered.store(true, Ordering::Relaxed);
        let tried = self.tried(items, provided.as_ref());
        let status = response.status();
        if status.is_success() {
            let body = response::read(&mut response, self.max_response_size);
            let outcome = match within(until, body).await {
                Some(Ok(body)) => tried.accepted(response.headers(), &body),
                Some(Err(error)) => tried.unreadable(response.headers(), error),
                None => attempt::timed_out(tried, self.timeout),
            };
            return outcome.with_status(AnswerStatus::Http(status.as_u16()));
        }
        let body = response::read_error(&mut response, until).await;
        tried.refused(status, response.headers(), &body, SystemTime::now())
    }

    fn tried<'a>(&'a self, items: usize, provided: Option<&'a Headers>) -> Tried<'a> {
        let redactor = Redactor::new(&self.own_headers).with_secrets(&self.secrets);
        Tried {
            endpoint: &self.endpoint,
            proxy: self.proxy.as_ref(),
            signal: self.signal,
            encoding: self.encoding,
            items,
            limit: self.max_response_size,
            answered: self.has_answered.load(Ordering::Relaxed),
            redactor: redactor.with_provided(provided),
        }
    }
}

impl Exporter for HttpExporter {
    async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
        let Some(client) = self.client.lock().clone() else { return attempt::already_shutdown() };
        if Handle::try_current().is_err() {
            return attempt::no_runtime();
        }
        let deadline = deadline.within(Instant::now().into_std(), self.timeout);
        let until = deadline.instant().map(Instant::from_std);
        match within(until, self.send(&client, &payload)).await {
            Some(Ok(answer)) => self.read(answer, until).await,
            Some(Err(outcome)) => outcome,
            None => attempt::timed_out(self.tried(payload.items(), None), self.timeout),
        }
    }

    /// Closes the connections that are kept. Requests that are in flight may still end.
    async fn shutdown(&self, _: Deadline) -> Result<(), ExportError> {
        *self.client.lock() = None;
        Ok(())
    }

    fn component_type(&self) -> &'static str {
        self.encoding.component_type(self.signal)
    }

    fn destination(&self) -> String {
        self.endpoint.to_string()
    }
}

impl fmt::Debug for HttpExporter {
    /// Header values are marked as sensitive; the URL and the client are left out, since they may
    /// hold a query and a proxy's password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpExporter")
            .field("signal", &self.signal)
            .field("encoding", &self.encoding)
            .field("endpoint", &self.endpoint)
            .field("proxy", &self.proxy.as_ref().map(Proxy::to_string))
            .field("headers", &self.headers)
            .field("header_provider", &self.header_provider)
            .field("compression", &self.compression)
            .field("max_request_size", &self.max_request_size)
            .field("max_response_size", &self.max_response_size)
            .finish_non_exhaustive()
    }
}

/// The head of an answer, and what is needed to understand the rest.
struct Answer {
    response: Response,
    /// Headers of the request that were made for it alone.
    provided: Option<Headers>,
    /// How many items were sent.
    items: usize,
}

/// `None` when `until` comes first.
async fn within<T>(until: Option<Instant>, work: impl Future<Output = T>) -> Option<T> {
    match until {
        None => Some(work.await),
        Some(until) => timeout_at(until, work).await.ok(),
    }
}

/// The headers of every request.
fn base_headers(config: &ExporterConfig, encoding: Encoding) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    add_headers(&mut headers, &config.headers);
    let user_agent = HeaderValue::from_str(&config.user_agent)
        .map_err(|_| BuildError::new("user agent", "is not a valid header value"))?;
    headers.insert(USER_AGENT, user_agent);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(encoding.media_type()));
    Ok(headers)
}

/// Adds headers whose names and values [`Headers`] has checked; equal names are replaced.
fn add_headers(map: &mut HeaderMap, headers: &Headers) {
    for (name, value) in headers.iter() {
        let name = HeaderName::from_bytes(name.as_bytes());
        let value = HeaderValue::from_str(value.expose());
        if let (Ok(name), Ok(mut value)) = (name, value) {
            // Kept out of `Debug` and out of the compression table of HTTP/2.
            value.set_sensitive(true);
            map.insert(name, value);
        }
    }
}
