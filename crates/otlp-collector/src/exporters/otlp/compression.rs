//! `compression` and `compression_params`.

use otlp_core::export::Compression;
use serde::de::{Deserializer, Error};
use serde::{Deserialize, de};

use crate::config::ConfigError;

/// How requests are compressed: the Go collector's `compression`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CompressionType {
    /// Not at all: `none`, or an empty text.
    None,
    /// `gzip`, which every server takes. The default, at level 1.
    #[default]
    Gzip,
    /// `zstd`, which the Go collector takes, and not every server.
    Zstd,
}

/// `compression_params`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct CompressionParams {
    /// How hard it is tried. 0, the default, and -1 mean 1, the fastest, for both; the Go collector's default is
    /// 6 for gzip, which costs four times as much for a fifth less of bytes. gzip knows 1 to 9, zstd -7 to 22.
    pub level: i32,
}

impl CompressionType {
    /// With a level.
    pub(in crate::exporters) fn at(
        self,
        params: CompressionParams,
    ) -> Result<Compression, ConfigError> {
        let wrong = |accepted: &str| {
            let message = format!("{} is no level for it; accepted: {accepted}", params.level);
            ConfigError::new(message).under("level").under("compression_params")
        };
        match (self, params.level) {
            (Self::None, 0) => Ok(Compression::None),
            (Self::None, _) => Err(wrong("none, since nothing is compressed")),
            (Self::Gzip, -1 | 0) => Ok(Compression::gzip()),
            (Self::Gzip, level @ 1..=9) => Ok(Compression::Gzip { level: level.unsigned_abs() }),
            (Self::Gzip, _) => Err(wrong("1 to 9, or 0 for the default")),
            (Self::Zstd, -1 | 0) => Ok(Compression::zstd()),
            (Self::Zstd, level @ -7..=22) => Ok(Compression::Zstd { level }),
            (Self::Zstd, _) => Err(wrong("-7 to 22, or 0 for the default")),
        }
    }
}

impl<'de> Deserialize<'de> for CompressionType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        match name.as_str() {
            "" | "none" => Ok(Self::None),
            "gzip" => Ok(Self::Gzip),
            "zstd" => Ok(Self::Zstd),
            "snappy" | "x-snappy-framed" | "zlib" | "deflate" | "lz4" => {
                let text = "the Go collector knows this compression, and it is not supported here";
                Err(D::Error::custom(format!("{text}; accepted: {}", ACCEPTED.join(", "))))
            }
            other => Err(de::Error::unknown_variant(other, ACCEPTED)),
        }
    }
}

const ACCEPTED: &[&str] = &["gzip", "zstd", "none"];
