use bytes::Bytes;
use proptest::prelude::*;

use super::*;

const CODECS: [Compression; 2] = [Compression::gzip(), Compression::zstd()];
const TEXT: &[u8] = b"OTLP OTLP OTLP";

fn bytes_of(hex: &str) -> Bytes {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

/// Bytes that compress about as well as spans do.
fn sample(len: usize) -> Bytes {
    let line = |i: usize| format!("span {} of service checkout, duration {} ns;", i, i * 7919);
    let text: String = (0..len / 40 + 1).map(line).collect();
    Bytes::from(text.into_bytes()).slice(..len)
}

#[test]
fn names_are_read_in_any_case_and_unknown_ones_name_what_is_accepted() {
    assert_eq!("None".parse(), Ok(Compression::None));
    assert_eq!(" gZip ".parse(), Ok(Compression::Gzip { level: 1 }));
    assert_eq!("ZSTD".parse(), Ok(Compression::Zstd { level: 1 }));
    let error = "br\n".parse::<Compression>().unwrap_err().to_string();
    assert_eq!(error, "unknown compression \"br\\n\"; accepted: none, gzip, zstd");
}

#[test]
fn content_encodings_are_those_that_we_can_undo() {
    for (text, compression) in [
        ("gzip", Compression::gzip()),
        ("X-GZIP", Compression::gzip()),
        ("zstd", Compression::zstd()),
        ("identity", Compression::None),
        ("", Compression::None),
    ] {
        assert_eq!(Compression::from_content_encoding(text).unwrap(), compression);
    }
    for text in ["br", "deflate", "gzip, gzip", "none"] {
        let error = Compression::from_content_encoding(text).unwrap_err();
        assert!(matches!(error, DecompressError::UnsupportedEncoding { .. }), "{error}");
    }
}

proptest! {
    #[test]
    fn what_goes_in_comes_out_however_it_is_cut(
        parts in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..3000), 0..6),
        gzip in 0u32..12,
        zstd in -9i32..10,
    ) {
        let parts: Vec<Bytes> = parts.into_iter().map(Bytes::from).collect();
        let whole = parts.concat();
        for codec in [
            Compression::None,
            Compression::Gzip { level: gzip },
            Compression::Zstd { level: zstd },
        ] {
            let body = compress(&parts, codec).unwrap();
            prop_assert_eq!(&decompress(codec, &body, whole.len()).unwrap(), &whole);
        }
    }

    #[test]
    fn hostile_bodies_give_errors_and_stay_within_the_limit(
        mut body in proptest::collection::vec(any::<u8>(), 0..400),
        codec in 0usize..2,
    ) {
        // Past the magic number, or nothing but the first check is tested.
        let magic = [&[0x1f, 0x8b, 8, 0][..], &[0x28, 0xb5, 0x2f, 0xfd]][codec];
        body.splice(0..0, magic.iter().copied());
        if let Ok(out) = decompress(CODECS[codec], &Bytes::from(body), 1000) {
            prop_assert!(out.len() <= 1000);
        }
    }
}

#[test]
fn large_bodies_survive_and_shrink_with_reused_codecs() {
    let whole = sample(400_000);
    for codec in [CODECS[0], CODECS[1], Compression::Zstd { level: 22 }] {
        // The second round meets the state that the first one left.
        for _ in 0..2 {
            let body = compress(std::slice::from_ref(&whole), codec).unwrap();
            assert!(body.len() < whole.len() / 3, "{codec:?}: {}", body.len());
            assert_eq!(decompress(codec, &body, whole.len()).unwrap(), whole);
        }
    }
}

#[test]
fn a_change_of_level_takes_effect() {
    let whole = [sample(200_000)];
    let size = |level| compress(&whole, Compression::Gzip { level }).unwrap().len();
    let (fast, small) = (size(1), size(9));
    assert!(small < fast);
    assert_eq!(size(1), fast);
}

#[test]
fn the_limit_is_exact() {
    let whole = sample(100_000);
    for codec in [Compression::None, CODECS[0], CODECS[1]] {
        let body = compress(std::slice::from_ref(&whole), codec).unwrap();
        assert_eq!(decompress(codec, &body, 100_000).unwrap(), whole);
        let error = decompress(codec, &body, 99_999).unwrap_err();
        assert!(matches!(error, DecompressError::TooLarge { limit: 99_999 }), "{error}");
    }
}

#[test]
fn a_bomb_is_refused_after_the_limit_and_costs_no_more_than_it() {
    // Z2, Z3: kilobytes on the wire, megabytes inflated.
    let zeros = vec![Bytes::from(vec![0; 1 << 20]); 8];
    for codec in CODECS {
        let bomb = compress(&zeros, codec).unwrap();
        let mut inflating = Decompressor::new(codec, bomb, 1 << 18).unwrap();
        let mut out = 0;
        let error = loop {
            match inflating.next_chunk() {
                Ok(chunk) => out += chunk.expect("the bomb is larger than the limit").len(),
                Err(error) => break error,
            }
        };
        assert!(matches!(error, DecompressError::TooLarge { limit: 262_144 }), "{error}");
        assert!(out <= 1 << 18);
    }
}

#[test]
fn many_small_members_count_together() {
    for codec in CODECS {
        let member = compress(&[Bytes::from_static(TEXT)], codec).unwrap();
        let body = Bytes::from(member.repeat(1000));
        assert_eq!(decompress(codec, &body, 14_000).unwrap(), TEXT.repeat(1000));
        let error = decompress(codec, &body, 13_999).unwrap_err();
        assert!(matches!(error, DecompressError::TooLarge { .. }), "{error}");
        // Members without content are many bytes on the wire for none inflated.
        let nothing = compress(&[], codec).unwrap();
        assert_eq!(decompress(codec, &Bytes::from(nothing.repeat(1000)), 0).unwrap(), "");
    }
}

#[test]
fn cut_and_damaged_bodies_are_told_apart() {
    for codec in CODECS {
        let body = compress(&[sample(50_000)], codec).unwrap();
        for len in [0, 1, 5, 12, body.len() / 2, body.len() - 1] {
            let error = decompress(codec, &body.slice(..len), 1 << 20).unwrap_err();
            assert!(matches!(error, DecompressError::Truncated { .. }), "{codec} {len}: {error}");
        }
        for body in [
            Bytes::from_static(b"<html>413</html>"),
            [&body[..], b"junk behind it"].concat().into(),
        ] {
            let error = decompress(codec, &body, 1 << 20).unwrap_err();
            assert!(matches!(error, DecompressError::Corrupt { .. }), "{codec}: {error}");
        }
    }
    let mut damaged = compress(&[sample(50_000)], Compression::gzip()).unwrap().to_vec();
    let crc = damaged.len() - 6;
    damaged[crc] ^= 1;
    let error = decompress(Compression::gzip(), &damaged.into(), 1 << 20).unwrap_err();
    assert!(matches!(error, DecompressError::Corrupt { .. }), "{error}");
}

#[test]
fn a_failed_body_leaves_nothing_behind_for_the_next_one() {
    for codec in CODECS {
        let whole = sample(50_000);
        let body = compress(std::slice::from_ref(&whole), codec).unwrap();
        for broken in [body.slice(..body.len() / 2), Bytes::from(body.repeat(2))] {
            assert!(decompress(codec, &broken, 60_000).is_err());
            assert_eq!(decompress(codec, &body, 60_000).unwrap(), whole);
        }
        // One that was given up half way.
        let mut inflating = Decompressor::new(codec, body.clone(), 60_000).unwrap();
        assert!(inflating.next_chunk().unwrap().is_some());
        drop(inflating);
        assert_eq!(decompress(codec, &body, 60_000).unwrap(), whole);
    }
}

#[test]
fn chunks_are_bounded_and_make_up_the_whole() {
    let whole = sample(500_000);
    for codec in [Compression::None, CODECS[0], CODECS[1]] {
        let body = compress(std::slice::from_ref(&whole), codec).unwrap();
        let mut inflating = Decompressor::new(codec, body, 1 << 20).unwrap();
        let mut out = Vec::new();
        while let Some(chunk) = inflating.next_chunk().unwrap() {
            assert!(!chunk.is_empty() && chunk.len() <= 64 << 10);
            out.extend_from_slice(&chunk);
        }
        assert_eq!(out, whole);
    }
}

#[test]
fn bodies_of_other_implementations_are_read() {
    for (maker, hex) in [
        (
            "GNU gzip -9, with a file name in the header",
            "1f8b08088e89016b0203742e74787400f30ff10950f08711004cd5e90c0e000000",
        ),
        ("Python gzip", "1f8b0800000000000203f30ff10950f08711004cd5e90c0e000000"),
        (
            "Go compress/gzip, flushed in between",
            "1f8b08000000000000fff20ff10950001300000000ffff021180000000ffff4cd5e90c0e000000",
        ),
    ] {
        assert_eq!(decompress(Compression::gzip(), &bytes_of(hex), 14).unwrap(), TEXT, "{maker}");
    }
    const STREAMED: &str = "28b52ffd04587100004f544c50204f544c50204f544c50c4656093";
    for (maker, hex) in [
        ("zstd, size unknown, with checksum", STREAMED.to_owned()),
        (
            "zstd, size known, one segment",
            "28b52ffd240e7100004f544c50204f544c50204f544c50c4656093".to_owned(),
        ),
        ("zstd behind a skippable frame", format!("502a4d1803000000aabbcc{STREAMED}")),
        (
            "zstd with the largest window that HTTP allows",
            "28b52ffd04687100004f544c50204f544c50204f544c50c4656093".to_owned(),
        ),
    ] {
        assert_eq!(decompress(Compression::zstd(), &bytes_of(&hex), 14).unwrap(), TEXT, "{maker}");
    }
}

#[test]
fn zstd_windows_above_8_mib_are_refused_and_never_sent() {
    for window in ["70", "88"] {
        let hex = format!("28b52ffd04{window}7100004f544c50204f544c50204f544c50c4656093");
        let error = decompress(Compression::zstd(), &bytes_of(&hex), 1 << 20).unwrap_err();
        assert!(matches!(error, DecompressError::Corrupt { codec: "zstd", .. }), "{error}");
    }
    // RFC 9659: larger than any window, at the level with the largest one.
    let whole = Bytes::from(vec![1; 9 << 20]);
    let body = compress(std::slice::from_ref(&whole), Compression::Zstd { level: 22 }).unwrap();
    assert_eq!(decompress(Compression::zstd(), &body, 9 << 20).unwrap(), whole);
}

#[test]
fn threads_have_codecs_of_their_own() {
    let whole = sample(100_000);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for codec in CODECS {
                    let body = compress(std::slice::from_ref(&whole), codec).unwrap();
                    assert_eq!(decompress(codec, &body, 100_000).unwrap(), whole);
                }
            });
        }
    });
}
