//! A check of a whole request in one pass: no decoding, no allocation.
//!
//! For bytes from outside. What passes is well-formed down to the last attribute, and how much
//! memory decoding it would take is known before any is taken.

mod plain;

use self::plain::{is_short_ascii, plain_attribute};
use super::WireError;
use super::definitions::{Definition, Step, Type};
use super::reader::{Input as _, Reader};
use crate::signal::Signal;

/// What [`scan`] refuses beyond bytes that are not well-formed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanLimits {
    /// Most levels of arrays and maps in a value, the value itself being level 1 (row L3).
    /// Default 64.
    ///
    /// Messages may be nested 100 levels in all, as in prost, so that what passes here passes
    /// there. That allows 48 levels in a span's attribute and one less in an event's.
    pub depth: u32,
    /// Most elements: members of the protocol's lists, at every level. Default 1,000,000.
    pub elements: usize,
    /// Whether trace ids must have 0 or 16 bytes and span ids 0 or 8 (row F2). Default true.
    pub id_lengths: bool,
}

impl Default for ScanLimits {
    fn default() -> Self {
        Self { depth: 64, elements: 1_000_000, id_lengths: true }
    }
}

/// What [`scan`] found in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScanReport {
    /// Spans, log records or metric data points.
    pub items: usize,
    /// Members of the protocol's lists: envelopes, items, events, links, exemplars, attributes at
    /// every level, members of array values, entity references and their keys.
    pub elements: usize,
    /// About how many bytes of memory the decoded request would take, in the structs that
    /// `prost` generates and with the spare room of growing vectors.
    pub decoded_size: usize,
    /// References to a dictionary (`key_strindex`, `string_value_strindex`). Only profiles have one, so here they
    /// mean nothing: count as absent, and are worth a word in a log (row W7).
    pub indexes: usize,
}

/// Checks `request`, a whole `Export<Signal>ServiceRequest`.
///
/// Refuses everything that prost refuses: bad framing, known fields of another wire type, strings
/// that are not UTF-8, nesting beyond 100 levels, unmatched groups. Passes over unknown fields, as
/// prost does (row W2). Beyond prost it refuses what `limits` says: ids of another length, values
/// nested too deep, too many elements.
///
/// Costs one pass over the bytes and no allocation.
///
/// ```
/// use otlp_core::Signal;
/// use otlp_core::wire::scan::{ScanLimits, scan};
///
/// // One resource, one scope, one span named "hi".
/// let request = b"\x0a\x08\x12\x06\x12\x04\x2a\x02hi";
/// let report = scan(Signal::Traces, request, &ScanLimits::default())?;
/// assert_eq!((report.items, report.elements), (1, 3));
/// # Ok::<(), otlp_core::wire::WireError>(())
/// ```
///
/// # Errors
///
/// The first thing found that is wrong.
pub fn scan(signal: Signal, request: &[u8], limits: &ScanLimits) -> Result<ScanReport, WireError> {
    let root = match signal {
        Signal::Traces => Type::TraceRequest,
        Signal::Metrics => Type::MetricsRequest,
        Signal::Logs => Type::LogsRequest,
    };
    let mut scan = Scan { limits, report: ScanReport::default() };
    scan.message(Reader::new(request), root.definition(), 0)?;
    Ok(scan.report)
}

/// Checks `span`, a single encoded `Span`, under the default [`ScanLimits`].
///
/// # Errors
///
/// The first thing found that is wrong.
pub fn check_span(span: &[u8]) -> Result<(), WireError> {
    let limits = ScanLimits::default();
    let mut scan = Scan { limits: &limits, report: ScanReport::default() };
    scan.message(Reader::within(span, SPAN_NESTING), Type::Span.definition(), 0)
}

/// How many messages a span stands in: request, resource envelope, scope envelope.
const SPAN_NESTING: u32 = 3;

struct Scan<'l> {
    limits: &'l ScanLimits,
    report: ScanReport,
}

impl Scan<'_> {
    /// Checks the fields of one message; `depth` is the level of the value that it belongs to.
    ///
    /// Calls itself for nested messages, at most as deep as a [`Reader`] allows.
    fn message(
        &mut self,
        mut fields: Reader<'_>,
        definition: &Definition,
        depth: u32,
    ) -> Result<(), WireError> {
        let mut list = ListGrowth::default();
        while let Some(&first) = fields.rest().first() {
            // A key of one byte is its own index.
            let (number, step) = match definition.step(first) {
                Some(step) => {
                    fields.advance(1);
                    (u32::from(first >> 3), step)
                }
                None => {
                    let (number, wire_type) = fields.key()?;
                    (number, definition.step_of(number, wire_type))
                }
            };
            match step {
                Step::Varint => drop(fields.varint()?),
                Step::Index => self.report.indexes += usize::from(fields.varint()? != 0),
                Step::Fixed64 => fields.skip_fixed(8)?,
                Step::Fixed32 => fields.skip_fixed(4)?,
                Step::Text => self.text(&mut fields, definition, number)?,
                Step::ListedText => {
                    self.text(&mut fields, definition, number)?;
                    self.element(&fields, list.grow(number) * size_of::<String>())?;
                }
                Step::Bytes => drop(self.bytes(&mut fields)?),
                Step::Id(expected) => self.id(&mut fields, definition, number, expected)?,
                Step::One(inner) => {
                    let nested = fields.nested()?;
                    self.nested(nested, inner, depth)?;
                }
                Step::List(inner) => {
                    let nested = fields.nested()?;
                    let size = inner.definition().decoded_size;
                    self.element(&nested, list.grow(number) * size)?;
                    self.report.items += usize::from(inner.is_item());
                    self.nested(nested, inner, depth)?;
                }
                Step::PackedFixed64 => self.packed_fixed64(&mut fields)?,
                Step::PackedVarint => self.packed_varint(&mut fields)?,
                Step::Unknown(wire_type) => fields.skip_unknown(number, wire_type)?,
                Step::WrongWireType(found) => {
                    let (message, offset) = (definition.name, fields.offset());
                    let found = found as u8;
                    return Err(WireError::WrongWireType { message, field: number, found, offset });
                }
                Step::InvalidKey => {
                    let offset = fields.offset().saturating_sub(1);
                    return Err(WireError::InvalidKey { key: u64::from(first), offset });
                }
            }
        }
        Ok(())
    }

    #[inline]
    fn nested(&mut self, fields: Reader<'_>, inner: Type, depth: u32) -> Result<(), WireError> {
        if inner == Type::KeyValue
            && depth < self.limits.depth
            && !fields.is_deepest()
            && let Some(decoded) = plain_attribute(fields.rest())
        {
            self.charge(decoded);
            return Ok(());
        }
        let depth = depth + u32::from(inner == Type::AnyValue);
        if depth > self.limits.depth {
            let (limit, offset) = (self.limits.depth, fields.offset());
            return Err(WireError::TooDeep { limit, offset });
        }
        self.message(fields, inner.definition(), depth)
    }

    /// Counts a member of a list that made the list grow by `decoded` bytes.
    #[inline]
    fn element(&mut self, at: &Reader<'_>, decoded: usize) -> Result<(), WireError> {
        self.charge(decoded);
        self.report.elements += 1;
        if self.report.elements > self.limits.elements {
            let (limit, offset) = (self.limits.elements, at.offset());
            return Err(WireError::TooManyElements { limit, offset });
        }
        Ok(())
    }

    #[inline]
    fn charge(&mut self, decoded: usize) {
        self.report.decoded_size = self.report.decoded_size.saturating_add(decoded);
    }

    #[inline]
    fn bytes<'a>(&mut self, fields: &mut Reader<'a>) -> Result<&'a [u8], WireError> {
        let bytes = fields.content()?;
        self.charge(bytes.len());
        Ok(bytes)
    }

    #[inline]
    fn text(
        &mut self,
        fields: &mut Reader<'_>,
        definition: &Definition,
        field: u32,
    ) -> Result<(), WireError> {
        let text = self.bytes(fields)?;
        if is_short_ascii(text) || std::str::from_utf8(text).is_ok() {
            return Ok(());
        }
        let (message, offset) = (definition.name, fields.offset().saturating_sub(text.len()));
        Err(WireError::InvalidUtf8 { message, field, offset })
    }

    fn id(
        &mut self,
        fields: &mut Reader<'_>,
        definition: &Definition,
        field: u32,
        expected: u8,
    ) -> Result<(), WireError> {
        let length = self.bytes(fields)?.len();
        let expected = usize::from(expected);
        if length == expected || length == 0 || !self.limits.id_lengths {
            return Ok(());
        }
        let (message, offset) = (definition.name, fields.offset().saturating_sub(length));
        Err(WireError::InvalidIdLength { message, field, length, expected, offset })
    }

    fn packed_fixed64(&mut self, fields: &mut Reader<'_>) -> Result<(), WireError> {
        let numbers = self.bytes(fields)?;
        if numbers.len() % size_of::<u64>() == 0 {
            return Ok(());
        }
        Err(WireError::Truncated { offset: fields.offset() })
    }

    fn packed_varint(&mut self, fields: &mut Reader<'_>) -> Result<(), WireError> {
        let length = fields.length()?;
        let end = fields.remaining() - length;
        let mut count = 0;
        while fields.remaining() > end {
            fields.varint()?;
            count += 1;
        }
        if fields.remaining() < end {
            return Err(WireError::Truncated { offset: fields.offset() });
        }
        // A number of one byte takes eight, and the vector of them up to twice that.
        self.charge(2 * count * size_of::<u64>());
        Ok(())
    }
}

/// How a vector grows while one list is read: to 4 members, then to twice as many each time.
///
/// Where the members of two lists alternate, each counts as the start of a new list.
#[derive(Default)]
struct ListGrowth {
    number: u32,
    len: usize,
}

impl ListGrowth {
    /// How many places the vector of field `number` gains by one more member.
    #[inline]
    fn grow(&mut self, number: u32) -> usize {
        if self.number != number {
            (self.number, self.len) = (number, 0);
        }
        self.len += 1;
        match self.len {
            1 => 4,
            len if len > 4 && (len - 1).is_power_of_two() => len - 1,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests;
