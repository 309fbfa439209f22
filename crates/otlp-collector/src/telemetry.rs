//! What the collector tells of itself.

pub(crate) mod exporter;
mod measurements;

pub use self::measurements::{Instrument, InstrumentKind, Measurements, Point, Value};
