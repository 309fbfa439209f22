//! What stands beside the pipelines: health, status, and who may send.

mod basic_auth;
mod bearer_token;
mod factory;
mod health_check;
mod watched;
mod zpages;

pub use self::basic_auth::{BasicAuthSettings, ClientAuthSettings, HtpasswdSettings};
pub use self::bearer_token::BearerTokenSettings;
pub(crate) use self::factory::FACTORIES;
pub use self::health_check::{HealthCheckSettings, PipelineCheckSettings, ResponseBodySettings};
pub use self::zpages::{ExpvarSettings, ZpagesSettings};
pub use crate::pages::PageServerSettings;
