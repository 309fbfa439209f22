//! The `traceparent` header: exact lengths, lowercase hex, no zero ids (row C2, trap 17).

use opentelemetry::{SpanId, TraceFlags, TraceId};

use super::flags::known;

/// What a `traceparent` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TraceParent {
    pub(super) trace_id: TraceId,
    pub(super) span_id: SpanId,
    pub(super) flags: TraceFlags,
}

impl TraceParent {
    /// Reads the header, or says that the trace has to be restarted.
    ///
    /// Version 00 is 55 characters and nothing else. A higher version may go on after a dash; its
    /// known fields are used and the rest is not looked at. Version ff does not exist.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let header = header.trim_matches([' ', '\t']).as_bytes();
        let (fields, rest) = header.split_first_chunk::<LEN>()?;
        let mut fields = fields.as_slice();
        let [version] = hex(&mut fields)?;
        dash(&mut fields)?;
        let trace_id = TraceId::from_bytes(hex(&mut fields)?);
        dash(&mut fields)?;
        let span_id = SpanId::from_bytes(hex(&mut fields)?);
        dash(&mut fields)?;
        let [flags] = hex(&mut fields)?;

        let ends = match version {
            0x00 => rest.is_empty(),
            0xff => false,
            _ => matches!(rest.first(), None | Some(b'-')),
        };
        let valid = ends && trace_id != TraceId::INVALID && span_id != SpanId::INVALID;
        valid.then(|| Self { trace_id, span_id, flags: known(TraceFlags::new(flags)) })
    }

    /// Writes the header in version 00, the highest version that this code knows.
    pub(super) fn header(self) -> String {
        let mut header = String::with_capacity(LEN);
        push_hex(&mut header, &[0x00]);
        header.push('-');
        push_hex(&mut header, &self.trace_id.to_bytes());
        header.push('-');
        push_hex(&mut header, &self.span_id.to_bytes());
        header.push('-');
        push_hex(&mut header, &[known(self.flags).to_u8()]);
        header
    }
}

/// Takes `N` bytes in lowercase hex from the front.
fn hex<const N: usize>(fields: &mut &[u8]) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    for byte in &mut bytes {
        let ([high, low], rest) = fields.split_first_chunk()?;
        *byte = digit(*high)? << 4 | digit(*low)?;
        *fields = rest;
    }
    Some(bytes)
}

fn digit(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'a'..=b'f' => Some(character - b'a' + 10),
        _ => None,
    }
}

fn dash(fields: &mut &[u8]) -> Option<()> {
    *fields = fields.strip_prefix(b"-")?;
    Some(())
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        for nibble in [byte >> 4, byte & 0x0f] {
            let first = if nibble < 10 { b'0' } else { b'a' - 10 };
            text.push(char::from(first + nibble));
        }
    }
}

/// Length of a version 00 header.
const LEN: usize = 55;
