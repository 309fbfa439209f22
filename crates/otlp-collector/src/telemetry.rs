//! What the collector tells of itself: its numbers, and its messages.
//!
//! [`TelemetrySettings`] is what stands under `service::telemetry`. [`start`] serves the numbers as Prometheus
//! text and sends them over OTLP; [`logs::init`] writes the messages of a program that is a collector and nothing
//! else. Whoever embeds the collector keeps their own subscriber of `tracing`.

pub(crate) mod exporter;
pub mod logs;
mod measurements;
mod otlp;
pub(crate) mod pipeline;
mod process;
pub(crate) mod processor;
mod prometheus;
mod push;
pub(crate) mod receiver;
mod resource;
mod service;
mod settings;

pub use self::measurements::{Instrument, InstrumentKind, Measurements, Point, Value};
pub use self::service::{Telemetry, start};
pub use self::settings::{
    IncludeExclude, Level, LogEncoding, LogLevel, LogSettings, MetricsSettings, OtlpPushSettings,
    PeriodicReaderSettings, PrometheusSettings, PullExporterSettings, PullReaderSettings,
    PushCompression, PushExporterSettings, PushProtocol, ReaderSettings, ResourceSettings,
    SamplingSettings, TelemetrySettings,
};
