//! otlp-contrib
