//! From the bytes of a request to a payload: all of it is checked, nothing is decoded.

use bytes::Bytes;
use otlp_core::wire::json::{self, Message};
use otlp_core::wire::scan::{ScanLimits, scan};
use otlp_core::{Payload, Rope, Signal};

use super::body::BodyRules;
use super::refusal::Refusal;
use super::settings::LimitSettings;
use crate::admission::Ticket;
use crate::seldom::Seldom;

/// Checks a request in protobuf: well-formed to the last attribute, within the limits.
pub(super) fn protobuf(
    signal: Signal,
    request: Bytes,
    limits: &LimitSettings,
    capacity: usize,
) -> Result<Payload, Refusal> {
    let mut scan_limits = ScanLimits::default();
    scan_limits.depth = limits.max_value_depth;
    scan_limits.elements = limits.max_elements;
    let report = scan(signal, &request, &scan_limits)?;
    if report.indexes > 0 {
        // Row W7.
        INDEXES.warn(|| {
            let number = report.indexes;
            format!(
                "{number} references to a dictionary, which {signal} do not have, count as absent"
            )
        });
    }
    // Nothing is decoded here, but somebody behind us may: few bytes must not make many of them.
    let amplified = request.len().saturating_mul(AMPLIFICATION_MAX);
    if report.decoded_size > amplified && report.decoded_size > capacity {
        return Err(Refusal::too_large("decoded, the request would take too much memory"));
    }
    Ok(Payload::from_parts(signal, Rope::from(request), report.items))
}

/// The protobuf form of a request in JSON, not checked yet. The ticket pays for both while both are there.
pub(super) fn json(
    signal: Signal,
    text: &[u8],
    ticket: &mut Ticket,
    limits: &LimitSettings,
    rules: &BodyRules,
) -> Result<Bytes, Refusal> {
    let members = json_members(text, limits)?;
    // A member of a list of numbers is what grows most: from two characters to eight bytes or ten.
    let most = members.saturating_mul(8).saturating_add(text.len());
    ticket.grow(most).map_err(|full| rules.full(full))?;
    let mut request = json::read(Message::Request(signal), text)
        .map_err(|error| Refusal::malformed(format!("not OTLP in JSON: {error}")))?;
    if request.len() > rules.limit {
        return Err(Refusal::over_limit(rules.limit));
    }
    request.shrink_to_fit();
    ticket.shrink_to(request.capacity().saturating_add(text.len()));
    Ok(request.into())
}

/// How many members the lists of a text have, found without reading it: by a loop over its brackets and
/// commas, which no depth can exhaust.
fn json_members(text: &[u8], limits: &LimitSettings) -> Result<usize, Refusal> {
    let depth_max = limits.max_json_depth.min(JSON_DEPTH_MAX);
    let (mut depth, mut members) = (0_usize, 0_usize);
    // One bit for each level: whether it is a list.
    let mut lists = 0_u128;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                while let Some(byte) = bytes.next() {
                    match byte {
                        b'"' => break,
                        b'\\' => drop(bytes.next()),
                        _ => {}
                    }
                }
            }
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                if depth > depth_max {
                    let message = format!("JSON is nested deeper than {depth_max} levels");
                    return Err(Refusal::malformed(message));
                }
                let is_list = *byte == b'[';
                lists = (lists << 1) | u128::from(is_list);
                members = members.saturating_add(usize::from(is_list));
            }
            // What closes without being open is for the reader to refuse.
            b']' | b'}' => {
                depth = depth.saturating_sub(1);
                lists >>= 1;
            }
            b',' if lists & 1 == 1 => members = members.saturating_add(1),
            _ => {}
        }
        if members > limits.max_elements {
            let message = format!("more than {} elements", limits.max_elements);
            return Err(Refusal::too_large(message));
        }
    }
    Ok(members)
}

static INDEXES: Seldom = Seldom::new();

/// How much larger than its bytes a request may be once decoded, where that is more than the whole budget.
/// Spans with attributes take three times their bytes; empty ones more than a hundred times.
const AMPLIFICATION_MAX: usize = 16;

/// As many levels as there are bits.
const JSON_DEPTH_MAX: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn members(text: &str) -> Option<usize> {
        let limits = LimitSettings { max_elements: 3, max_json_depth: 4, ..Default::default() };
        json_members(text.as_bytes(), &limits).ok()
    }

    #[test]
    fn members_and_levels_are_counted_outside_of_text() {
        assert_eq!(members("{}"), Some(0));
        assert_eq!(members(r#"{"a":[1,2,3],"b":4,"c":5}"#), Some(3));
        assert_eq!(members(r#"{"a":[1,2,3,4]}"#), None);
        assert_eq!(members(r#"{"a":["[[[[[,,,\"],,","b"]}"#), Some(2));
        assert_eq!(members("[[[[]]]]"), None, "three members and one more");
        assert_eq!(members("{{{{}}}}"), Some(0));
        assert_eq!(members("{{{{{"), None);
        assert_eq!(members("]]]]}}}}\"\\"), Some(0));
    }
}
