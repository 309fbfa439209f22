//! Logs: provider, logger and record behind the API traits of `opentelemetry`.
//!
//! Applications log through `tracing` or `log`, and a bridge hands the events over:
//! `opentelemetry-appender-tracing` and `opentelemetry-appender-log` work unchanged.
//!
//! ```
//! use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _, Severity};
//! use otlp_sdk::logs::LoggerProvider;
//! use otlp_sdk::testing::InMemoryExporter;
//!
//! let exporter = InMemoryExporter::default();
//! let provider = LoggerProvider::builder().with_batch_exporter(exporter.clone()).build();
//!
//! let logger = provider.logger("shop");
//! let mut record = logger.create_log_record();
//! record.set_severity_number(Severity::Warn);
//! record.set_body("out of stock".into());
//! record.add_attribute("sku", "A-17");
//! logger.emit(record);
//! provider.force_flush()?;
//!
//! let record = &exporter.log_records()[0];
//! assert_eq!(record.severity_number, Some(Severity::Warn));
//! assert_eq!(record.attribute("sku"), Some(&"A-17".into()));
//! assert_eq!(provider.ledger().delivered, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod builder;
mod local;
mod logger;
mod processor;
mod provider;
mod record;
mod targets;

pub use self::builder::LoggerProviderBuilder;
pub use self::logger::Logger;
pub use self::processor::{ActiveLogRecord, LogRecordProcessor};
pub use self::provider::LoggerProvider;
pub use self::record::LogRecord;
pub use crate::config::log_record_limits as log_record_limits_from_env;
