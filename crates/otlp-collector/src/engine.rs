//! Puts components together to pipelines, starts them, and ends them with an account of everything.
//!
//! ```
//! use std::time::{Duration, Instant};
//!
//! use otlp_collector::admission::Budget;
//! use otlp_collector::config::{Config, Source};
//! use otlp_collector::engine::Blueprint;
//! use otlp_collector::registry::Registry;
//! use otlp_core::export::Deadline;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let yaml = "
//! receivers: {otlp: {protocols: {grpc: {endpoint: '127.0.0.1:0'}}}}
//! exporters: {nop: }
//! service: {pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}
//! ";
//! let config = Config::load(&[Source::Yaml(yaml.to_owned())])?;
//! let blueprint = Blueprint::new(&config.settings, &Registry::standard())?;
//! let collector = blueprint.start(Budget::new(64 << 20)).await?;
//! let deadline = Deadline::after(Instant::now(), Duration::from_secs(5));
//! let ledger = collector.stop(deadline).await;
//! assert_eq!(ledger.unaccounted(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! A [`Blueprint`] is what a configuration says, checked as far as that is possible without opening anything.
//! Started it is a [`Collector`]: extensions first, then what sends, then processors and connectors from the end
//! of each pipeline to its beginning, receivers last. It ends the other way round, with one deadline for
//! everything: receivers take nothing more and answer what they have, then each pipeline empties itself, then
//! what waits to be sent is sent. The [`Ledger`] says what became of every item.

mod blueprint;
mod board;
mod collector;
mod entrance;
mod graph;
mod ledger;
mod parts;
mod readiness;
mod shield;
mod start;
mod status;

pub use self::blueprint::Blueprint;
pub(crate) use self::blueprint::Named;
pub use self::board::Board;
pub use self::collector::Collector;
pub use self::entrance::EntranceCounts;
pub use self::ledger::{ExporterLedger, Ledger, Loss, PipelineLedger};
pub use self::start::StartError;
pub use self::status::{ComponentStatus, ExporterStatus, Phase, PipelineStatus, Status};

#[cfg(test)]
mod tests;
