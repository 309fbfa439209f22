//! The exporters that a configuration may name.

use serde::de::DeserializeOwned;

use crate::component::Destination;
use crate::config::{ConfigError, Node};
use crate::exporters::debug::DebugSettings;
use crate::exporters::file::FileSettings;
use crate::exporters::nop::NopSettings;
use crate::exporters::otlp::{OtlpGrpcSettings, OtlpHttpSettings};
use crate::registry::Factory;

pub(crate) const FACTORIES: &[Factory<dyn Destination>] = &[
    Factory::new(&["debug"], |_, node| Ok(Box::new(checked(node, DebugSettings::check)?))),
    Factory::new(&["file"], |_, node| Ok(Box::new(checked(node, FileSettings::check)?))),
    Factory::new(&["nop"], |_, node| Ok(Box::new(node.read::<NopSettings>()?))),
    Factory::new(&["otlp_grpc", "otlp"], |_, node| {
        Ok(Box::new(checked(node, OtlpGrpcSettings::check)?))
    }),
    Factory::new(&["otlp_http", "otlphttp"], |_, node| {
        Ok(Box::new(checked(node, OtlpHttpSettings::check)?))
    }),
];

/// Settings, if they go together.
fn checked<S: DeserializeOwned>(
    node: &Node,
    check: impl Fn(&S) -> Result<(), ConfigError>,
) -> Result<S, ConfigError> {
    let settings = node.read()?;
    check(&settings)?;
    Ok(settings)
}
