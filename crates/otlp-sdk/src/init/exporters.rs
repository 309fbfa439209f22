//! The exporters that the settings ask for, chosen at run time among those that were compiled in.

use std::fmt;

use otlp_core::export::{
    BoxedExporter, ConfigError, ConfigWarning, Env, EnvReader, Exporter as _, ExporterConfig,
    ExporterConfigBuilder, Protocol,
};

use crate::config::{self, ExporterKind};
use crate::console::ConsoleExporter;
use crate::pipeline::BatchConfig;

/// What the settings have led to.
pub(super) struct Made {
    pub(super) exporters: Vec<(BoxedExporter, BatchConfig)>,
    pub(super) protocol: Option<Protocol>,
    pub(super) warnings: Vec<ConfigWarning>,
}

/// The exporters that the settings ask for.
pub(super) fn exporters(
    settings: &ExporterConfigBuilder,
    env: &Env,
    reader: &mut EnvReader<'_>,
    batch: &BatchConfig,
) -> Result<Made, InitError> {
    let mut made = Made { exporters: Vec::new(), protocol: None, warnings: Vec::new() };
    for kind in config::exporters(reader, "OTEL_TRACES_EXPORTER") {
        match kind {
            ExporterKind::None => {}
            ExporterKind::Console => {
                made.exporters.push((ConsoleExporter::new().boxed(), config::console_batch()));
            }
            ExporterKind::Otlp => {
                let configured = settings.clone().build(env)?;
                made.warnings.extend(configured.warnings);
                let mut batch = batch.clone();
                batch.max_request_bytes =
                    batch.max_request_bytes.min(configured.config.max_request_size);
                let (exporter, protocol) =
                    otlp_exporter(configured.config, env, &mut made.warnings)?;
                made.protocol = Some(protocol);
                made.exporters.push((exporter, batch));
            }
        }
    }
    Ok(made)
}

/// The exporter for a protocol, chosen at run time among those that were compiled in.
fn otlp_exporter(
    mut config: ExporterConfig,
    env: &Env,
    warnings: &mut Vec<ConfigWarning>,
) -> Result<(BoxedExporter, Protocol), InitError> {
    if config.protocol == Protocol::HttpJson {
        warnings.push(ConfigWarning::new(
            protocol_setting(env),
            "http/json is not available for traces yet",
            "grpc, http/protobuf",
            &"http/protobuf, which goes to the same endpoint",
        ));
        config.protocol = Protocol::HttpProtobuf;
    }
    let protocol = config.protocol;
    let exporter = match protocol {
        Protocol::Grpc => grpc_exporter(config)?,
        _ => http_exporter(config)?,
    };
    Ok((exporter, protocol))
}

/// Who chose the protocol. Code leaves the variables unread, and then they say something else.
fn protocol_setting(env: &Env) -> &'static str {
    let says_json = |name: &&'static str| {
        env.reader().string(name).is_some_and(|value| value.eq_ignore_ascii_case("http/json"))
    };
    ["OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"]
        .into_iter()
        .find(says_json)
        .unwrap_or("with_protocol")
}

#[cfg(feature = "grpc")]
fn grpc_exporter(config: ExporterConfig) -> Result<BoxedExporter, InitError> {
    let exporter = otlp_exporter_grpc::GrpcExporter::from_config(config);
    exporter.map(|it| it.boxed()).map_err(|error| InitError::Exporter(Box::new(error)))
}

#[cfg(not(feature = "grpc"))]
fn grpc_exporter(_config: ExporterConfig) -> Result<BoxedExporter, InitError> {
    Err(InitError::MissingFeature { protocol: "grpc", feature: "grpc" })
}

#[cfg(feature = "http")]
fn http_exporter(config: ExporterConfig) -> Result<BoxedExporter, InitError> {
    let exporter = otlp_exporter_http::HttpExporter::from_config(config);
    exporter.map(|it| it.boxed()).map_err(|error| InitError::Exporter(Box::new(error)))
}

#[cfg(not(feature = "http"))]
fn http_exporter(_config: ExporterConfig) -> Result<BoxedExporter, InitError> {
    Err(InitError::MissingFeature { protocol: "http/protobuf", feature: "http" })
}

/// Why telemetry could not be set up.
///
/// Its `Debug` text is the same as its `Display` text, since that is what a program shows whose
/// `main` returns it.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum InitError {
    /// A setting is wrong; the text names it, its value and what is accepted.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The exporter could not be made, for example because a certificate cannot be read.
    #[error("the exporter could not be made: {0}")]
    Exporter(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The protocol that was asked for is not compiled in.
    #[error(
        "the protocol {protocol} was asked for, but `otlp-sdk` was built without its feature `{feature}`"
    )]
    MissingFeature {
        /// The protocol.
        protocol: &'static str,
        /// The feature that brings it.
        feature: &'static str,
    },
}

impl fmt::Debug for InitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
