//! What takes telemetry in.

pub mod otlp;
