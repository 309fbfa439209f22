//! Nodes between receivers and exporters.

mod batch;
mod edit;
mod factory;
mod rules;

pub use self::batch::BatchProcessorSettings;
pub use self::edit::{EditCounts, EditProcessor};
pub(crate) use self::factory::FACTORIES;
pub use self::rules::Rules;
