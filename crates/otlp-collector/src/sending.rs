//! The sending side of an exporter: a queue, batches, retries and a time limit around any
//! [`Exporter`](otlp_core::export::Exporter), with the keys and defaults of the Go collector.
//!
//! ```
//! use otlp_collector::consumer::{Batch, Consumer};
//! use otlp_collector::sending::{QueueSettings, Sender, SendingSettings};
//! use otlp_core::export::{Deadline, Exporter, Outcome};
//! use otlp_core::{Payload, Signal};
//!
//! #[derive(Debug)]
//! struct Discard;
//!
//! impl Exporter for Discard {
//!     async fn export(&self, _payload: Payload, _deadline: Deadline) -> Outcome {
//!         Outcome::delivered()
//!     }
//! }
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let sender = Sender::start(Discard.boxed(), SendingSettings::default())?;
//! let payload = Payload::from_request(Signal::Traces, Vec::new())?;
//! let taken = sender.consume(Batch::without_ticket(payload), Deadline::NEVER).await;
//! assert!(taken.error().is_none());
//! sender.shutdown(Deadline::NEVER).await;
//! assert_eq!(sender.account().unaccounted(), 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Without `sending_queue` a batch is delivered before the answer; with it the answer comes as soon as the
//! queue has the batch, or, with `wait_for_result`, when the batch has been delivered. What is delivered in
//! the end, lost or refused is counted in the [`Account`].

mod account;
mod delivery;
mod keys;
mod progress;
mod queue;
mod sender;
mod settings;
mod storage;
mod voice;

pub use self::account::Account;
pub use self::progress::ProgressSnapshot;
pub use self::sender::Sender;
pub use self::settings::{
    BatchSettings, BatchSizer, QueueSettings, QueueSizer, RetrySettings, SendingSettings,
    SettingsError,
};
pub use self::storage::{Kept, MemoryStorage, Storage, StorageFuture};

#[cfg(test)]
mod tests;
