//! The resource: which service, process and host the telemetry comes from (rows S1 to S4).
//!
//! ```
//! use otlp_sdk::resource::{HostDetector, Resource};
//!
//! let resource = Resource::builder()
//!     .with_service_name("checkout")
//!     .with_detector(HostDetector::new())
//!     .build();
//!
//! assert_eq!(resource.get("telemetry.sdk.name").map(|name| name.as_str()), Some("otlp-rs".into()));
//! ```
//!
//! Detectors read files and ask the standard library. They never start a process: a program
//! found by name on `PATH` may be somebody else's.

mod builder;
mod detector;
mod encode;
mod env;
mod files;
mod host;
mod os;
mod process;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use opentelemetry::{Key, KeyValue, Value};

pub use self::builder::ResourceBuilder;
pub use self::detector::ResourceDetector;
pub use self::host::HostDetector;
pub use self::os::OsDetector;
pub use self::process::ProcessDetector;

/// What produces the telemetry, as attributes with unique keys and an optional schema URL.
///
/// Immutable; `clone` is one reference count. Attributes are in the order of their keys. The
/// limits on span attributes do not hold here (row L5).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Resource {
    inner: Arc<Inner>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Inner {
    attributes: BTreeMap<Key, Value>,
    schema_url: Option<Cow<'static, str>>,
}

impl Resource {
    /// Starts from the SDK's defaults and the environment; see [`ResourceBuilder`] for who wins.
    #[must_use]
    pub fn builder() -> ResourceBuilder {
        ResourceBuilder::with_defaults()
    }

    /// Starts from nothing: no defaults, no environment.
    #[must_use]
    pub fn builder_empty() -> ResourceBuilder {
        ResourceBuilder::empty()
    }

    /// A resource without attributes and schema URL: what a detector returns that found nothing.
    #[must_use]
    pub fn empty() -> Self {
        Self::default()
    }

    /// A resource of these attributes; of a repeated key the last value stays.
    ///
    /// An empty key is not an attribute (specification, "Attribute") and is left out.
    #[must_use]
    pub fn new(attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        let mut inner = Inner::default();
        inner.extend(attributes);
        Self { inner: Arc::new(inner) }
    }

    /// The same attributes under another schema URL; an empty one means none.
    #[must_use]
    pub fn with_schema_url(mut self, schema_url: impl Into<Cow<'static, str>>) -> Self {
        let schema_url = Some(schema_url.into()).filter(|url| !url.is_empty());
        Arc::make_mut(&mut self.inner).schema_url = schema_url;
        self
    }

    /// The value of an attribute.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.inner.attributes.get(key)
    }

    /// The attributes, in the order of their keys.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.inner.attributes.iter()
    }

    /// Number of attributes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.inner.attributes.len()
    }

    /// Whether there is no attribute.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.inner.attributes.is_empty()
    }

    /// The schema that the attributes follow.
    #[must_use]
    pub fn schema_url(&self) -> Option<&str> {
        self.inner.schema_url.as_deref()
    }

    /// Merges `updating` into this resource (row S3): its values win, empty ones too. A missing
    /// schema URL yields to the other one.
    ///
    /// # Errors
    ///
    /// The two have different schema URLs. The error holds both and, for who can live with it,
    /// the merged attributes without a schema URL.
    pub fn merge(&self, updating: &Self) -> Result<Self, SchemaUrlConflict> {
        let mut inner = Inner::clone(&self.inner);
        for (key, value) in updating.iter() {
            inner.attributes.insert(key.clone(), value.clone());
        }
        let updating_url = updating.inner.schema_url.clone();
        match (inner.schema_url.take(), updating_url) {
            (Some(old), Some(new)) if old != new => {
                let merged = Self { inner: Arc::new(inner) };
                Err(SchemaUrlConflict { old, updating: new, merged })
            }
            (old, new) => {
                inner.schema_url = new.or(old);
                Ok(Self { inner: Arc::new(inner) })
            }
        }
    }
}

impl Inner {
    fn extend(&mut self, attributes: impl IntoIterator<Item = KeyValue>) {
        for KeyValue { key, value, .. } in attributes {
            if !key.as_str().is_empty() {
                self.attributes.insert(key, value);
            }
        }
    }
}

/// Two resources follow different schemas, so that no schema URL is true of both.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error(
    "resources with different schema URLs were merged: {old:?} and {updating:?}; \
     the merged resource has none"
)]
pub struct SchemaUrlConflict {
    old: Cow<'static, str>,
    updating: Cow<'static, str>,
    merged: Resource,
}

impl SchemaUrlConflict {
    /// The schema URLs of the old and of the updating resource.
    #[must_use]
    pub fn schema_urls(&self) -> (&str, &str) {
        (&self.old, &self.updating)
    }

    /// The merged attributes, without a schema URL: a wrong one would have a back end rename
    /// attributes that are already right.
    #[must_use]
    pub fn into_merged(self) -> Resource {
        self.merged
    }
}

impl From<&opentelemetry_sdk::Resource> for Resource {
    /// Takes over a resource of the official SDK, for instance from an existing detector.
    fn from(resource: &opentelemetry_sdk::Resource) -> Self {
        let attributes = resource.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone()));
        let schema_url = resource.schema_url().unwrap_or_default().to_owned();
        Self::new(attributes).with_schema_url(schema_url)
    }
}

impl From<opentelemetry_sdk::Resource> for Resource {
    fn from(resource: opentelemetry_sdk::Resource) -> Self {
        Self::from(&resource)
    }
}

impl From<&Resource> for opentelemetry_sdk::Resource {
    /// For parts of the official SDK that run beside ours, as its meter provider does.
    fn from(resource: &Resource) -> Self {
        let attributes = resource.iter().map(|(k, v)| KeyValue::new(k.clone(), v.clone()));
        match &resource.inner.schema_url {
            Some(url) => Self::builder_empty().with_schema_url(attributes, url.clone()).build(),
            None => Self::builder_empty().with_attributes(attributes).build(),
        }
    }
}

/// The semantic conventions that the detectors follow.
const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.40.0";

const SERVICE_NAME: &str = "service.name";

#[cfg(test)]
mod tests;
