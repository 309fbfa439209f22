//! Where telemetry goes.

pub mod debug;
mod desk;
mod factory;
pub mod file;
mod nop;
pub mod otlp;
mod told;

pub(crate) use self::factory::FACTORIES;
pub use self::nop::NopExporter;
