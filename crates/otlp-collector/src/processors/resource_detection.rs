//! The processor `resourcedetection`: resources get attributes of what is around the collector.

mod detect;
mod settings;

pub use self::settings::{Detector, HostnameSource, ResourceDetectionSettings, SystemSettings};

#[cfg(test)]
mod tests;
