//! Puts a resource together from its four sources.

use std::borrow::Cow;

use opentelemetry::{KeyValue, Value};
use otlp_core::export::{ConfigWarning, Env};

use super::{Resource, ResourceDetector, SERVICE_NAME, SchemaUrlConflict, env, process};
use crate::say::say;

/// Puts a [`Resource`] together.
///
/// From weak to strong, whatever the order of the calls:
///
/// 1. the SDK's defaults: `service.name` = `unknown_service:<executable>` and `telemetry.sdk.*`
///    (row S1);
/// 2. detectors, a later one over an earlier one;
/// 3. the environment: `OTEL_RESOURCE_ATTRIBUTES`, and over it `OTEL_SERVICE_NAME`;
/// 4. code: the `with_attribute`s, `with_service_name` and `with_resource`, a later call over an
///    earlier one.
///
/// [`Resource::builder_empty`] leaves out 1 and 3.
///
/// Where two sources have different schema URLs the result has none, and a warning says so
/// (row S3).
#[derive(Clone, Debug)]
pub struct ResourceBuilder {
    defaults: Resource,
    detected: Resource,
    env: Source,
    code: Resource,
    warnings: Vec<ConfigWarning>,
}

/// Which environment counts.
#[derive(Clone, Debug)]
enum Source {
    None,
    Process,
    Given(Env),
}

impl ResourceBuilder {
    pub(super) fn with_defaults() -> Self {
        Self { defaults: defaults(), env: Source::Process, ..Self::empty() }
    }

    pub(super) fn empty() -> Self {
        Self {
            defaults: Resource::empty(),
            detected: Resource::empty(),
            env: Source::None,
            code: Resource::empty(),
            warnings: Vec::new(),
        }
    }

    /// Sets `service.name`, the logical name that all instances of the service share.
    #[must_use]
    pub fn with_service_name(self, name: impl Into<Value>) -> Self {
        self.with_attribute(KeyValue::new(SERVICE_NAME, name))
    }

    /// Sets one attribute.
    #[must_use]
    pub fn with_attribute(self, attribute: KeyValue) -> Self {
        self.with_attributes([attribute])
    }

    /// Sets attributes; of a repeated key the last value stays.
    #[must_use]
    pub fn with_attributes(self, attributes: impl IntoIterator<Item = KeyValue>) -> Self {
        self.with_resource(Resource::new(attributes))
    }

    /// Sets all attributes of a resource, which may be one of `opentelemetry_sdk`, and takes its
    /// schema URL in.
    #[must_use]
    pub fn with_resource(mut self, resource: impl Into<Resource>) -> Self {
        let code = std::mem::take(&mut self.code);
        self.code = self.merge(&code, &resource.into());
        self
    }

    /// States which schema the attributes given in code follow; an empty one means none.
    ///
    /// The detectors of this crate state theirs: stating another one here leaves the resource
    /// without a schema URL.
    #[must_use]
    pub fn with_schema_url(mut self, schema_url: impl Into<Cow<'static, str>>) -> Self {
        self.code = self.code.with_schema_url(schema_url);
        self
    }

    /// Runs a detector.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "a builder takes what it is given")]
    pub fn with_detector(mut self, detector: impl ResourceDetector) -> Self {
        self.detect(&detector);
        self
    }

    /// Runs detectors in order.
    #[must_use]
    pub fn with_detectors(
        mut self,
        detectors: impl IntoIterator<Item = Box<dyn ResourceDetector>>,
    ) -> Self {
        for detector in detectors {
            self.detect(detector.as_ref());
        }
        self
    }

    /// Reads this environment instead of the process's; [`Env::empty`] reads none.
    #[must_use]
    pub fn with_env(mut self, env: Env) -> Self {
        self.env = Source::Given(env);
        self
    }

    /// The resource. Warnings go to the log.
    #[must_use]
    pub fn build(self) -> Resource {
        let (resource, warnings) = self.build_with_warnings();
        for warning in warnings {
            say!(Warn, %warning, "resource configuration");
        }
        resource
    }

    /// The resource, and what of its configuration could not be used.
    #[must_use]
    pub fn build_with_warnings(mut self) -> (Resource, Vec<ConfigWarning>) {
        let from_env = self.read_env();
        let (detected, code) = (self.detected.clone(), self.code.clone());
        let mut resource = self.defaults.clone();
        for stronger in [detected, from_env, code] {
            resource = self.merge(&resource, &stronger);
        }
        (resource, self.warnings)
    }

    fn read_env(&mut self) -> Resource {
        let variables = match &self.env {
            Source::None => return Resource::empty(),
            Source::Process => Env::from_process(),
            Source::Given(env) => env.clone(),
        };
        let mut reader = variables.reader();
        let resource = env::resource(&mut reader);
        self.warnings.extend(reader.into_warnings());
        resource
    }

    fn detect(&mut self, detector: &dyn ResourceDetector) {
        let detected = std::mem::take(&mut self.detected);
        self.detected = self.merge(&detected, &detector.detect());
    }

    fn merge(&mut self, old: &Resource, updating: &Resource) -> Resource {
        old.merge(updating).unwrap_or_else(|conflict| {
            self.warnings.push(schema_warning(&conflict));
            conflict.into_merged()
        })
    }
}

/// Rows S1 and S2. No schema URL: these names are in all versions of the conventions.
fn defaults() -> Resource {
    let service_name = match process::executable_name() {
        Some(executable) => format!("unknown_service:{executable}"),
        None => "unknown_service".to_owned(),
    };
    Resource::new([
        KeyValue::new(SERVICE_NAME, service_name),
        // `opentelemetry` is reserved for the official SDK.
        KeyValue::new("telemetry.sdk.name", "otlp-rs"),
        KeyValue::new("telemetry.sdk.language", "rust"),
        KeyValue::new("telemetry.sdk.version", env!("CARGO_PKG_VERSION")),
    ])
}

fn schema_warning(conflict: &SchemaUrlConflict) -> ConfigWarning {
    let (old, updating) = conflict.schema_urls();
    let problem = format!("is {} in one source and {} in another", cut(old), cut(updating));
    ConfigWarning::new("resource schema URL", problem, "one for all sources", &"none")
}

/// Text from outside, escaped and short enough for a message.
fn cut(text: &str) -> String {
    let shown: String = text.chars().take(100).collect();
    format!("{shown:?}")
}
