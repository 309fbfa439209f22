//! The trace state of a span: read, and written with other marks of sampling in it.

use super::carrier::Carrier;
use super::probability::{Randomness, Threshold};

/// A trace state, taken apart. Borrows its text.
#[derive(Debug, Default)]
pub(super) struct TraceState<'s> {
    randomness: Option<(Randomness, Text<'s>)>,
    threshold: Option<(Threshold, Text<'s>)>,
    /// The other fields of `ot`.
    fields: Vec<(&'s str, &'s str)>,
    /// The other members of the list.
    members: Vec<(&'s str, &'s str)>,
}

/// How a number is written: as it came, until it is set.
#[derive(Debug)]
enum Text<'s> {
    Came(&'s str),
    Set(String),
}

impl Text<'_> {
    fn as_str(&self) -> &str {
        match self {
            Text::Came(text) => text,
            Text::Set(text) => text,
        }
    }
}

impl<'s> TraceState<'s> {
    /// Takes a trace state apart, and says whether it was well-formed. What cannot be read is left out.
    pub(super) fn read(text: &'s [u8]) -> (Self, bool) {
        let mut state = Self::default();
        let Ok(text) = std::str::from_utf8(text) else { return (state, false) };
        if text.is_empty() {
            return (state, true);
        }
        if text.len() > LENGTH_MAX || !members(text).all(is_member) {
            return (state, false);
        }
        let mut is_ok = true;
        for (at, member) in text.split(',').enumerate() {
            if at + 1 >= MEMBERS_MAX {
                return (state, false);
            }
            let Some((key, value)) = member.trim_matches(OWS).split_once('=') else { continue };
            is_ok &= match key {
                "ot" => state.read_ot(value),
                _ if !is_short(key) => false,
                _ => {
                    state.members.push((key, value));
                    true
                }
            };
        }
        (state, is_ok)
    }

    fn read_ot(&mut self, value: &'s str) -> bool {
        (self.randomness, self.threshold) = (None, None);
        self.fields.clear();
        let is_field = |field: &str| {
            field.split_once(':').is_some_and(|(key, value)| is_ot_key(key) && is_ot_value(value))
        };
        if value.len() > OT_LENGTH_MAX || !value.split(';').all(is_field) {
            return false;
        }
        let mut is_ok = true;
        for (key, value) in value.split(';').filter_map(|field| field.split_once(':')) {
            match key {
                "rv" => {
                    self.randomness = Randomness::parse(value).map(|it| (it, Text::Came(value)));
                    is_ok &= self.randomness.is_some();
                }
                "th" => {
                    self.threshold = Threshold::parse(value).map(|it| (it, Text::Came(value)));
                    is_ok &= self.threshold.is_some();
                }
                _ => self.fields.push((key, value)),
            }
        }
        is_ok
    }

    /// The whole, with `ot` in front.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let own = [
            ("rv", self.randomness.as_ref().map(|(_, text)| text.as_str())),
            ("th", self.threshold.as_ref().map(|(_, text)| text.as_str())),
        ];
        let own = own.into_iter().filter_map(|(key, value)| Some((key, value?)));
        for (key, value) in
            own.chain(self.fields.iter().copied()).filter(|it| !it.1.is_empty() || !is_own(it.0))
        {
            text.push_str(if text.is_empty() { "ot=" } else { ";" });
            text.push_str(key);
            text.push(':');
            text.push_str(value);
        }
        for (key, value) in &self.members {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(key);
            text.push('=');
            text.push_str(value);
        }
        text
    }
}

impl Carrier for TraceState<'_> {
    fn threshold(&self) -> Option<Threshold> {
        self.threshold.as_ref().map(|(threshold, _)| *threshold)
    }

    fn randomness(&self) -> Option<Randomness> {
        self.randomness.as_ref().map(|(randomness, _)| *randomness)
    }

    fn set_threshold(&mut self, threshold: Threshold) {
        self.threshold = Some((threshold, Text::Set(threshold.text())));
    }

    fn set_randomness(&mut self, randomness: Randomness) {
        self.randomness = Some((randomness, Text::Set(randomness.text())));
    }

    fn clear_threshold(&mut self) {
        self.threshold = None;
    }
}

fn is_own(key: &str) -> bool {
    matches!(key, "rv" | "th")
}

/// The members of a list that are not empty.
fn members(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(|member| member.trim_matches(OWS)).filter(|member| !member.is_empty())
}

fn is_member(member: &str) -> bool {
    member.split_once('=').is_some_and(|(key, value)| is_key(key) && is_value(value))
}

fn is_key(key: &str) -> bool {
    let (tenant, system) = match key.split_once('@') {
        Some((tenant, system)) => (Some(tenant), system),
        None => (None, key),
    };
    let starts = |text: &str, is_first: fn(&u8) -> bool| {
        text.as_bytes().split_first().is_some_and(|(first, rest)| {
            let is_char = |it: &u8| is_lower_or_digit(it) || b"_-*/".contains(it);
            is_first(first) && rest.iter().all(is_char)
        })
    };
    starts(system, u8::is_ascii_lowercase) && tenant.is_none_or(|it| starts(it, is_lower_or_digit))
}

fn is_short(key: &str) -> bool {
    let parts_fit = key.split_once('@').is_none_or(|(tenant, system)| {
        tenant.len() <= TENANT_LENGTH_MAX && system.len() <= SYSTEM_LENGTH_MAX
    });
    parts_fit && key.len() <= KEY_LENGTH_MAX
}

fn is_value(value: &str) -> bool {
    let is_char = |it: &u8| matches!(it, b' '..=b'~') && !b",=".contains(it);
    value.len() <= VALUE_LENGTH_MAX
        && value.bytes().last().is_some_and(|last| last != b' ')
        && value.as_bytes().iter().all(is_char)
}

fn is_ot_key(key: &str) -> bool {
    key.as_bytes().split_first().is_some_and(|(first, rest)| {
        first.is_ascii_lowercase() && rest.iter().all(is_lower_or_digit)
    })
}

fn is_ot_value(value: &str) -> bool {
    value.bytes().all(|it| it.is_ascii_alphanumeric() || b"._-".contains(&it))
}

const fn is_lower_or_digit(byte: &u8) -> bool {
    matches!(byte, b'a'..=b'z' | b'0'..=b'9')
}

/// What may stand around a member.
const OWS: [char; 2] = [' ', '\t'];
const LENGTH_MAX: usize = 1024;
const MEMBERS_MAX: usize = 32;
const KEY_LENGTH_MAX: usize = 256;
const TENANT_LENGTH_MAX: usize = 241;
const SYSTEM_LENGTH_MAX: usize = 14;
const VALUE_LENGTH_MAX: usize = 256;
const OT_LENGTH_MAX: usize = 256;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_written_again_with_ot_in_front() {
        let text = "a=1 , t1@sys=x,, ot=th:8;rv:0123456789abcd;x:y";
        let (mut state, is_ok) = TraceState::read(text.as_bytes());
        assert!(is_ok && state.threshold() == Threshold::parse("8"));
        assert_eq!(state.text(), "ot=rv:0123456789abcd;th:8;x:y,a=1,t1@sys=x");
        state.clear_threshold();
        state.set_threshold(Threshold::ALWAYS);
        assert_eq!(state.text(), "ot=rv:0123456789abcd;th:0;x:y,a=1,t1@sys=x");
        assert_eq!(TraceState::read(b"").0.text(), "");
    }

    #[test]
    fn what_is_not_well_formed_is_said_to_be_so_and_left_out() {
        for (text, left) in [
            ("no", ""),
            ("a=", ""),
            ("A=1", ""),
            ("a=1=2", ""),
            ("1@2=x", ""),
            ("a=1,ot=th", "a=1"),
            ("ot=th:8;", ""),
            ("ot=th:8;;x:y", ""),
            ("ot=th:g;x:y,a=1", "ot=x:y,a=1"),
            ("ot=rv:1", ""),
            ("ot=th:8,ot=rv:1", ""),
        ] {
            let (state, is_ok) = TraceState::read(text.as_bytes());
            assert!(!is_ok, "{text}");
            assert_eq!(state.text(), left, "{text}");
        }
        assert!(!TraceState::read(&[0xff]).1);
        let many = vec!["a=1"; 32].join(",");
        assert!(!TraceState::read(many.as_bytes()).1);
        assert!(TraceState::read(&many.as_bytes()[4..]).1);
        let long = format!("a={}", "x".repeat(1023));
        assert!(!TraceState::read(long.as_bytes()).1);
    }
}
