use super::*;

fn fields(message: &[u8]) -> Vec<Result<(u32, FieldValue<'_>, usize), WireError>> {
    Reader::new(message).map(|f| f.map(|f| (f.number, f.value, f.offset))).collect()
}

#[test]
fn each_wire_type_gives_its_value_and_where_it_starts() {
    let message = [
        [0x08, 0xac, 0x02].as_slice(),
        &[0x11, 1, 0, 0, 0, 0, 0, 0, 0x80],
        &[0x1a, 2, b'h', b'i'],
        &[0x25, 4, 3, 2, 1],
        &[0x2b, 0x08, 0x01, 0x2c],
    ]
    .concat();
    assert_eq!(
        fields(&message),
        [
            Ok((1, FieldValue::Varint(300), 1)),
            Ok((2, FieldValue::Fixed64(0x8000_0000_0000_0001), 4)),
            Ok((3, FieldValue::Len(b"hi"), 14)),
            Ok((4, FieldValue::Fixed32(0x0102_0304), 17)),
            Ok((5, FieldValue::Group, 22)),
        ]
    );
}

#[test]
fn bad_framing_is_named_with_its_place_and_ends_the_reading() {
    let refused = |bytes: &[u8]| {
        let mut read = fields(bytes);
        let error = read.pop().unwrap().unwrap_err();
        assert!(read.iter().all(Result::is_ok), "nothing follows an error");
        error
    };
    assert_eq!(refused(&[0x00]), WireError::InvalidKey { key: 0, offset: 0 });
    assert_eq!(refused(&[0x08, 1, 0x0e]), WireError::InvalidKey { key: 0x0e, offset: 2 });
    assert_eq!(refused(&[0x0f]), WireError::InvalidKey { key: 0x0f, offset: 0 });
    let wide = 1 << 32 | 8;
    assert_eq!(
        refused(&[0x88, 0x80, 0x80, 0x80, 0x10]),
        WireError::InvalidKey { key: wide, offset: 0 }
    );
    assert_eq!(refused(&[0x08]), WireError::Truncated { offset: 1 });
    assert_eq!(refused(&[0x09, 1, 2]), WireError::Truncated { offset: 3 });
    assert_eq!(
        refused(&[0x0a, 5, 1]),
        WireError::LengthBeyondEnd { length: 5, remaining: 1, offset: 2 }
    );
    assert_eq!(refused(&[0x0b, 0x08, 1]), WireError::Truncated { offset: 3 });
    assert_eq!(refused(&[0x0b, 0x14]), WireError::UnexpectedEndGroup { field: 2, offset: 2 });
    assert_eq!(refused(&[0x0c]), WireError::UnexpectedEndGroup { field: 1, offset: 1 });
}

#[test]
fn groups_nest_as_deep_as_in_prost_and_no_deeper() {
    let nested = |levels| {
        let (open, close) = ([0x0b].repeat(levels), [0x0c].repeat(levels));
        [open, close].concat()
    };
    assert!(fields(&nested(100))[0].is_ok());
    let too_deep = nested(101);
    let refused = fields(&too_deep)[0];
    assert!(matches!(refused, Err(WireError::TooDeep { limit: NESTING_MAX, .. })), "{refused:?}");
    // Deep enough to overflow the stack of code without a limit.
    assert!(fields(&nested(1_000_000))[0].is_err());
}

#[test]
fn unwanted_fields_are_passed_over_whatever_they_hold() {
    // A varint, a string, a wanted varint, a field 35, a group, a wanted string.
    let message = b"\x08\x96\x01\x12\x02hi\x18\x05\x98\x02\x01\x23\x08\x01\x24\x2a\x01x";
    let mut fields = Reader::new(message);
    let mut found = Vec::new();
    while fields.skip_to(1 << 3 | 1 << 5).unwrap() {
        let field = fields.next().unwrap().unwrap();
        found.push((field.number, field.offset));
    }
    assert_eq!(found, [(3, 8), (5, 18)]);
    assert!(Reader::new(b"\x12\x09hi").skip_to(1 << 3).is_err());
    assert!(!Reader::new(b"").skip_to(!0).unwrap());
}
