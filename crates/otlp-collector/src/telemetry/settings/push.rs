//! `readers: [periodic]`: metrics that are sent.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use otlp_core::export::Headers;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::config::{ConfigError, Ignored, Unsupported};

/// `periodic`: sends the numbers over OTLP now and then.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PeriodicReaderSettings {
    /// How often, in milliseconds in the configuration. Default 60 s.
    #[serde(default = "minute", deserialize_with = "millis")]
    pub interval: Duration,
    /// How long one round may take, in milliseconds in the configuration. Default 30 s.
    #[serde(default = "half_a_minute", deserialize_with = "millis")]
    pub timeout: Duration,
    /// Where to.
    pub exporter: PushExporterSettings,
}

/// `periodic::exporter`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct PushExporterSettings {
    /// Over OTLP.
    pub otlp: OtlpPushSettings,
    #[serde(default, rename = "console")]
    _console: Option<Unsupported>,
}

/// `otlp` of a periodic reader.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct OtlpPushSettings {
    /// `grpc` (also `grpc/protobuf`), `http/protobuf` or `http/json`.
    pub protocol: PushProtocol,
    /// A URL, or host and port. `/v1/metrics` is added to a URL of HTTP without a path.
    pub endpoint: String,
    /// Whether an endpoint without a scheme is reached without TLS. Default false.
    #[serde(default)]
    pub insecure: bool,
    /// Headers of every request: a list of `name` and `value`, or a mapping. Default none.
    #[serde(default, deserialize_with = "headers")]
    pub headers: Headers,
    #[serde(default)]
    headers_list: HeadersList,
    /// `gzip` or `none`. Default none.
    #[serde(default)]
    pub compression: PushCompression,
    /// How long an attempt may take, in milliseconds in the configuration. Default 10 s.
    #[serde(default = "ten_seconds", deserialize_with = "millis")]
    pub timeout: Duration,
    /// Who signs the server's certificate: a file in PEM. Default the system's roots.
    #[serde(default)]
    pub certificate: Option<PathBuf>,
    /// The client's certificate: a file in PEM.
    #[serde(default)]
    pub client_certificate: Option<PathBuf>,
    /// The client's key: a file in PEM.
    #[serde(default)]
    pub client_key: Option<PathBuf>,
    #[serde(default, rename = "temporality_preference")]
    _temporality: Option<Cumulative>,
    #[serde(default, rename = "default_histogram_aggregation")]
    _aggregation: Ignored,
}

/// How it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[non_exhaustive]
pub enum PushProtocol {
    /// gRPC.
    #[serde(rename = "grpc", alias = "grpc/protobuf")]
    Grpc,
    /// HTTP with bodies in protobuf.
    #[serde(rename = "http/protobuf")]
    HttpProtobuf,
    /// HTTP with bodies in JSON.
    #[serde(rename = "http/json")]
    HttpJson,
}

/// How it is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PushCompression {
    /// Not at all.
    #[default]
    None,
    /// With gzip.
    Gzip,
}

/// Counts since the start, which are all that there is.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Cumulative {
    Cumulative,
}

impl PeriodicReaderSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if self.interval < SHORTEST {
            let message = "it is too short; accepted are 100 (milliseconds) and more";
            return Err(ConfigError::new(message).under("interval"));
        }
        let otlp = &self.exporter.otlp;
        if otlp.endpoint.is_empty() {
            let error = ConfigError::new("it must name a host");
            return Err(error.under("endpoint").under("otlp").under("exporter"));
        }
        if otlp.client_certificate.is_some() != otlp.client_key.is_some() {
            let error = ConfigError::new("client_certificate and client_key go together");
            return Err(error.under("otlp").under("exporter"));
        }
        Ok(())
    }
}

impl OtlpPushSettings {
    /// The endpoint as a URL.
    pub(in super::super) fn url(&self) -> String {
        match self.endpoint.contains("://") {
            true => self.endpoint.clone(),
            false if self.insecure => format!("http://{}", self.endpoint),
            false => format!("https://{}", self.endpoint),
        }
    }

    /// The headers, of both keys.
    pub(in super::super) fn all_headers(&self) -> Result<Headers, otlp_core::export::HeaderError> {
        let mut all = self.headers_list.0.clone();
        all.merge(&self.headers)?;
        Ok(all)
    }
}

/// `name=value,name=value`.
#[derive(Clone, Debug, Default)]
struct HeadersList(Headers);

impl<'de> Deserialize<'de> for HeadersList {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Headers::parse(&text).map(Self).map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    name: String,
    value: String,
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Headers, D::Error> {
    struct ListOrMapping;

    impl<'de> Visitor<'de> for ListOrMapping {
        type Value = Headers;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of name and value, or a mapping")
        }

        fn visit_seq<S: SeqAccess<'de>>(self, mut list: S) -> Result<Headers, S::Error> {
            let mut headers = Headers::new();
            while let Some(Header { name, value }) = list.next_element()? {
                headers.insert(&name, value).map_err(S::Error::custom)?;
            }
            Ok(headers)
        }

        fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Headers, M::Error> {
            let mut headers = Headers::new();
            while let Some((name, value)) = map.next_entry::<String, String>()? {
                headers.insert(&name, value).map_err(M::Error::custom)?;
            }
            Ok(headers)
        }

        fn visit_unit<E>(self) -> Result<Headers, E> {
            Ok(Headers::new())
        }
    }

    deserializer.deserialize_any(ListOrMapping)
}

fn millis<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    u64::deserialize(deserializer).map(Duration::from_millis)
}

const fn minute() -> Duration {
    Duration::from_secs(60)
}

const fn half_a_minute() -> Duration {
    Duration::from_secs(30)
}

const fn ten_seconds() -> Duration {
    Duration::from_secs(10)
}

const SHORTEST: Duration = Duration::from_millis(100);
