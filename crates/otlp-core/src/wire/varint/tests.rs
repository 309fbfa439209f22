use proptest::prelude::*;
use prost::encoding::{decode_varint, encode_varint, encoded_len_varint};

use super::*;

proptest! {
    #[test]
    fn any_number_is_written_and_read_as_prost_does(value: u64, shift in 0..64u32) {
        let value = value >> shift;
        let mut ours = Vec::new();
        let mut theirs = Vec::new();
        put(&mut ours, value);
        encode_varint(value, &mut theirs);
        prop_assert_eq!(&ours, &theirs);
        prop_assert_eq!(encoded_len(value), ours.len());
        prop_assert_eq!(encoded_len(value), encoded_len_varint(value));
        prop_assert_eq!(decode(&ours), Ok((value, ours.len())));
    }

    #[test]
    fn any_bytes_are_taken_or_refused_as_prost_does(bytes in prop::collection::vec(
        prop_oneof![any::<u8>(), 0x80u8..=0xff, Just(0x80), 0u8..3], 0..13))
    {
        let mut rest = bytes.as_slice();
        let expected = decode_varint(&mut rest).ok().map(|value| (value, bytes.len() - rest.len()));
        prop_assert_eq!(decode(&bytes).ok(), expected);
    }
}

#[test]
fn ten_bytes_are_the_most_and_the_tenth_is_at_most_one() {
    let with_last = |last| [[0xff; 9].as_slice(), &[last]].concat();
    assert_eq!(decode(&with_last(1)), Ok((u64::MAX, 10)));
    assert_eq!(decode(&with_last(2)), Err(WireError::VarintTooLong { offset: 0 }));
    assert_eq!(decode(&[0x80; 11]), Err(WireError::VarintTooLong { offset: 0 }));
    assert_eq!(decode(&[0x80; 9]), Err(WireError::Truncated { offset: 9 }));
    assert_eq!(decode(&[]), Err(WireError::Truncated { offset: 0 }));
    assert_eq!(decode(&[0x80, 0x00]), Ok((0, 2)), "longer than needed is allowed");
}
