//! Nodes between receivers and exporters.

mod edit;

pub use self::edit::{EditCounts, EditProcessor};
