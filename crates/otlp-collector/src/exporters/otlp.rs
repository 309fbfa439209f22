//! The exporters `otlp_grpc` and `otlp_http`: OTLP to another collector or a back end.
//!
//! Keys, defaults and meaning are the Go collector's; a key of its that is not supported is an error if leaving
//! it out could do harm, else a warning in the log. The variables `OTEL_EXPORTER_OTLP_*`, which are meant for
//! applications, have no effect.
//!
//! ```
//! use otlp_collector::component::{Destination, Host};
//! use otlp_collector::exporters::otlp::OtlpGrpcSettings;
//! use otlp_core::Signal;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! let mut settings = OtlpGrpcSettings::to("backend:4317");
//! settings.tls.insecure = true;
//! settings.check()?;
//! let exporter = settings.open(&Host::alone("otlp_grpc".parse()?), Signal::Traces)?;
//! # drop(exporter);
//! # Ok(())
//! # }
//! ```

mod client;
mod compression;
mod grpc;
mod headers;
mod http;
mod tls;

pub use self::compression::{CompressionParams, CompressionType};
pub use self::grpc::{BalancerName, KeepaliveClientSettings, OtlpGrpcSettings};
pub use self::headers::HeaderSettings;
pub use self::http::{HttpEncoding, IdleConnectionSettings, OtlpHttpSettings};
pub use self::tls::TlsClientSettings;
pub use crate::receivers::otlp::{AuthSettings, TlsVersion};
