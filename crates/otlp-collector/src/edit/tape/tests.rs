use otlp_core::Rope;
use otlp_core::wire::request::{RopeField, RopeFields};
use otlp_core::wire::writer::{LEN, key, put_len};

use super::*;

/// One message in field 1 that holds a message in field 2 that holds field 3 with so many bytes.
fn nested(len: usize) -> Vec<u8> {
    let mut content = vec![7; len];
    for number in [3, 2, 1] {
        let mut out = Vec::new();
        put_len(&mut out, key(number, LEN), &content);
        content = out;
    }
    content
}

fn child<'a>(rope: &'a Rope, parents: &[RopeField<'a>]) -> RopeField<'a> {
    let fields = parents.last().map_or_else(|| RopeFields::new(rope), |it| it.fields().unwrap());
    let mut fields = fields;
    fields.next().unwrap().unwrap()
}

/// The fields on the way to the innermost one.
fn path(rope: &Rope) -> Vec<RopeField<'_>> {
    let mut path = Vec::new();
    for _ in 0..3 {
        path.push(child(rope, &path));
    }
    path
}

/// The message with its innermost content replaced.
fn replaced(old: usize, new: usize) -> (Rope, Rope) {
    let rope = Rope::from(nested(old));
    let path = path(&rope);
    let mut tape = Tape::new(&rope);
    path.iter().for_each(|field| tape.enter(field));
    let inner = path.last().unwrap();
    let out = tape.replace(inner.content_start(), inner.end());
    out.extend(vec![7; new]);
    path.iter().for_each(|_| tape.leave());
    (tape.finish(rope.len()), rope.clone())
}

#[test]
fn lengths_fit_whatever_they_were_and_become() {
    for old in [0, 1, 100, 121, 127, 128, 300, 16_380, 16_384, 70_000] {
        for new in [0, 1, 100, 121, 127, 128, 300, 16_380, 16_384, 70_000] {
            let (found, _) = replaced(old, new);
            assert!(found == Rope::from(nested(new)), "{old} {new}");
        }
    }
}

#[test]
fn what_is_entered_and_left_without_a_change_writes_nothing() {
    let rope = Rope::from(nested(10));
    let path = path(&rope);
    let mut tape = Tape::new(&rope);
    path.iter().for_each(|field| tape.enter(field));
    path.iter().for_each(|_| tape.leave());
    assert!(!tape.is_changed());
}

#[test]
fn a_message_that_is_removed_takes_its_edits_with_it() {
    let two = [nested(300), nested(4_000)].concat();
    let rope = Rope::from(two);
    let path = path(&rope);
    let mut tape = Tape::new(&rope);
    path.iter().for_each(|field| tape.enter(field));
    let inner = path.last().unwrap();
    tape.replace(inner.content_start(), inner.end()).extend([1; 5_000]);
    tape.leave();
    tape.remove();
    tape.leave();
    let found = tape.finish(rope.len());
    assert!(found == Rope::from([&[0x0a, 0][..], &nested(4_000)].concat()));
}

#[test]
fn long_stretches_are_shared_and_stay_in_place_when_lengths_grow() {
    let long = nested(10_000);
    let mut inner = Vec::new();
    put_len(&mut inner, key(3, LEN), b"x");
    inner.extend_from_slice(&long);
    let mut whole = Vec::new();
    put_len(&mut whole, key(1, LEN), &inner);
    let rope = Rope::from(whole);
    let outer = child(&rope, &[]);
    let first = child(&rope, std::slice::from_ref(&outer));
    let mut tape = Tape::new(&rope);
    tape.enter(&outer);
    tape.replace(first.start(), first.end()).extend([9; 7_000]);
    tape.leave();
    let found = tape.finish(rope.len());
    let mut expected = Vec::new();
    put_len(&mut expected, key(1, LEN), &[&[9; 7_000][..], &long].concat());
    assert!(found == Rope::from(expected));
    let input = rope.parts()[0].as_ptr_range();
    assert!(found.parts().iter().any(|it| it.len() > 9_000 && input.contains(&it.as_ptr())));
}

#[test]
fn the_header_of_a_long_message_may_need_more_room_behind_shared_bytes() {
    // The length grows from two bytes to three while most of the content is shared.
    let rope = Rope::from(nested(16_000));
    let path = path(&rope);
    let mut tape = Tape::new(&rope);
    path.iter().take(2).for_each(|field| tape.enter(field));
    let end = path[1].end();
    tape.replace(end, end).extend([0x22, 0xac, 0x02].iter().chain(&[5; 300]));
    tape.replace(end, end).extend([0x22, 0xac, 0x02].iter().chain(&[5; 300]));
    path.iter().take(2).for_each(|_| tape.leave());
    let found = tape.finish(rope.len());
    let whole = found.to_bytes();
    let outer = RopeFields::new(&found).next().unwrap().unwrap();
    assert_eq!(outer.end(), whole.len());
    let numbers: Vec<_> =
        path_of(&outer).fields().unwrap().map(|it| it.unwrap().number()).collect();
    assert_eq!(numbers, [3, 4, 4]);
}

fn path_of<'a>(outer: &RopeField<'a>) -> RopeField<'a> {
    outer.fields().unwrap().next().unwrap().unwrap()
}
