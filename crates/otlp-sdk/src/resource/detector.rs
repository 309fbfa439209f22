//! What finds out about the surroundings.

use super::Resource;

/// Finds attributes of the surroundings: host, process, cloud, whatever it knows.
///
/// Runs once, when the resource is built, on the thread that builds it. Finding nothing is not an
/// error (row S4): return [`Resource::empty`]. A detector sets the schema URL of the conventions
/// that its attributes follow, with [`Resource::with_schema_url`].
///
/// A closure is a detector too, and what it returns may be a resource of the official SDK, so its
/// detectors work as they are:
///
/// ```
/// use opentelemetry::KeyValue;
/// use otlp_sdk::resource::Resource;
///
/// # struct CloudDetector;
/// # impl opentelemetry_sdk::resource::ResourceDetector for CloudDetector {
/// #     fn detect(&self) -> opentelemetry_sdk::Resource {
/// #         opentelemetry_sdk::Resource::builder_empty()
/// #             .with_attribute(KeyValue::new("cloud.region", "eu-north-1")).build()
/// #     }
/// # }
/// use opentelemetry_sdk::resource::ResourceDetector as _;
///
/// let resource = Resource::builder()
///     .with_detector(|| CloudDetector.detect())
///     .with_detector(|| Resource::new([KeyValue::new("deployment.environment.name", "test")]))
///     .build();
///
/// assert!(resource.get("cloud.region").is_some());
/// ```
pub trait ResourceDetector {
    /// Looks, once.
    fn detect(&self) -> Resource;
}

impl<F, R> ResourceDetector for F
where
    F: Fn() -> R,
    R: Into<Resource>,
{
    fn detect(&self) -> Resource {
        self().into()
    }
}
