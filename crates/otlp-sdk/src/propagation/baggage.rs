//! The `baggage` header of W3C Baggage, bounded over all its lines.
//!
//! Not `opentelemetry_sdk`'s propagator: as of 0.33.1 it reads the first header line only, cuts a
//! value at its second `=`, sends `%` unescaped so that a value changes on the way, may send three
//! times the byte limit, and logs the whole header each time one is malformed.

use std::iter;
use std::sync::LazyLock;

use opentelemetry::Context;
use opentelemetry::baggage::{Baggage, BaggageExt};
use opentelemetry::propagation::text_map_propagator::FieldIter;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::notice::Notice;

/// Propagates [`Baggage`] in the `baggage` header of [W3C Baggage](https://www.w3.org/TR/baggage/)
/// (row C6). Works without an SDK.
///
/// Names and values are case-sensitive, a repeated name keeps its last value, and properties
/// behind a `;` are kept as they are, as metadata.
///
/// Both ways at most 64 members and 8192 bytes pass, counted over all header lines. *Extract*
/// takes whole members from the front until a limit is reached and skips malformed ones; when
/// nothing is left the context stays as it is. *Inject* leaves out members that do not fit.
///
/// ```
/// use std::collections::HashMap;
///
/// use opentelemetry::baggage::BaggageExt;
/// use opentelemetry::propagation::TextMapPropagator;
/// use otlp_sdk::propagation::BaggagePropagator;
///
/// let request = HashMap::from([("baggage".to_owned(), "user.tier=gold%20plus".to_owned())]);
///
/// let cx = BaggagePropagator::new().extract(&request);
///
/// assert_eq!(cx.baggage().get("user.tier").map(|tier| tier.as_str()), Some("gold plus"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct BaggagePropagator {
    _private: (),
}

impl BaggagePropagator {
    /// The propagator; it has no options and no state.
    #[must_use]
    pub const fn new() -> Self {
        Self { _private: () }
    }
}

impl TextMapPropagator for BaggagePropagator {
    // As the trait has both, but the thread's context is not borrowed meanwhile: a carrier or a log
    // layer may attach one.
    fn inject(&self, injector: &mut dyn Injector) {
        self.inject_context(&Context::current(), injector);
    }

    fn extract(&self, extractor: &dyn Extractor) -> Context {
        self.extract_with_context(&Context::current(), extractor)
    }

    fn inject_context(&self, cx: &Context, injector: &mut dyn Injector) {
        let mut header = String::new();
        let mut members = 0;
        for (name, (value, metadata)) in cx.baggage() {
            let before = header.len();
            push_member(&mut header, name.as_str(), value.as_str(), metadata.as_str());
            if header.len() > BYTES_MAX || members == MEMBERS_MAX {
                header.truncate(before);
                LEFT_OUT.ignored(BAGGAGE, "members above 64 or above 8192 bytes were not sent");
            } else {
                members += 1;
            }
        }
        if !header.is_empty() {
            injector.set(BAGGAGE, header);
        }
    }

    fn extract_with_context(&self, cx: &Context, extractor: &dyn Extractor) -> Context {
        let Some(lines) = extractor.get_all(BAGGAGE) else {
            return cx.clone();
        };
        let baggage = read(&lines);
        if baggage.is_empty() { cx.clone() } else { cx.with_baggage(baggage) }
    }

    fn fields(&self) -> FieldIter<'_> {
        FieldIter::new(FIELDS.as_slice())
    }
}

/// Reads all header lines as one list, up to the limits.
fn read(lines: &[&str]) -> Baggage {
    let mut baggage = Baggage::new();
    let (mut bytes, mut members) = (0_usize, 0);
    for text in lines.iter().flat_map(|line| line.split(',')) {
        // Counted as if the lines were joined with commas.
        let over = bytes.saturating_add(text.len()) > BYTES_MAX;
        bytes = bytes.saturating_add(text.len()).saturating_add(1);
        let text = text.trim_matches(OWS);
        if over || (members == MEMBERS_MAX && !text.is_empty()) {
            TOO_MUCH.ignored(BAGGAGE, "members above 64 or above 8192 bytes were not read");
            break;
        }
        if text.is_empty() {
            continue;
        }
        members += 1;
        match Member::parse(text) {
            Some(Member { name, value, metadata }) => {
                baggage.insert_with_metadata(name.to_owned(), value, metadata);
            }
            None => BAD_MEMBER.ignored(BAGGAGE, "a member is not `name=value`"),
        }
    }
    baggage
}

/// One `name=value;properties`.
#[derive(Debug, PartialEq, Eq)]
struct Member<'a> {
    name: &'a str,
    value: String,
    metadata: &'a str,
}

impl<'a> Member<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (pair, metadata) = text.split_once(';').unwrap_or((text, ""));
        let (name, value) = pair.split_once('=')?;
        let name = name.trim_matches(OWS);
        // "Sequences that do not match the UTF-8 encoding scheme MUST be replaced" by U+FFFD.
        let value = percent_decode_str(value.trim_matches(OWS)).decode_utf8_lossy().into_owned();
        let metadata = metadata.trim_matches(OWS);
        valid_name(name).then_some(Self { name, value, metadata })
    }
}

/// A token as HTTP has it: visible ASCII without separators.
pub(super) fn valid_name(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_graphic() && !b"(),/:;<=>?@[\\]{}\"".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}

/// Appends a member, with a comma if it is not the first. Metadata is opaque and was encoded by
/// whoever made it; only what would break the header is escaped in it.
fn push_member(header: &mut String, name: &str, value: &str, metadata: &str) {
    let comma = if header.is_empty() { "" } else { "," };
    let semicolon = if metadata.is_empty() { "" } else { ";" };
    header.extend(
        [comma, name, "="]
            .into_iter()
            .chain(utf8_percent_encode(value, VALUE_ESCAPES))
            .chain(iter::once(semicolon))
            .chain(utf8_percent_encode(metadata, METADATA_ESCAPES)),
    );
}

const BAGGAGE: &str = "baggage";
/// W3C Baggage, "Limits".
pub(super) const MEMBERS_MAX: usize = 64;
pub(super) const BYTES_MAX: usize = 8192;
const OWS: [char; 2] = [' ', '\t'];

/// All that is not a `baggage-octet`, and `%` itself.
const VALUE_ESCAPES: &AsciiSet =
    &CONTROLS.add(b' ').add(b'"').add(b',').add(b';').add(b'\\').add(b'%');
const METADATA_ESCAPES: &AsciiSet = &CONTROLS.add(b'"').add(b',').add(b'\\');

static FIELDS: LazyLock<[String; 1]> = LazyLock::new(|| [BAGGAGE.to_owned()]);

static BAD_MEMBER: Notice = Notice::new();
static TOO_MUCH: Notice = Notice::new();
static LEFT_OUT: Notice = Notice::new();

#[cfg(test)]
mod tests;
