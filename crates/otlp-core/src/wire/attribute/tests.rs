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

#[test]
fn a_list_that_begins_with_prepared_attributes_is_as_if_they_had_been_set() {
    for prepared_len in [0, 1, 5, 200] {
        let mut prepared = AttributeList::new(1);
        let mut expected = AttributeList::new(1);
        let mut list = AttributeList::new(1);
        // Used before, so that there is room; the second time there is none.
        list.set("old", Value::I64(1), &LIMITS);
        for round in 0..2 {
            for number in 0..prepared_len {
                prepared.set(&key_like(number), Value::I64(number.into()), &LIMITS);
                expected.set(&key_like(number), Value::I64(number.into()), &LIMITS);
            }
            list.clear();
            list.begin_with(&prepared);
            for target in [&mut list, &mut expected] {
                target.set("new", Value::Str("text"), &LIMITS);
                target.set(&key_like(0), Value::Str("replaced"), &LIMITS);
                target.set(&key_like(199), Value::Bool(true), &LIMITS);
            }
            assert!(list.as_bytes() == expected.as_bytes(), "{prepared_len}, round {round}");
            assert_eq!((list.len(), list.dropped()), (expected.len(), 0));
            list = AttributeList::new(1);
            expected.clear();
            prepared.clear();
        }
    }
}

#[test]
fn prepared_attributes_bring_their_losses_and_never_disturb_others() {
    let limits = AttributeLimits { count: 1, ..LIMITS };
    let mut prepared = AttributeList::new(1);
    prepared.set("kept", Value::I64(1), &limits);
    prepared.set("lost", Value::I64(1), &limits);
    let mut list = AttributeList::new(1);
    list.begin_with(&prepared);
    list.add_dropped(2);
    assert_eq!((list.len(), list.dropped()), (1, 3));
    let before = list.as_bytes().to_vec();
    // Not empty any more, and of another field.
    list.begin_with(&prepared);
    assert_eq!(list.as_bytes(), before);
    let mut other = AttributeList::new(2);
    other.begin_with(&prepared);
    assert!(other.is_empty());
}
