//! Where telemetry goes.

mod factory;
mod nop;
pub mod otlp;

pub(crate) use self::factory::FACTORIES;
pub use self::nop::NopExporter;
