//! From nodes to the types of Rust, through serde: what a component asks for decides what a scalar is.
//!
//! A key that stands there counts as set: `grpc:` without more is the section with its defaults, also for an
//! `Option`. Every error has the place of the value, or of the key, that is wrong.

use std::fmt;

use serde::Deserialize;
use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer,
    MapAccess, SeqAccess, VariantAccess, Visitor,
};

use super::error::ConfigError;
use super::node::{Entry, Node, Value, is_null};
use super::secret;

impl Node {
    /// Reads the node as `T`.
    ///
    /// # Errors
    ///
    /// Says what does not fit, where it stands, and what would be accepted.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        T::deserialize(self).map_err(|error| self.told(error))
    }

    fn scalar(&self) -> Option<&str> {
        match &self.value {
            Value::Plain(text) | Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// An error of this node, without its value if that may be a secret. Whoever reads a mapping or a list has
    /// to see to that themselves in what they say of the whole.
    fn told(&self, error: ConfigError) -> ConfigError {
        let hides = self.is_secret && self.scalar().is_some();
        if hides { error.discreet() } else { error }
    }

    fn wrong(&self, expected: &dyn fmt::Display) -> ConfigError {
        let other = self.other_than(expected);
        match self.scalar().filter(|_| !self.is_null()) {
            Some(text) => {
                let message = format!("\"{}\" is not {expected}", shortened(&secret::shown(text)));
                ConfigError::new(message).or_discreetly(other.message()).at(&self.origin)
            }
            None => other,
        }
    }

    /// An error that does not show the value: what stands in the place of a whole section may be its secret.
    fn other_than(&self, expected: &dyn fmt::Display) -> ConfigError {
        let message = format!("{} is not {expected}", self.kind());
        ConfigError::new(message.clone()).or_discreetly(message).at(&self.origin)
    }

    /// A number that a visitor takes, or refuses as too large.
    fn number<'de, V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, ConfigError> {
        let read = match self.scalar().and_then(number) {
            Some(Number::Unsigned(number)) => visitor.visit_u64(number),
            Some(Number::Signed(number)) => visitor.visit_i64(number),
            Some(Number::Float(number)) => visitor.visit_f64(number),
            None => return Err(self.wrong(&in_words(&Expecting(&visitor).to_string()))),
        };
        read.map_err(|error: ConfigError| error.at(&self.origin))
    }
}

/// What a number has to be, for those who do not know the types of Rust.
fn in_words(expected: &str) -> &str {
    match expected {
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        expected => expected,
    }
}

/// What a visitor says that it takes.
struct Expecting<'a, V>(&'a V);

impl<'de, V: Visitor<'de>> fmt::Display for Expecting<'_, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.expecting(f)
    }
}

macro_rules! numbers {
    ($($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
            self.number(visitor)
        })+
    };
}

impl<'de> Deserializer<'de> for &Node {
    type Error = ConfigError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        let read = match &self.value {
            Value::Text(text) => visitor.visit_str(text),
            Value::Plain(text) => match text.as_str() {
                text if is_null(text) => visitor.visit_unit(),
                "true" | "True" | "TRUE" => visitor.visit_bool(true),
                "false" | "False" | "FALSE" => visitor.visit_bool(false),
                text if number(text).is_some() => return self.number(visitor),
                text => visitor.visit_str(text),
            },
            Value::Sequence(_) => return self.deserialize_seq(visitor),
            Value::Mapping(_) => return self.deserialize_map(visitor),
        };
        read.map_err(|error: ConfigError| error.at(&self.origin))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        let text = self.scalar().unwrap_or_default().to_ascii_lowercase();
        match text.as_str() {
            "true" | "yes" | "on" | "y" => visitor.visit_bool(true),
            "false" | "no" | "off" | "n" => visitor.visit_bool(false),
            _ => Err(self.wrong(&"true or false")),
        }
    }

    numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_i128
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64 deserialize_u128
        deserialize_f32 deserialize_f64
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        let text = match (&self.raw, &self.value) {
            (Some(raw), _) => raw,
            (None, Value::Text(text)) => text,
            (None, Value::Plain(text)) if !is_null(text) => text,
            _ => return Err(self.wrong(&Expecting(&visitor))),
        };
        visitor.visit_str(text).map_err(|error: ConfigError| error.at(&self.origin))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        match self.is_null() {
            true => visitor.visit_unit(),
            false => Err(self.wrong(&"nothing")),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        let nodes: &[Node] = match &self.value {
            Value::Sequence(nodes) => nodes,
            _ if self.is_null() => &[],
            _ => return Err(self.other_than(&"a list")),
        };
        visitor
            .visit_seq(Items(nodes.iter().enumerate()))
            .map_err(|error: ConfigError| error.at(&self.origin))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        let entries: &[Entry] = match &self.value {
            Value::Mapping(entries) => entries,
            _ if self.is_null() => &[],
            _ => return Err(self.other_than(&"a mapping")),
        };
        visitor
            .visit_map(Entries { is_secret: self.is_secret, entries: entries.iter(), value: None })
            .map_err(|error: ConfigError| error.at(&self.origin))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        self.deserialize_map(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        visitor.visit_enum(Choice(self)).map_err(|error: ConfigError| error.at(&self.origin))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ConfigError> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! { bytes byte_buf unit_struct tuple tuple_struct identifier }
}

/// The members of a list.
struct Items<'a>(std::iter::Enumerate<std::slice::Iter<'a, Node>>);

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = ConfigError;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, ConfigError> {
        let Some((at, node)) = self.0.next() else { return Ok(None) };
        let read = seed.deserialize(node);
        read.map(Some).map_err(|error| node.told(error).at(&node.origin).under(&at.to_string()))
    }
}

/// The keys and values of a mapping.
struct Entries<'a> {
    is_secret: bool,
    entries: std::slice::Iter<'a, Entry>,
    value: Option<&'a Entry>,
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = ConfigError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, ConfigError> {
        let Some(entry) = self.entries.next() else { return Ok(None) };
        self.value = Some(entry);
        let key: StrDeserializer<'_, ConfigError> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| {
            // A key alone, as in `{hunter2}`, is a value that was meant for another place.
            let is_hidden = self.is_secret || entry.node.is_null();
            let error = if is_hidden { error.discreet() } else { error };
            error.at(&entry.origin)
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, ConfigError> {
        let Some(Entry { key, node, .. }) = self.value.take() else {
            return Err(ConfigError::custom("a value was asked for before its key"));
        };
        let key = if self.is_secret && node.is_null() { secret::REDACTED } else { key };
        seed.deserialize(node).map_err(|error| node.told(error).at(&node.origin).under(key))
    }
}

/// One of several names, alone or with what belongs to it.
struct Choice<'a>(&'a Node);

impl<'a, 'de> EnumAccess<'de> for Choice<'a> {
    type Error = ConfigError;
    type Variant = Chosen<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(
        self,
        seed: V,
    ) -> Result<(V::Value, Chosen<'a>), ConfigError> {
        let (name, content) = match &self.0.value {
            Value::Plain(text) | Value::Text(text) => (text, None),
            Value::Mapping(entries) if entries.len() == 1 => match entries.first() {
                Some(entry) => (&entry.key, Some(&entry.node)),
                None => return Err(self.0.wrong(&"a name")),
            },
            _ => return Err(self.0.wrong(&"a name")),
        };
        let name: StrDeserializer<'_, ConfigError> = name.as_str().into_deserializer();
        Ok((seed.deserialize(name)?, Chosen { node: self.0, content }))
    }
}

struct Chosen<'a> {
    node: &'a Node,
    content: Option<&'a Node>,
}

impl<'de> VariantAccess<'de> for Chosen<'_> {
    type Error = ConfigError;

    fn unit_variant(self) -> Result<(), ConfigError> {
        self.content.map_or(Ok(()), <()>::deserialize)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, ConfigError> {
        seed.deserialize(self.content.unwrap_or(self.node))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        self.content.unwrap_or(self.node).deserialize_seq(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ConfigError> {
        self.content.unwrap_or(self.node).deserialize_map(visitor)
    }
}

enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

/// A number as YAML writes it, in the dialect of the Go collector: `1_000`, `0x10`, `0o17`, `017`, `0b1`.
fn number(text: &str) -> Option<Number> {
    let text = text.replace('_', "");
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text.as_str()),
    };
    if !digits.starts_with(|first: char| first.is_ascii_digit() || first == '.') {
        return None;
    }
    if let Some(number) = whole(digits) {
        return match negative {
            false => Some(Number::Unsigned(number)),
            true => 0_i64.checked_sub_unsigned(number).map(Number::Signed),
        };
    }
    let sign = if negative { -1.0 } else { 1.0 };
    match digits {
        ".inf" | ".Inf" | ".INF" => Some(Number::Float(sign * f64::INFINITY)),
        ".nan" | ".NaN" | ".NAN" => Some(Number::Float(f64::NAN)),
        _ => {
            let is_decimal =
                |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
            let number: f64 = digits.parse().ok().filter(|_| digits.chars().all(is_decimal))?;
            Some(Number::Float(sign * number))
        }
    }
}

fn whole(digits: &str) -> Option<u64> {
    let radix =
        |prefixes: [&str; 2]| prefixes.iter().find_map(|prefix| digits.strip_prefix(prefix));
    if let Some(hex) = radix(["0x", "0X"]) {
        return u64::from_str_radix(hex, 16).ok();
    }
    if let Some(binary) = radix(["0b", "0B"]) {
        return u64::from_str_radix(binary, 2).ok();
    }
    if let Some(octal) = radix(["0o", "0O"]) {
        return u64::from_str_radix(octal, 8).ok();
    }
    match digits.strip_prefix('0').filter(|rest| !rest.is_empty()) {
        Some(octal) => u64::from_str_radix(octal, 8).ok(),
        None => digits.parse().ok(),
    }
}

/// What an error quotes.
fn shortened(text: &str) -> String {
    otlp_core::export::text::printable_within(text, QUOTED_BYTES)
}

const QUOTED_BYTES: usize = 64;

#[cfg(test)]
mod tests;
