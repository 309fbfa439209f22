//! Keys of the Go collector that have no effect here, and how its text is read.

use otlp_core::export::Pem;
use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny};

/// A key of the Go collector without which its meaning would not be kept: reading it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Unsupported;

impl<'de> Deserialize<'de> for Unsupported {
    fn deserialize<D: Deserializer<'de>>(_deserializer: D) -> Result<Self, D::Error> {
        Err(D::Error::custom("the Go collector knows this key, and it is not supported here"))
    }
}

/// A key of the Go collector that may be left out without harm: reading it leads to a warning.
pub(crate) type Ignored = Option<IgnoredAny>;

/// Reads PEM text: `#[serde(deserialize_with = "pem")]`.
pub(crate) fn pem<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Pem>, D::Error> {
    String::deserialize(deserializer).map(|text| Some(Pem::from_bytes(text)))
}
