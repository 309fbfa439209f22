//! `headers`.

use std::fmt;

use otlp_core::export::{HeaderError, Headers, Secret};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};

use crate::config::ConfigError;

/// Headers of every request: a mapping, or a list of `name` and `value`. Values are secrets: they never print.
#[derive(Clone, Debug, Default)]
pub struct HeaderSettings(Vec<(String, Secret)>);

impl HeaderSettings {
    /// Adds a header. A later one of the same name replaces it.
    pub fn insert(&mut self, name: impl Into<String>, value: impl Into<Secret>) {
        self.0.push((name.into(), value.into()));
    }

    /// What is sent, and the product that is put in front of the `User-Agent`, which is no header to replace: it
    /// names the sender.
    pub(super) fn resolve(&self) -> Result<(Headers, Option<String>), ConfigError> {
        let (mut headers, mut product) = (Headers::new(), None);
        for (name, value) in &self.0 {
            if name.trim().eq_ignore_ascii_case("user-agent") {
                product = Some(value.expose().to_owned());
                continue;
            }
            headers.insert(name, value.clone()).map_err(|error| wrong(&error))?;
        }
        Ok((headers, product))
    }
}

fn wrong(error: &HeaderError) -> ConfigError {
    ConfigError::new(error.to_string()).under("headers")
}

impl<'de> Deserialize<'de> for HeaderSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Both;

        impl<'de> Visitor<'de> for Both {
            type Value = HeaderSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a mapping of header names to values")
            }

            fn visit_unit<E>(self) -> Result<HeaderSettings, E> {
                Ok(HeaderSettings::default())
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<HeaderSettings, A::Error> {
                let mut headers = HeaderSettings::default();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    headers.insert(name, value);
                }
                Ok(headers)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<HeaderSettings, A::Error> {
                let mut headers = HeaderSettings::default();
                while let Some(Pair { name, value }) = list.next_element()? {
                    headers.insert(name, value);
                }
                Ok(headers)
            }
        }

        deserializer.deserialize_any(Both)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    name: String,
    value: String,
}
