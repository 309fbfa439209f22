//! The extensions that a configuration may name.

use super::basic_auth::BasicAuthSettings;
use super::bearer_token::BearerTokenSettings;
use super::health_check::HealthCheckSettings;
use super::zpages::ZpagesSettings;
use crate::component::Extension;
use crate::registry::Factory;

pub(crate) const FACTORIES: &[Factory<dyn Extension>] = &[
    Factory::new(&["basicauth"], |_, node| {
        Ok(Box::new(BasicAuthSettings::read(node)?.into_extension()?))
    }),
    Factory::new(&["bearertokenauth"], |_, node| {
        Ok(Box::new(BearerTokenSettings::read(node)?.into_extension()?))
    }),
    Factory::new(&["health_check"], |_, node| Ok(Box::new(HealthCheckSettings::read(node)?))),
    Factory::new(&["zpages"], |_, node| Ok(Box::new(ZpagesSettings::read(node)?))),
];
