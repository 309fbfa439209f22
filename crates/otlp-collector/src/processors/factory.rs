//! The processors that a configuration may name.

use crate::component::Processor;
use crate::edit::{AttributesSettings, FilterSettings, ResourceSettings};
use crate::processors::memory_limiter::MemoryLimiter;
use crate::processors::placed::Placed;
use crate::processors::{
    BatchProcessorSettings, MemoryLimiterSettings, ProbabilisticSamplerSettings,
    ResourceDetectionSettings,
};
use crate::registry::Factory;

pub(crate) const FACTORIES: &[Factory<dyn Processor>] = &[
    Factory::new(&["attributes"], |_, node| {
        Ok(Box::new(Placed::<AttributesSettings>::read(node)?))
    }),
    Factory::new(&["batch"], |_, node| {
        let settings = node.read::<BatchProcessorSettings>()?;
        settings.validate()?;
        Ok(Box::new(settings))
    }),
    Factory::new(&["filter"], |_, node| Ok(Box::new(node.read::<FilterSettings>()?))),
    Factory::new(&["memory_limiter"], |_, node| {
        let settings = node.read::<MemoryLimiterSettings>()?;
        settings.validate()?;
        Ok(Box::new(MemoryLimiter::new(settings)))
    }),
    Factory::new(&["probabilistic_sampler"], |_, node| {
        let settings = node.read::<ProbabilisticSamplerSettings>()?;
        settings.validate()?;
        Ok(Box::new(settings))
    }),
    Factory::new(&["resource"], |_, node| Ok(Box::new(Placed::<ResourceSettings>::read(node)?))),
    Factory::new(&["resourcedetection"], |_, node| {
        let settings = node.read::<ResourceDetectionSettings>()?;
        settings.validate()?;
        Ok(Box::new(settings))
    }),
];
