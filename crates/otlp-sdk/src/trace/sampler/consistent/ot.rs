//! The OpenTelemetry entry of a trace state: `ot=th:e666;rv:0123456789abcd;…`.
//!
//! Sub-keys that are not ours are kept, `rv` is never changed, and members that break the grammar
//! are dropped when the entry is rewritten. An entry comes from another process; it is at most 256
//! bytes long, because a `TraceState` holds nothing longer.

use std::fmt::Write as _;

use opentelemetry::trace::TraceState;

use super::{Randomness, Threshold};

/// The explicit randomness (`rv`) of a trace, if it is there and well formed.
#[inline]
#[must_use]
pub fn randomness(state: &TraceState) -> Option<Randomness> {
    sub_key(state, "rv").and_then(Randomness::parse)
}

/// The threshold (`th`) with which the parent was kept, if it is there and well formed.
#[inline]
#[must_use]
pub fn threshold(state: &TraceState) -> Option<Threshold> {
    sub_key(state, "th").and_then(Threshold::parse)
}

/// `state` with its threshold set, or removed for `None`. Returns `None` if nothing changes.
///
/// The entry is limited to 256 bytes. Where the other sub-keys leave no room, they stay and the
/// threshold is left out: that says "probability unknown", which is true.
///
/// Cost: allocates a new `TraceState` if something changes, nothing otherwise.
#[inline]
#[must_use]
pub fn with_threshold(state: &TraceState, new: Option<Threshold>) -> Option<TraceState> {
    if threshold(state) == new { None } else { changed(state, new) }
}

fn changed(state: &TraceState, new: Option<Threshold>) -> Option<TraceState> {
    let old = state.get(ENTRY).unwrap_or_default();
    let mut entry = rewritten(old, new);
    if entry.len() > MAX_BYTES {
        entry = rewritten(old, None);
    }
    // Neither can fail: the key is valid, and the entry is made of checked characters only.
    if entry.is_empty() { state.delete(ENTRY).ok() } else { state.insert(ENTRY, entry).ok() }
}

const ENTRY: &str = "ot";

/// Specification: "TraceState handling", size limit of the entry's value.
const MAX_BYTES: usize = 256;

/// Most trace states have no entry; only those that have one pay for a call.
#[inline]
fn sub_key<'a>(state: &'a TraceState, key: &str) -> Option<&'a str> {
    member(state.get(ENTRY)?, key)
}

fn member<'a>(entry: &'a str, key: &str) -> Option<&'a str> {
    members(entry).find(|member| member.0 == key).map(|member| member.1)
}

/// The members that follow the grammar.
fn members(entry: &str) -> impl Iterator<Item = (&str, &str)> {
    entry
        .split(';')
        .filter_map(|member| member.split_once(':'))
        .filter(|(key, value)| is_key(key) && is_value(value))
}

fn is_key(key: &str) -> bool {
    key.starts_with(|c: char| c.is_ascii_lowercase())
        && key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
}

fn is_value(value: &str) -> bool {
    value.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

fn rewritten(old: &str, threshold: Option<Threshold>) -> String {
    let mut entry = String::with_capacity(old.len() + "th:;".len() + 14);
    if let Some(threshold) = threshold {
        // Writing to a `String` cannot fail.
        let _ = write!(entry, "th:{threshold}");
    }
    for (key, value) in members(old).filter(|member| member.0 != "th") {
        if !entry.is_empty() {
            entry.push(';');
        }
        entry.push_str(key);
        entry.push(':');
        entry.push_str(value);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(ot: &str) -> TraceState {
        TraceState::from_key_value([("vendor", "x"), ("ot", ot)]).unwrap()
    }

    fn th(text: &str) -> Option<Threshold> {
        Some(Threshold::parse(text).unwrap())
    }

    fn entry_after(old: &str, new: Option<Threshold>) -> Option<String> {
        let changed = with_threshold(&state(old), new).unwrap();
        assert_eq!(changed.get("vendor"), Some("x"), "other vendors keep their entry");
        changed.get("ot").map(str::to_owned)
    }

    #[test]
    fn threshold_and_randomness_are_read() {
        let state = state("a:b;th:c;rv:0123456789abcd");
        assert_eq!(threshold(&state), th("c"));
        assert_eq!(randomness(&state).unwrap().to_string(), "0123456789abcd");
    }

    #[test]
    fn malformed_entries_read_as_absent() {
        for ot in
            ["", ";", "th", "th:", "th:XY", "th:8 ;rv:12", "TH:8", "rv:0123456789ABCD", "::::"]
        {
            assert_eq!(threshold(&state(ot)), None, "{ot:?}");
            assert_eq!(randomness(&state(ot)), None, "{ot:?}");
        }
        assert_eq!(threshold(&TraceState::NONE), None);
    }

    #[test]
    fn setting_a_threshold_keeps_randomness_and_other_sub_keys() {
        let old = "a:b;th:c;rv:0123456789abcd;p:1_2-3.4";
        let new = "th:8;a:b;rv:0123456789abcd;p:1_2-3.4";
        assert_eq!(entry_after(old, th("8")).as_deref(), Some(new));
    }

    #[test]
    fn removing_a_threshold_keeps_randomness_and_other_sub_keys() {
        let old = "rv:0123456789abcd;th:c;a:b";
        assert_eq!(entry_after(old, None).as_deref(), Some("rv:0123456789abcd;a:b"));
    }

    #[test]
    fn an_entry_that_becomes_empty_is_removed() {
        assert_eq!(entry_after("th:c", None), None);
    }

    #[test]
    fn an_entry_that_is_missing_is_added_in_front() {
        let vendor = TraceState::from_key_value([("vendor", "x")]).unwrap();
        let changed = with_threshold(&vendor, th("0")).unwrap();
        assert_eq!(changed.header(), "ot=th:0,vendor=x");
    }

    #[test]
    fn nothing_is_made_when_nothing_changes() {
        assert_eq!(with_threshold(&state("th:8;a:b"), th("8")), None);
        assert_eq!(with_threshold(&state("a:b"), None), None);
        assert_eq!(with_threshold(&TraceState::NONE, None), None);
    }

    #[test]
    fn members_that_break_the_grammar_are_dropped_on_rewriting() {
        let old = "1a:x;A:x;ok:1;no;b:x y;:v;th:c;th:4;empty:";
        assert_eq!(entry_after(old, th("8")).as_deref(), Some("th:8;ok:1;empty:"));
    }

    #[test]
    fn where_there_is_no_room_other_sub_keys_stay_and_the_threshold_is_left_out() {
        let fits = format!("a:{}", "x".repeat(256 - "th:8;a:".len()));
        assert_eq!(entry_after(&fits, th("8")), Some(format!("th:8;{fits}")));

        let full = format!("th:4;a:{}", "x".repeat(256 - "th:4;a:".len()));
        let rest = full.strip_prefix("th:4;").unwrap();
        assert_eq!(entry_after(&full, th("ab")).as_deref(), Some(rest));
    }
}
