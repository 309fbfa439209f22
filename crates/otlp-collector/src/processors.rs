//! Nodes between receivers and exporters.

mod edit;
mod factory;
mod rules;

pub use self::edit::{EditCounts, EditProcessor};
pub(crate) use self::factory::FACTORIES;
pub use self::rules::Rules;
