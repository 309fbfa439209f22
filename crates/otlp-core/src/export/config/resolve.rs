//! Code > variable of the signal > generic variable > default, for every setting.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use http::HeaderValue;

use super::builder::{ExporterConfigBuilder, Target};
use super::tls_sources::{Sourced, TlsSources};
use super::{
    ConfigError, Configured, DEFAULT_MAX_REQUEST_SIZE, DEFAULT_MAX_RESPONSE_SIZE, DEFAULT_TIMEOUT,
    ExporterConfig, Protocol,
};
use crate::export::compression::Compression;
use crate::export::endpoint::{Endpoint, EndpointError};
use crate::export::env::{ConfigWarning, Env, EnvReader};
use crate::export::headers::{HeaderError, Headers};
use crate::export::secret::Secret;
use crate::export::tls::{Pem, TlsConfig};
use crate::signal::Signal;

pub(super) fn resolve(code: ExporterConfigBuilder, env: &Env) -> Result<Configured, ConfigError> {
    let mut vars = Variables { signal: code.signal, reader: env.reader() };
    let protocol = match code.protocol {
        Some(protocol) => protocol,
        None => vars.protocol(code.protocols),
    };
    let endpoint = vars.endpoint(protocol, code.endpoint.as_ref(), code.insecure)?;
    let headers = vars.headers(&code.headers, &endpoint)?;
    let timeout = code.timeout.unwrap_or_else(|| vars.timeout());
    let compression = code.compression.unwrap_or_else(|| vars.compression());
    let tls = vars.tls(&code.tls, &endpoint)?;
    let config = ExporterConfig {
        signal: code.signal,
        protocol,
        endpoint,
        headers,
        header_provider: code.header_provider,
        timeout: (!timeout.is_zero()).then_some(timeout),
        compression,
        tls,
        max_request_size: positive(
            "with_max_request_size",
            code.max_request_size.unwrap_or(DEFAULT_MAX_REQUEST_SIZE),
        )?
        .get(),
        max_response_size: positive(
            "with_max_response_size",
            code.max_response_size.unwrap_or(DEFAULT_MAX_RESPONSE_SIZE),
        )?
        .get(),
        user_agent: user_agent(code.user_agent_prefix.as_deref())?,
    };
    Ok(Configured { config, warnings: vars.reader.into_warnings() })
}

/// The variables of one signal.
struct Variables<'e> {
    signal: Signal,
    reader: EnvReader<'e>,
}

impl<'e> Variables<'e> {
    /// One of those that the exporter speaks, of which the first is the default; of all if there are none.
    fn protocol(&mut self, spoken: &[Protocol]) -> Protocol {
        let default = spoken.first().copied().unwrap_or_default();
        self.first("PROTOCOL", &default, |reader, name, using| {
            let named = reader.one_of(name, &Protocol::NAMES, using)?;
            if spoken.is_empty() || spoken.contains(&named) {
                return Some(named);
            }
            let names: Vec<_> = spoken.iter().map(|protocol| protocol.name()).collect();
            let problem = "is not spoken by the exporter that the program has chosen";
            let warning = ConfigWarning::new(name, problem, names.join(", "), using);
            reader.warn(warning.with_value(named.name()));
            None
        })
        .unwrap_or(default)
    }

    fn timeout(&mut self) -> Duration {
        let default = format_args!("{} ms", DEFAULT_TIMEOUT.as_millis());
        self.first("TIMEOUT", &default, |reader, name, using| reader.millis_or(name, using))
            .unwrap_or(DEFAULT_TIMEOUT)
    }

    fn compression(&mut self) -> Compression {
        let default = Compression::default();
        self.first("COMPRESSION", &default, |reader, name, using| {
            reader.one_of(name, &Compression::NAMES, using)
        })
        .unwrap_or_default()
    }

    fn endpoint(
        &mut self,
        protocol: Protocol,
        code: Option<&Target>,
        insecure: Option<bool>,
    ) -> Result<Endpoint, ConfigError> {
        let Some(found) = self.find_endpoint(code) else {
            return Ok(Endpoint::default_for(protocol, self.signal));
        };
        let made = match protocol {
            Protocol::Grpc => {
                let insecure = !found.text.contains("://") && self.insecure(insecure);
                Endpoint::grpc(&found.text, insecure)
            }
            _ if found.exact => Endpoint::exact(&found.text),
            _ => Endpoint::base(&found.text, self.signal),
        };
        let endpoint = made.map_err(|error| endpoint_error(&found.setting, &error))?;
        self.check_endpoint(protocol, &found, &endpoint);
        Ok(endpoint)
    }

    /// The endpoint that counts, with the name of its setting and its rule.
    fn find_endpoint(&mut self, code: Option<&Target>) -> Option<FoundEndpoint> {
        match code {
            Some(Target::Base(text)) => {
                return Some(FoundEndpoint::new("with_endpoint", text.expose(), false));
            }
            Some(Target::Exact(text)) => {
                return Some(FoundEndpoint::new("with_exact_url", text.expose(), true));
            }
            None => {}
        }
        let [own, generic] = self.names("ENDPOINT");
        if let Some(text) = self.reader.string(&own) {
            return Some(FoundEndpoint::new(&own, text, true));
        }
        let text = self.reader.string(&generic)?;
        Some(FoundEndpoint::new(&generic, text, false))
    }

    fn insecure(&mut self, code: Option<bool>) -> bool {
        code.or_else(|| self.first("INSECURE", &false, |reader, name, _| reader.bool(name)))
            .unwrap_or(false)
    }

    /// Warns of endpoints that are valid but that hardly anybody means.
    fn check_endpoint(&mut self, protocol: Protocol, found: &FoundEndpoint, endpoint: &Endpoint) {
        let problem = match protocol {
            Protocol::Grpc if Endpoint::has_path(&found.text) => "has a path, which gRPC ignores",
            Protocol::Grpc if endpoint.port() == Protocol::HttpProtobuf.default_port() => {
                "has the port of OTLP over HTTP, but the protocol is grpc"
            }
            Protocol::Grpc => return,
            _ if endpoint.port() == Protocol::Grpc.default_port() => {
                "has the port of OTLP over gRPC, but the protocol is HTTP"
            }
            _ if !found.exact && has_signal_path_twice(endpoint.path(), self.signal) => {
                "already ends with the path of the signal, which is appended"
            }
            _ if self.has_path_of_another(found, endpoint) => "has the path of another signal",
            // By the specification it is used as it is, path and all.
            _ if found.exact && found.setting.starts_with(PREFIX) && endpoint.path() == "/" => {
                "has no path; requests go to `/`, where OTLP servers do not listen"
            }
            _ => return,
        };
        let accepted = match protocol {
            Protocol::Grpc => "http://host:4317 or https://host:4317 for grpc",
            _ if found.exact => "the whole URL, such as http://host:4318/v1/traces",
            _ => "http://host:4318 or https://host:4318 as the base URL for HTTP",
        };
        self.reader.warn(ConfigWarning::new(&found.setting, problem, accepted, endpoint));
    }

    fn has_path_of_another(&self, found: &FoundEndpoint, endpoint: &Endpoint) -> bool {
        let path = endpoint.path();
        // What is appended is our own.
        let own = if found.exact { None } else { path.strip_suffix(self.signal.http_path()) };
        let given = own.unwrap_or(path).trim_end_matches('/');
        let mut others = Signal::ALL.iter().filter(|other| **other != self.signal);
        others.any(|other| given.ends_with(other.http_path()))
    }

    /// The environment's headers, overridden by those from code; credentials in the URL become
    /// an `authorization` header where there is none.
    fn headers(
        &mut self,
        code: &[(String, Secret)],
        endpoint: &Endpoint,
    ) -> Result<Headers, ConfigError> {
        let mut headers = self.env_headers();
        for (name, value) in code {
            match headers.insert(name, value.clone()) {
                Ok(()) => {}
                Err(error @ HeaderError::Reserved { .. }) => {
                    self.reader.warn(header_warning("with_header", &error));
                }
                Err(error) => {
                    return Err(ConfigError::new("with_header", None, error.to_string(), HEADERS));
                }
            }
        }
        if let Some(basic) = endpoint.basic_auth()
            && headers.get(AUTHORIZATION).is_none()
        {
            // Only a full list can refuse it.
            headers.insert(AUTHORIZATION, basic.clone()).map_err(|error| {
                ConfigError::new("with_header", None, error.to_string(), HEADERS)
            })?;
        }
        Ok(headers)
    }

    fn env_headers(&mut self) -> Headers {
        let [own, generic] = self.names("HEADERS");
        // The signal's variable replaces the generic one as a whole; an empty one is not set.
        let name = if self.reader.is_set(&own) { own } else { generic };
        let Some(text) = self.reader.string(&name) else {
            return Headers::new();
        };
        let (headers, errors) = Headers::parse_usable(text);
        for error in errors {
            // `***`: that there is a value, and no more.
            self.reader.warn(header_warning(&name, &error).with_value(""));
        }
        headers
    }

    fn tls(&mut self, code: &TlsConfig, endpoint: &Endpoint) -> Result<TlsConfig, ConfigError> {
        let mut tls = TlsSources::of(code);
        if tls.ca.is_none() {
            tls.ca = self.pem("CERTIFICATE");
        }
        // A certificate fits only its own key, so both come from the same side.
        if tls.client_cert.is_none() && tls.client_key.is_none() {
            tls.client_cert = self.pem("CLIENT_CERTIFICATE");
            tls.client_key = self.pem("CLIENT_KEY");
        }
        tls.check_identity()?;
        if let Some(setting) = tls.first_setting()
            && !endpoint.is_tls()
        {
            let problem = "has no effect, since the endpoint is not encrypted";
            self.reader.warn(ConfigWarning::new(setting, problem, "an https endpoint", endpoint));
        }
        Ok(tls.into_config(code))
    }

    fn pem(&mut self, setting: &str) -> Option<Sourced> {
        self.first(setting, &"none", |reader, name, _| {
            let path = reader.string(name)?;
            let pem = Pem::from_path(path).named_by(name);
            Some(Sourced { setting: name.to_owned(), pem })
        })
    }

    /// The first variable with a usable value. `default` is what a warning names when there is
    /// no other.
    fn first<T>(
        &mut self,
        setting: &str,
        default: &dyn fmt::Display,
        read: impl Fn(&mut EnvReader<'e>, &str, &dyn fmt::Display) -> Option<T>,
    ) -> Option<T> {
        let [own, generic] = self.names(setting);
        let next: &dyn fmt::Display = if self.reader.is_set(&generic) { &generic } else { default };
        read(&mut self.reader, &own, next).or_else(|| read(&mut self.reader, &generic, default))
    }

    /// The variable of the signal and the generic one.
    fn names(&self, setting: &str) -> [String; 2] {
        let infix = self.signal.env_infix();
        [format!("{PREFIX}_{infix}_{setting}"), format!("{PREFIX}_{setting}")]
    }
}

struct FoundEndpoint {
    setting: String,
    text: String,
    /// Nothing is appended.
    exact: bool,
}

impl FoundEndpoint {
    fn new(setting: &str, text: &str, exact: bool) -> Self {
        Self { setting: setting.to_owned(), text: text.to_owned(), exact }
    }
}

const PREFIX: &str = "OTEL_EXPORTER_OTLP";
const AUTHORIZATION: &str = "authorization";
const HEADERS: &str = "HTTP header names with values of visible ASCII";

fn endpoint_error(setting: &str, error: &EndpointError) -> ConfigError {
    ConfigError::new(setting, Some(error.value()), error.problem(), error.accepted())
}

fn header_warning(setting: &str, error: &HeaderError) -> ConfigWarning {
    let problem = format!("cannot be used in part: {error}");
    let accepted = match error {
        HeaderError::Reserved { .. } => "headers that the exporter does not set itself",
        _ => "name=value,name=value with percent-encoded values",
    };
    ConfigWarning::new(setting, problem, accepted, &"the others, if there are any")
}

fn has_signal_path_twice(path: &str, signal: Signal) -> bool {
    let own = signal.http_path();
    let before = path.strip_suffix(own).map(|rest| rest.trim_end_matches('/'));
    before.is_some_and(|rest| rest.ends_with(own))
}

fn positive(method: &str, value: usize) -> Result<NonZeroUsize, ConfigError> {
    let error = || ConfigError::new(method, Some("0"), "is too small", "1 or more");
    NonZeroUsize::new(value).ok_or_else(error)
}

/// `<prefix> OTel-OTLP-Exporter-Rust/<version> (otlp-rs)`: product tokens and a comment, as RFC
/// 9110 has them.
fn user_agent(prefix: Option<&str>) -> Result<String, ConfigError> {
    const OWN: &str = concat!("OTel-OTLP-Exporter-Rust/", env!("CARGO_PKG_VERSION"), " (otlp-rs)");
    let Some(prefix) = prefix.map(str::trim).filter(|prefix| !prefix.is_empty()) else {
        return Ok(OWN.to_owned());
    };
    if !prefix.is_ascii() || prefix.len() > PREFIX_MAX || HeaderValue::from_str(prefix).is_err() {
        let accepted = "visible ASCII of at most 256 bytes, such as acme-agent/2.1";
        return Err(ConfigError::new(
            "with_user_agent_prefix",
            Some(prefix),
            "is not valid in a User-Agent",
            accepted,
        ));
    }
    Ok(format!("{prefix} {OWN}"))
}

const PREFIX_MAX: usize = 256;
