//! Metrics: the official SDK aggregates, our pipeline delivers.
//!
//! [`MeterProvider`] is the official one with readers of ours. Where an application has an
//! [`SdkMeterProvider`](opentelemetry_sdk::metrics::SdkMeterProvider) already, a [`PeriodicReader`] goes into that. Instruments, views, cardinality
//! limits and aggregation are the official SDK's; what it has collected goes straight into OTLP bytes and
//! through the same pipeline as spans: bounded in bytes, retried, with a ledger that balances.
//!
//! A metric of very many attribute sets is sent in pieces of at most 56 KiB: several `Metric` messages of
//! the same name, unit, description, kind and temporality in one scope of one request, each with points of
//! its own, none twice. OTLP permits that, and a receiver that goes by identity has one metric. So no buffer
//! has to hold the whole of it, and a request that a server calls too large can be cut between them.
//!
//! ```
//! use opentelemetry::metrics::MeterProvider as _;
//! use opentelemetry_sdk::metrics::SdkMeterProvider;
//! use otlp_sdk::metrics::PeriodicReader;
//! use otlp_sdk::testing::InMemoryExporter;
//!
//! let reader = PeriodicReader::builder(InMemoryExporter::default()).build();
//! let provider = SdkMeterProvider::builder().with_reader(reader.clone()).build();
//!
//! provider.meter("shop").u64_counter("orders").build().add(1, &[]);
//! reader.force_flush()?;
//! assert_eq!(reader.ledger().delivered, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod collector;
mod config;
pub(crate) mod encode;
mod guarded;
mod provider;
mod reader;

pub use self::config::ReaderConfig;
pub(crate) use self::config::temporality as temporality_from_env;
pub use self::provider::{HistogramAggregation, MeterProvider, MeterProviderBuilder};
pub use self::reader::{PeriodicReader, PeriodicReaderBuilder};
