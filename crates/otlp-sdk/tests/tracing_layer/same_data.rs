//! The same program under `tracing-opentelemetry` with the official SDK, and under our layer.
