//! Exporters that hold an exporter and add one thing to it.

mod counting;

pub use self::counting::{CountingExporter, ExportCounter, ExportCounts};
