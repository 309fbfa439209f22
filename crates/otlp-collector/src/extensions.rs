//! What stands beside the pipelines.

use crate::component::Extension;
use crate::registry::Factory;

pub(crate) const FACTORIES: &[Factory<dyn Extension>] = &[];
