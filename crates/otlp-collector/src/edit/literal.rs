//! Values that stand in the configuration.

use std::fmt;

use otlp_core::wire::AnyValueView;
use otlp_core::wire::varint;
use otlp_core::wire::writer::{FIXED64, LEN, VARINT, key, put_len, put_message};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value of the configuration: what an attribute is set to, or compared with.
///
/// As in the Go collector, YAML decides its type: `1` is an integer, `1.0` a double, `true` a boolean,
/// `"1"` a string; lists and mappings may be nested.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Literal {
    /// A string.
    String(String),
    /// A boolean.
    Bool(bool),
    /// A signed integer.
    Int(i64),
    /// A floating-point number.
    Double(f64),
    /// Bytes, for which YAML has no form here.
    Bytes(Vec<u8>),
    /// An array of values.
    Array(Vec<Self>),
    /// Keys and values, in the order in which they were written.
    Map(Vec<(String, Self)>),
}

impl Literal {
    /// Encodes it as an `AnyValue`.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::String(text) => put_len(out, key(1, LEN), text.as_bytes()),
            Self::Bool(truth) => out.extend([key(2, VARINT), u8::from(*truth)]),
            Self::Int(number) => {
                out.push(key(3, VARINT));
                varint::put(out, number.cast_unsigned());
            }
            Self::Double(number) => {
                out.push(key(4, FIXED64));
                out.extend_from_slice(&number.to_le_bytes());
            }
            Self::Array(values) => put_message(out, key(5, LEN), |out| {
                values.iter().for_each(|value| {
                    put_message(out, key(1, LEN), |out| value.put(out));
                });
            }),
            Self::Map(entries) => put_message(out, key(6, LEN), |out| {
                entries.iter().for_each(|entry| put_entry(out, entry));
            }),
            Self::Bytes(bytes) => put_len(out, key(7, LEN), bytes),
        }
    }

    /// Whether a value is of the same type and the same. The entries of maps may stand in another order.
    #[must_use]
    pub fn equals(&self, value: AnyValueView<'_>) -> bool {
        match (self, value) {
            (Self::String(text), AnyValueView::String(other)) => text == other,
            (Self::Bool(truth), AnyValueView::Bool(other)) => *truth == other,
            (Self::Int(number), AnyValueView::Int(other)) => *number == other,
            (Self::Double(number), AnyValueView::Double(other)) => *number == other,
            (Self::Bytes(bytes), AnyValueView::Bytes(other)) => bytes == other,
            (Self::Array(values), AnyValueView::Array(mut others)) => {
                values.iter().all(|value| {
                    others.next().is_some_and(|other| other.is_ok_and(|other| value.equals(other)))
                }) && others.next().is_none()
            }
            (Self::Map(entries), AnyValueView::KeyValueList(others)) => {
                let find = |key| others.find_value(key).ok().flatten();
                others.count() == entries.len()
                    && entries.iter().all(|(key, value)| {
                        find(key.as_str()).is_some_and(|other| value.equals(other))
                    })
            }
            _ => false,
        }
    }
}

fn put_entry(out: &mut Vec<u8>, (name, value): &(String, Literal)) {
    put_message(out, key(1, LEN), |out| {
        put_len(out, key(1, LEN), name.as_bytes());
        put_message(out, key(2, LEN), |out| value.put(out));
    });
}

impl<'de> Deserialize<'de> for Literal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyLiteral)
    }
}

struct AnyLiteral;

impl<'de> Visitor<'de> for AnyLiteral {
    type Value = Literal;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text, a number, true, false, a list or a mapping")
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Literal, E> {
        Ok(Literal::Bool(truth))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Literal, E> {
        Ok(Literal::Int(number))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Literal, E> {
        let number = i64::try_from(number);
        number.map(Literal::Int).map_err(|_| E::custom("larger than an integer attribute can be"))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Literal, E> {
        Ok(Literal::Double(number))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Literal, E> {
        Ok(Literal::String(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Literal, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = items.next_element()? {
            values.push(value);
        }
        Ok(Literal::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Literal, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(Literal::Map(entries))
    }
}

impl From<&str> for Literal {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nested(last: f64) -> Literal {
        let inner = Literal::Map(vec![("a".into(), Literal::Int(-1)), ("b".into(), "x".into())]);
        Literal::Array(vec![Literal::Bool(true), inner, Literal::Double(last)])
    }

    #[test]
    fn a_value_equals_what_it_encodes_to_and_nothing_else() {
        let literals = [nested(1.5), "x".into(), Literal::Int(1), Literal::Bytes(vec![1, 2])];
        for (at, literal) in literals.iter().enumerate() {
            for (other_at, other) in literals.iter().enumerate() {
                let encoded = other.encode();
                let view = AnyValueView::parse(&encoded).unwrap();
                assert_eq!(literal.equals(view), at == other_at, "{literal:?} {other:?}");
            }
        }
        let encoded = nested(2.5).encode();
        assert!(!nested(1.5).equals(AnyValueView::parse(&encoded).unwrap()));
    }

    #[test]
    fn the_order_of_a_map_does_not_matter_when_compared() {
        let map = |keys: [&str; 2]| Literal::Map(keys.map(|key| (key.into(), key.into())).into());
        let encoded = map(["b", "a"]).encode();
        assert!(map(["a", "b"]).equals(AnyValueView::parse(&encoded).unwrap()));
        assert!(!map(["a", "c"]).equals(AnyValueView::parse(&encoded).unwrap()));
    }
}
