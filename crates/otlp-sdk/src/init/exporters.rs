//! The exporters that the settings ask for, chosen at run time among those that were compiled in.

use std::fmt;

use otlp_core::Signal;
use otlp_core::export::{
    BoxedExporter, ConfigError, ConfigWarning, Env, EnvReader, Exporter as _, ExporterConfig,
    ExporterConfigBuilder, Protocol,
};

use crate::config::{self, ExporterKind};
use crate::console::ConsoleExporter;

/// An exporter that the settings ask for.
pub(super) struct Made {
    pub(super) exporter: BoxedExporter,
    /// Most bytes of a request that it takes.
    pub(super) max_request_bytes: usize,
    /// How it speaks to a server, if it does.
    pub(super) protocol: Option<Protocol>,
    /// Whether it prints for somebody who is looking, at once (row R11).
    pub(super) prints: bool,
    /// Whether it writes lines for another program, and no server has a limit of its own.
    pub(super) is_file: bool,
}

impl Made {
    pub(super) const fn without_limit(exporter: BoxedExporter) -> Self {
        Self {
            exporter,
            max_request_bytes: usize::MAX,
            protocol: None,
            prints: false,
            is_file: false,
        }
    }
}

/// The exporters of a signal that the settings ask for.
pub(super) fn exporters(
    settings: &ExporterConfigBuilder,
    signal: Signal,
    env: &Env,
    reader: &mut EnvReader<'_>,
    warnings: &mut Vec<ConfigWarning>,
) -> Result<Vec<Made>, InitError> {
    let mut made = Vec::new();
    for kind in config::exporters(reader, &format!("OTEL_{}_EXPORTER", signal.env_infix())) {
        match kind {
            ExporterKind::None => {}
            ExporterKind::Console => {
                let exporter = ConsoleExporter::new().boxed();
                made.push(Made { prints: true, ..Made::without_limit(exporter) });
            }
            // With a batch as for every server (row X5).
            #[cfg(feature = "file")]
            ExporterKind::OtlpStdout => {
                let exporter = stdout_exporter(signal)?;
                made.push(Made { is_file: true, ..Made::without_limit(exporter) });
            }
            ExporterKind::Otlp => {
                let configured = settings.clone().build(env)?;
                warnings.extend(configured.warnings);
                let max_request_bytes = configured.config.max_request_size;
                let protocol = Some(configured.config.protocol);
                let exporter = otlp_exporter(configured.config)?;
                made.push(Made { max_request_bytes, protocol, ..Made::without_limit(exporter) });
            }
        }
    }
    Ok(made)
}

/// The exporter for a protocol, chosen at run time among those that were compiled in.
fn otlp_exporter(config: ExporterConfig) -> Result<BoxedExporter, InitError> {
    match config.protocol {
        Protocol::Grpc => grpc_exporter(config),
        Protocol::HttpJson => json_exporter(config),
        _ => http_exporter(config),
    }
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

#[cfg(feature = "json")]
fn json_exporter(config: ExporterConfig) -> Result<BoxedExporter, InitError> {
    http_exporter(config)
}

#[cfg(not(feature = "json"))]
fn json_exporter(_config: ExporterConfig) -> Result<BoxedExporter, InitError> {
    Err(InitError::MissingFeature { protocol: "http/json", feature: "json" })
}

#[cfg(feature = "file")]
fn stdout_exporter(signal: Signal) -> Result<BoxedExporter, InitError> {
    let exporter = crate::file::FileExporter::builder(signal).build();
    exporter.map(|it| it.boxed()).map_err(|error| InitError::Exporter(Box::new(error)))
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
    Exporter(Box<dyn std::error::Error + Send + Sync>),
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
