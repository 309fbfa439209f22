//! The processors that a configuration may name.

use crate::component::Processor;
use crate::edit::{AttributesSettings, FilterSettings, ResourceSettings};
use crate::processors::BatchProcessorSettings;
use crate::registry::Factory;

pub(crate) const FACTORIES: &[Factory<dyn Processor>] = &[
    Factory::new(&["attributes"], |_, node| Ok(Box::new(node.read::<AttributesSettings>()?))),
    Factory::new(&["batch"], |_, node| {
        let settings = node.read::<BatchProcessorSettings>()?;
        settings.validate()?;
        Ok(Box::new(settings))
    }),
    Factory::new(&["filter"], |_, node| Ok(Box::new(node.read::<FilterSettings>()?))),
    Factory::new(&["resource"], |_, node| Ok(Box::new(node.read::<ResourceSettings>()?))),
];
