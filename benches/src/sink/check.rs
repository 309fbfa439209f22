//! What a request holds, found without decoding it.

use std::io::Read;

use bytes::Bytes;

use super::Encoding;
use crate::subject::Items;

/// Counts items by walking the envelopes: request, what is of one resource, what is of one scope.
pub(super) fn scan(items: Items, request: &[u8]) -> Result<u64, String> {
    let mut count = 0;
    each(request, 1, &mut |of_resource| {
        each(of_resource, 2, &mut |of_scope| {
            each(of_scope, 2, &mut |item| {
                count += match items {
                    Items::Spans => 1,
                    Items::Points => points(item)?,
                };
                Some(())
            })
        })
    })
    .ok_or("a request whose envelopes do not add up")?;
    Ok(count)
}

/// The data points of a metric: field 1 of whatever kind of data it has.
fn points(metric: &[u8]) -> Option<u64> {
    let mut count = 0;
    for kind in METRIC_DATA {
        each(metric, kind, &mut |data| {
            each(data, 1, &mut |_| {
                count += 1;
                Some(())
            })
        })?;
    }
    Some(count)
}

/// Gauge, sum, histogram, exponential histogram, summary.
const METRIC_DATA: [u64; 5] = [5, 7, 9, 10, 11];

/// Inflates a message; at most so much that a broken one cannot take the machine's memory.
pub(super) fn inflate(encoding: Encoding, message: Bytes) -> Result<Bytes, String> {
    match encoding {
        Encoding::Identity => Ok(message),
        Encoding::Gzip => read_all(flate2::read::MultiGzDecoder::new(&*message)),
        Encoding::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(&*message);
            read_all(decoder.map_err(|error| error.to_string())?)
        }
    }
}

fn read_all(decoder: impl Read) -> Result<Bytes, String> {
    let mut inflated = Vec::new();
    let read = decoder.take(INFLATED_MAX + 1).read_to_end(&mut inflated);
    match read {
        Ok(length) if length as u64 > INFLATED_MAX => {
            Err(format!("a message of more than {INFLATED_MAX} bytes"))
        }
        Ok(_) => Ok(inflated.into()),
        Err(error) => Err(format!("a message that does not inflate: {error}")),
    }
}

/// Larger than any request that a client here makes.
const INFLATED_MAX: u64 = 64 << 20;

/// Calls `with` for every length-delimited field of that number; `None` for malformed bytes.
fn each(mut message: &[u8], number: u64, with: &mut dyn FnMut(&[u8]) -> Option<()>) -> Option<()> {
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match tag & 7 {
            0 => drop(varint(&mut message)?),
            1 => drop(take(&mut message, 8)?),
            2 => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                let field = take(&mut message, length)?;
                if tag >> 3 == number {
                    with(field)?;
                }
            }
            5 => drop(take(&mut message, 4)?),
            _ => return None,
        }
    }
    Some(())
}

fn varint(message: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *take(message, 1)?.first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(message: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    message.split_off(..length)
}
