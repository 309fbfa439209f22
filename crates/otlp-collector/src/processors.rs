//! Nodes between receivers and exporters.

mod batch;
mod edit;
mod factory;
mod filter;
mod memory_limiter;
mod placed;
mod probabilistic_sampler;
mod resource_detection;
mod rules;

pub use self::batch::BatchProcessorSettings;
pub use self::edit::{EditCounts, EditProcessor};
pub(crate) use self::factory::FACTORIES;
pub use self::memory_limiter::MemoryLimiterSettings;
pub use self::probabilistic_sampler::{
    AttributeSource, ProbabilisticSamplerSettings, SamplingMode,
};
pub use self::resource_detection::{
    Detector, HostnameSource, ResourceDetectionSettings, SystemSettings,
};
pub use self::rules::Rules;
