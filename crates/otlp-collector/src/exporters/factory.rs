//! The exporters that a configuration may name.

use crate::component::Destination;
use crate::exporters::nop::NopSettings;
use crate::registry::Factory;

pub(crate) const FACTORIES: &[Factory<dyn Destination>] =
    &[Factory::new(&["nop"], |_, node| Ok(Box::new(node.read::<NopSettings>()?)))];
