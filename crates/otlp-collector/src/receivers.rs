//! Where telemetry comes in.

mod factory;
pub mod otlp;

pub(crate) use self::factory::FACTORIES;
