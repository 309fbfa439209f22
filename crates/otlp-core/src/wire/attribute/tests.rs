use super::index::SEARCHED_MAX;
use super::*;

const LIMITS: AttributeLimits = AttributeLimits::EXEMPT;

fn key_like(number: u32) -> String {
    format!("prefix__{number:04}__suffix__")
}

#[test]
fn the_table_serves_long_lists_only() {
    let mut list = AttributeList::new(1);
    for number in 0..200 {
        list.set(&key_like(number), Value::I64(1), &LIMITS);
        assert_eq!(list.index.has_table(), list.len() > SEARCHED_MAX);
    }
    while list.len() > 100 {
        let first = key_like(200 - list.len() as u32);
        assert!(list.remove(&first));
        assert_eq!(list.index.has_table(), list.len() > SEARCHED_MAX);
    }
}

#[test]
fn a_value_of_any_length_takes_the_place_of_another() {
    // Lengths around the borders where a length field grows: of the value, the pair, the entry.
    let lengths =
        [0, 1, 100, 115, 116, 117, 118, 119, 120, 127, 128, 129, 16_370, 16_384, 2_097_152];
    for from in lengths {
        for to in lengths.into_iter().take(13) {
            let mut list = AttributeList::new(1);
            let mut expected = AttributeList::new(1);
            for (key, len) in [("a", 3), ("b", from), ("c", 5), ("b", to)] {
                list.set(key, Value::Str(&"x".repeat(len)), &LIMITS);
            }
            for (key, len) in [("a", 3), ("b", to), ("c", 5)] {
                expected.set(key, Value::Str(&"x".repeat(len)), &LIMITS);
            }
            assert!(list.as_bytes() == expected.as_bytes(), "{from} to {to}");
            assert!(list.entries().eq(expected.entries()), "{from} to {to}");
        }
    }
}
