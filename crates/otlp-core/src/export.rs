//! The export contract and all that exporters share: outcomes, retry decisions, configuration.
//!
//! One trait, [`Exporter`], takes a [`Payload`](crate::Payload) and returns an [`Outcome`]. The
//! same exporters can serve any SDK and any pipeline. Nothing here opens a socket,
//! starts a thread or reads a clock; the environment is read in one file, `env`.
//!
//! For whoever writes an exporter, [`attempt`], [`cause`], [`redact`] and [`text`] have the parts
//! that do not depend on the transport.

pub mod attempt;
pub mod cause;
mod compression;
mod config;
mod endpoint;
mod env;
mod exporter;
mod headers;
mod outcome;
pub mod redact;
pub mod retry;
mod secret;
mod status;
pub mod text;
mod tls;

pub use self::compression::{
    CompressError, Compression, DecompressError, Decompressor, UnknownCompression, compress,
    decompress,
};
pub use self::config::{
    BuildError, ConfigError, Configured, DEFAULT_MAX_REQUEST_SIZE, DEFAULT_MAX_RESPONSE_SIZE,
    DEFAULT_TIMEOUT, ExporterConfig, ExporterConfigBuilder, Protocol,
};
pub use self::endpoint::{Endpoint, EndpointError};
pub use self::env::{ConfigWarning, Env, EnvReader};
pub use self::exporter::{BoxedExporter, Deadline, Exporter};
pub use self::headers::{HeaderError, HeaderProvider, HeaderProviderError, Headers};
pub use self::outcome::{ErrorKind, ExportError, Outcome};
pub use self::secret::Secret;
pub use self::status::{AnswerStatus, grpc_status_name};
pub use self::tls::{Pem, PemSource, TlsConfig};
