//! The exporter: one payload, one unary call, one outcome.

use std::time::{Duration, Instant};

use http::header::{CONTENT_TYPE, TE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version};
use otlp_core::export::redact::Redactor;
use otlp_core::export::{
    BuildError, Compression, Deadline, ErrorKind, ExportError, Exporter, ExporterConfig,
    HeaderProvider, Headers, Outcome, Protocol, Secret, attempt,
};
use otlp_core::{ExporterType, Payload, Signal};
use tokio::runtime::Handle;
use tokio::time::timeout_at;
use tonic::transport::{Channel, Endpoint};

use crate::builder::GrpcExporterBuilder;
use crate::connection::{self, Connection, KeepAlive, Lane};
use crate::frame::MessageBody;
use crate::hint::Attempt;
use crate::outcome::Tried;
use crate::unary::{self, CallError, GRPC_ENCODING, GRPC_MEDIA_TYPE, GRPC_TIMEOUT};

/// Exports over gRPC: unary `Export` calls, any number at a time, on one HTTP/2 connection.
///
/// One exporter carries payloads of every signal; the method follows the payload.
///
/// The connection is made by the first call and belongs to the Tokio runtime that drives it. Drive
/// one exporter on one runtime; when that one ends, the next call connects anew on its own.
///
/// # Outcomes
///
/// | answer | outcome |
/// |---|---|
/// | OK | delivered, or partly rejected |
/// | CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS | retryable, after `RetryInfo` if given |
/// | RESOURCE_EXHAUSTED with `RetryInfo` | retryable |
/// | RESOURCE_EXHAUSTED, OUT_OF_RANGE that speak of a too large message | too large |
/// | every other status | permanent |
/// | no connection, connection lost, deadline passed | retryable |
/// | OK without a message, larger than the limit, or not gRPC | permanent |
#[derive(Debug)]
pub struct GrpcExporter {
    signal: Signal,
    origin: String,
    is_tls: bool,
    port: u16,
    /// Headers of every request.
    headers: HeaderMap,
    /// The user's own among them, and what the endpoint had of credentials: not for messages.
    own_headers: Headers,
    secrets: Vec<Secret>,
    header_provider: Option<HeaderProvider>,
    compression: Compression,
    max_request_size: usize,
    max_response_size: usize,
    timeout: Option<Duration>,
    connection: Connection,
}

impl GrpcExporter {
    /// Starts to build an exporter whose settings are those of `signal`.
    pub fn builder(signal: Signal) -> GrpcExporterBuilder {
        GrpcExporterBuilder::new(signal)
    }

    /// Builds the exporter from a resolved configuration.
    ///
    /// Reads the PEM files, but opens no connection and needs no runtime.
    ///
    /// # Errors
    ///
    /// The protocol is not [`Protocol::Grpc`], the endpoint is `https` without the feature `tls`,
    /// a PEM file cannot be read.
    pub fn from_config(config: ExporterConfig) -> Result<Self, BuildError> {
        Self::new(config, None, KeepAlive::default())
    }

    pub(crate) fn new(
        config: ExporterConfig,
        channel: Option<Channel>,
        keep_alive: KeepAlive,
    ) -> Result<Self, BuildError> {
        if config.protocol != Protocol::Grpc {
            let problem = format!("is {}; this exporter speaks grpc only", config.protocol);
            return Err(BuildError::new("protocol", problem));
        }
        let connection = match channel {
            Some(channel) => Connection::over(channel),
            None => Connection::to(endpoint(&config, keep_alive)?),
        };
        Ok(Self {
            signal: config.signal,
            origin: config.endpoint.origin().to_owned(),
            is_tls: config.endpoint.is_tls(),
            port: config.endpoint.port(),
            headers: base_headers(&config)?,
            own_headers: config.headers,
            secrets: config.endpoint.secrets(),
            header_provider: config.header_provider,
            compression: config.compression,
            max_request_size: config.max_request_size,
            max_response_size: config.max_response_size,
            timeout: config.timeout,
            connection,
        })
    }

    async fn attempt(&self, lane: &Lane, payload: &Payload, deadline: Deadline) -> Outcome {
        let (request, provided) = match self.request(payload, deadline).await {
            Ok(made) => made,
            Err(outcome) => return outcome,
        };
        let mut lane = lane.clone();
        if unary::ready(&mut lane.channel).await.is_err() {
            // Nothing was sent yet, so a fresh channel may take the call at once.
            self.connection.replace(&lane);
            lane = match self.connection.lane() {
                Some(lane) => lane,
                None => return attempt::already_shutdown(),
            };
            if let Err(error) = unary::ready(&mut lane.channel).await {
                return self.tried(payload, provided.as_ref()).outcome(Err(error));
            }
        }
        let result = unary::call(&mut lane.channel, request, self.max_response_size).await;
        if matches!(result, Ok(_) | Err(CallError::NotGrpc(_))) {
            self.connection.count_answer(&lane);
        }
        // Only now, so that hints know what has come over the connection meanwhile.
        self.tried(payload, provided.as_ref()).outcome(result)
    }

    /// The request and those of its headers that the provider had, or the outcome when it cannot be
    /// sent.
    async fn request(
        &self,
        payload: &Payload,
        deadline: Deadline,
    ) -> Result<(Request<tonic::body::Body>, Option<Headers>), Outcome> {
        let tried = self.tried(payload, None);
        let body = attempt::body(tried, payload, self.compression, self.max_request_size)?;
        let provided = match &self.header_provider {
            Some(provider) => Some(attempt::provided_headers(tried, provider).await?),
            None => None,
        };
        let mut headers = self.headers.clone();
        if let Some(provided) = &provided {
            add_headers(&mut headers, provided);
        }
        if let Some(encoding) = body.compression().content_encoding() {
            headers.insert(GRPC_ENCODING, HeaderValue::from_static(encoding));
        }
        if let Some(timeout) = deadline.remaining(Instant::now()) {
            headers.insert(GRPC_TIMEOUT, timeout_value(timeout));
        }
        let framed = MessageBody::new(body.rope(), body.compression() != Compression::None)
            .ok_or_else(|| attempt::not_sent(tried, "4 GiB do not fit into a gRPC message"))?;
        let mut request = Request::new(tonic::body::Body::new(framed));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static(payload.signal().grpc_path());
        *request.version_mut() = Version::HTTP_2;
        *request.headers_mut() = headers;
        Ok((request, provided))
    }

    fn tried<'a>(&'a self, payload: &Payload, provided: Option<&'a Headers>) -> Tried<'a> {
        let silent = !self.connection.has_answered() && self.connection.is_silent();
        let redactor = Redactor::new(&self.own_headers).with_secrets(&self.secrets);
        Tried {
            origin: &self.origin,
            signal: payload.signal(),
            items: payload.items(),
            attempt: Attempt { tls: self.is_tls, port: self.port, silent },
            limit: self.max_response_size,
            redactor: redactor.with_provided(provided),
        }
    }
}

impl Exporter for GrpcExporter {
    async fn export(&self, payload: Payload, deadline: Deadline) -> Outcome {
        if Handle::try_current().is_err() {
            return attempt::no_runtime();
        }
        let Some(lane) = self.connection.lane() else { return attempt::already_shutdown() };
        let answers = lane.answers();
        let deadline = deadline.within(tokio::time::Instant::now().into_std(), self.timeout);
        let attempt = self.attempt(&lane, &payload, deadline);
        let outcome = match deadline.instant() {
            None => attempt.await,
            Some(at) => match timeout_at(at.into(), attempt).await {
                Ok(outcome) => outcome,
                Err(_) => attempt::timed_out(self.tried(&payload, None), self.timeout),
            },
        };
        let timed_out = outcome.error().is_some_and(|error| error.kind() == ErrorKind::Timeout);
        if timed_out && lane.answers() == answers {
            // The peer may have vanished without a word; keep-alive would take a minute to say so.
            self.connection.replace(&lane);
        }
        outcome
    }

    /// Gives up the connection. Calls that are in flight may still end.
    async fn shutdown(&self, _: Deadline) -> Result<(), ExportError> {
        self.connection.close();
        Ok(())
    }

    fn component_type(&self) -> &'static str {
        self.signal.exporter_type(ExporterType::Grpc)
    }

    fn destination(&self) -> String {
        self.origin.clone()
    }
}

fn endpoint(config: &ExporterConfig, keep_alive: KeepAlive) -> Result<Endpoint, BuildError> {
    let origin = config.endpoint.origin();
    let endpoint = Endpoint::from_shared(origin.to_owned())
        .map_err(|error| BuildError::new("endpoint", format!("{origin} is not a URI: {error}")))?;
    let endpoint = connection::tuned(endpoint, keep_alive);
    if config.endpoint.is_tls() { secured(endpoint, config) } else { Ok(endpoint) }
}

#[cfg(feature = "tls")]
fn secured(endpoint: Endpoint, config: &ExporterConfig) -> Result<Endpoint, BuildError> {
    crate::tls::secured(endpoint, config, connection::CONNECT_TIMEOUT)
}

#[cfg(not(feature = "tls"))]
fn secured(_: Endpoint, config: &ExporterConfig) -> Result<Endpoint, BuildError> {
    let problem = format!(
        "{} needs TLS, which is not built in; enable the feature `tls` (of otlp-sdk, \
         or of otlp-exporter-grpc) \
         or use http:// (for host:port: insecure)",
        config.endpoint
    );
    Err(BuildError::new("endpoint", problem))
}

/// The headers of every request.
fn base_headers(config: &ExporterConfig) -> Result<HeaderMap, BuildError> {
    let mut headers = HeaderMap::new();
    add_headers(&mut headers, &config.headers);
    let user_agent = HeaderValue::from_str(&config.user_agent)
        .map_err(|_| BuildError::new("user agent", "is not a valid header value"))?;
    headers.insert(USER_AGENT, user_agent);
    headers.insert(CONTENT_TYPE, GRPC_MEDIA_TYPE);
    // Asked for by gRPC over HTTP/2, to find proxies that drop trailers.
    headers.insert(TE, HeaderValue::from_static("trailers"));
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

/// The `grpc-timeout` of a duration: at most eight digits and a unit.
fn timeout_value(timeout: Duration) -> HeaderValue {
    const LONGEST: u128 = 99_999_999;
    let text = match timeout.as_millis() {
        millis @ ..=LONGEST => format!("{}m", millis.max(1)),
        _ => format!("{}S", u128::from(timeout.as_secs()).min(LONGEST)),
    };
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("1S"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_has_at_most_eight_digits() {
        let text = |timeout| timeout_value(timeout).to_str().unwrap().to_owned();
        assert_eq!(text(Duration::ZERO), "1m");
        assert_eq!(text(Duration::from_millis(9_999)), "9999m");
        assert_eq!(text(Duration::from_secs(100_000)), "100000S");
        assert_eq!(text(Duration::MAX), "99999999S");
    }
}
