use super::*;

/// A length-delimited field.
fn framed(field: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    crate::wire::writer::put_len(&mut out, field << 3 | 2, content);
    out
}

fn in_scope(items: &[u8]) -> Rope {
    framed(1, &framed(2, items)).into()
}

#[test]
fn concatenated_requests_count_as_their_sum() {
    let two = in_scope(&[framed(2, b""), framed(2, b"")].concat());
    let mut both = two.clone();
    both.append(&in_scope(&framed(2, b"")));
    assert_eq!(count_items(Signal::Traces, &two), Ok(2));
    assert_eq!(count_items(Signal::Traces, &both), Ok(3));
    assert_eq!(count_items(Signal::Logs, &both), Ok(3));
    assert_eq!(count_items(Signal::Traces, &Rope::new()), Ok(0));
}

#[test]
fn metrics_count_their_data_points() {
    let points = |kind, count| framed(2, &framed(kind, &framed(1, b"").repeat(count)));
    let all: Vec<u8> = [5, 7, 9, 10, 11].into_iter().flat_map(|kind| points(kind, 3)).collect();
    assert_eq!(count_items(Signal::Metrics, &in_scope(&all)), Ok(15));
    // The data is a `oneof`: the same kind merges, another one replaces.
    let gauge = framed(5, &framed(1, b""));
    let sum = framed(7, &framed(1, b""));
    let merged = framed(2, &[gauge.clone(), gauge.clone()].concat());
    assert_eq!(count_items(Signal::Metrics, &in_scope(&merged)), Ok(2));
    let replaced = framed(2, &[gauge.clone(), gauge, sum].concat());
    assert_eq!(count_items(Signal::Metrics, &in_scope(&replaced)), Ok(1));
}

#[test]
fn envelopes_that_are_not_well_formed_are_named_with_their_place() {
    let refused =
        |request: &[u8]| count_items(Signal::Traces, &request.to_vec().into()).unwrap_err();
    assert_eq!(
        refused(&[0x0a, 4, 0x12, 9, 0, 0]),
        WireError::LengthBeyondEnd { length: 9, remaining: 2, offset: 4 }
    );
    let message = "resource envelope";
    assert_eq!(
        refused(&[0x0a, 2, 0x10, 1]),
        WireError::WrongWireType { message, field: 2, found: 0, offset: 3 }
    );
    assert_eq!(
        refused(&[0x0a, 2, 0x18, 1]),
        WireError::WrongWireType { message, field: 3, found: 0, offset: 3 }
    );
    // The varint may not borrow bytes from behind its message.
    assert_eq!(refused(&[0x0a, 1, 0x92, 0x01]), WireError::Truncated { offset: 3 });
}

#[test]
fn splitting_is_not_quadratic_in_hostile_headers() {
    // A header field between every two items; each part repeats them all, in one piece.
    let unknown = [0xa0, 0x06, 1];
    let items: Vec<u8> = [framed(2, b""), unknown.to_vec()].concat().repeat(10_000);
    let limit = crate::SplitLimit { items: 100, ..crate::SplitLimit::NONE };
    let parts = split(Signal::Traces, &in_scope(&items), limit).unwrap();
    assert_eq!(parts.len(), 100);
    for part in parts {
        assert!(part.rope().parts().len() <= 2 + 2 + 100, "{}", part.rope().parts().len());
    }
}
