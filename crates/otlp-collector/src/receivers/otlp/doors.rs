//! From settings to what serves a listener's connections.

use std::sync::Arc;
use std::time::Duration;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use otlp_core::Signal;

use super::auth::Authenticator;
use super::connection::{Door, End};
use super::cors::Cors;
use super::grpc::GrpcEnd;
use super::http::HttpEnd;
use super::http2::Http2Limits;
use super::inflate::Encoding;
use super::intake::Intake;
use super::lifetime::Times;
use super::settings::{
    ALGORITHMS, AuthSettings, GrpcSettings, HttpSettings, LimitSettings, STREAMS, ServerParameters,
    TlsServerSettings, limit,
};
use super::slots::Slots;
use super::start::{OtlpReceiver, StartError};
use super::tls::Tls;

impl OtlpReceiver {
    pub(super) fn grpc_door(
        &self,
        settings: &GrpcSettings,
        intake: &Arc<Intake>,
        slots: Slots,
    ) -> Result<Door, StartError> {
        let limits = &intake.limits;
        let parameters = &settings.keepalive.server_parameters;
        let end = End::Grpc(GrpcEnd {
            intake: Arc::clone(intake),
            auth: self.authenticator(settings.auth.as_ref())?,
            limit: settings.max_recv_msg_size(),
        });
        let times = Times {
            head: limits.header_timeout,
            idle: limit(parameters.max_connection_idle).unwrap_or(limits.idle_timeout),
            age: limit(parameters.max_connection_age),
            grace: limit(parameters.max_connection_age_grace).unwrap_or(longest(limits)),
            request: longest(limits),
            ping: parameters.time,
            pong: parameters.timeout,
        };
        let tls = tls("grpc", settings.tls.as_ref(), &[b"h2"])?;
        Ok(door(end, tls, slots, times, settings.streams(), limits))
    }

    pub(super) fn http_door(
        &self,
        settings: &HttpSettings,
        intake: &Arc<Intake>,
        slots: Slots,
    ) -> Result<Door, StartError> {
        let limits = &intake.limits;
        let wrong = |message| StartError::Setting { message };
        let (encodings, accepted) = encodings(&settings.compression_algorithms).map_err(wrong)?;
        let cors = settings.cors.as_ref().map(Cors::of).transpose().map_err(wrong)?.flatten();
        let or = |time, default| limit(time).unwrap_or(default);
        let end = End::Http(Box::new(HttpEnd {
            intake: Arc::clone(intake),
            auth: self.authenticator(settings.auth.as_ref())?,
            cors,
            limit: settings.max_body(),
            paths: [
                (settings.traces_url_path.clone(), Signal::Traces),
                (settings.metrics_url_path.clone(), Signal::Metrics),
                (settings.logs_url_path.clone(), Signal::Logs),
            ],
            encodings,
            accepted,
            headers: response_headers(settings).map_err(wrong)?,
            read_timeout: or(settings.read_timeout, limits.request_timeout),
            answer_timeout: or(settings.write_timeout, limits.request_timeout),
            keep_alive: settings.keep_alives_enabled,
        }));
        let parameters = ServerParameters::default();
        let times = Times {
            head: or(settings.read_header_timeout, limits.header_timeout),
            idle: or(settings.idle_timeout, limits.idle_timeout),
            age: limit(settings.max_connection_age),
            grace: or(settings.max_connection_age_grace, longest(limits)),
            request: longest(limits),
            ping: parameters.time,
            pong: parameters.timeout,
        };
        let tls = tls("http", settings.tls.as_ref(), &[b"h2", b"http/1.1"])?;
        Ok(door(end, tls, slots, times, STREAMS, limits))
    }

    fn authenticator(
        &self,
        settings: Option<&AuthSettings>,
    ) -> Result<Option<Arc<dyn Authenticator>>, StartError> {
        let Some(AuthSettings { authenticator: name, .. }) = settings else { return Ok(None) };
        match self.authenticators.get(name) {
            Some(authenticator) => Ok(Some(Arc::clone(authenticator))),
            None => Err(StartError::NoAuthenticator { name: name.clone() }),
        }
    }
}

fn tls(
    protocol: &'static str,
    settings: Option<&TlsServerSettings>,
    protocols: &[&[u8]],
) -> Result<Option<Tls>, StartError> {
    let tls = settings.map(|settings| Tls::new(settings, protocols)).transpose();
    tls.map_err(|message| StartError::Tls { protocol, message })
}

fn door(
    end: End,
    tls: Option<Tls>,
    slots: Slots,
    times: Times,
    streams: u32,
    limits: &LimitSettings,
) -> Door {
    let http2 = Http2Limits { streams, header_bytes: limits.max_header_bytes };
    Door { end, tls, handshake_timeout: limits.tls_handshake_timeout, slots, times, http2 }
}

/// How long a request may take from its first byte to its answer.
fn longest(limits: &LimitSettings) -> Duration {
    limits.request_timeout.saturating_mul(2)
}

/// The encodings of a body, and the value of `Accept-Encoding` that lists them.
fn encodings(names: &[String]) -> Result<(Vec<Encoding>, HeaderValue), String> {
    let mut encodings = vec![Encoding::Identity];
    for name in names {
        let known = ALGORITHMS.contains(&name.as_str()).then(|| Encoding::of(name.as_bytes()));
        let Some(encoding) = known.flatten() else {
            return Err(format!(
                "compression_algorithms: \"{name}\" is not supported; accepted: gzip, zstd, zlib, deflate"
            ));
        };
        encodings.push(encoding);
    }
    let named: Vec<_> = names.iter().map(String::as_str).filter(|name| !name.is_empty()).collect();
    let accepted = HeaderValue::try_from(named.join(", ")).map_err(|error| error.to_string())?;
    Ok((encodings, accepted))
}

fn response_headers(settings: &HttpSettings) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in &settings.response_headers {
        let wrong = || format!("response_headers: \"{name}\" is no header, or its value is none");
        let known = HeaderName::try_from(name).map_err(|_| wrong())?;
        headers.insert(known, HeaderValue::try_from(value).map_err(|_| wrong())?);
    }
    Ok(headers)
}
