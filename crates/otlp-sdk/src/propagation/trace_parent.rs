//! The `traceparent` header: exact lengths, lowercase hex, no zero ids (row C2, trap 17).

use opentelemetry::{SpanId, TraceFlags, TraceId};

use super::flags::known;
use super::hex;

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
        let [version] = hex::take(&mut fields)?;
        dash(&mut fields)?;
        let trace_id = TraceId::from_bytes(hex::take(&mut fields)?);
        dash(&mut fields)?;
        let span_id = SpanId::from_bytes(hex::take(&mut fields)?);
        dash(&mut fields)?;
        let [flags] = hex::take(&mut fields)?;

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
        hex::push(&mut header, &[0x00]);
        header.push('-');
        hex::push(&mut header, &self.trace_id.to_bytes());
        header.push('-');
        hex::push(&mut header, &self.span_id.to_bytes());
        header.push('-');
        hex::push(&mut header, &[known(self.flags).to_u8()]);
        header
    }
}

fn dash(fields: &mut &[u8]) -> Option<()> {
    *fields = fields.strip_prefix(b"-")?;
    Some(())
}

/// Length of a version 00 header.
const LEN: usize = 55;
