//! Nodes between receivers and exporters.

mod edit;
mod factory;

pub use self::edit::{EditCounts, EditProcessor};
pub(crate) use self::factory::FACTORIES;
