//! The `tracestate` header: checked as a whole, forwarded as a whole (rows C2, T18).
//!
//! `opentelemetry::trace::TraceState` holds what W3C level 1 allows; level 2 allows more keys
//! (any number of `@` signs anywhere but in front). What it cannot hold would be lost on the way
//! through, and an intermediary has no right to lose it. So where a received header has such
//! members, the whole checked header travels beside the span context, in the [`Context`].

use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, TraceId, TraceState};

/// The header to send for `span_context`, `None` when there is nothing to send.
///
/// Where the span continues a trace whose header is in `cx`, that header is the base: untouched
/// if the span's `TraceState` is what was extracted; otherwise members that were changed or added
/// since go to the front and members that were removed go. An emptied `TraceState` clears all.
///
/// The result always obeys W3C: at most 32 members, from the front, and 8192 bytes. What is too
/// much goes in the order that W3C names: members above 128 characters first, then from the end.
#[inline]
pub(crate) fn trace_state_header(cx: &Context, span_context: &SpanContext) -> Option<String> {
    let remote = cx.get::<RemoteTraceState>();
    if remote.is_none() && span_context.trace_state().into_iter().len() == 0 {
        // Nearly every span.
        return None;
    }
    header(remote, span_context)
}

fn header(remote: Option<&RemoteTraceState>, span_context: &SpanContext) -> Option<String> {
    let state = span_context.trace_state();
    let mut members = match remote {
        Some(remote) if remote.continued_by(span_context) => remote.updated(state),
        _ => members_of(state).collect(),
    };
    fit(&mut members);
    (!members.is_empty()).then(|| join(&members))
}

/// What was extracted into a context beside its span context: the header that `TraceState` could
/// not hold, and the trace that it belongs to.
#[derive(Debug)]
pub(super) struct RemoteTraceState {
    trace_id: TraceId,
    members: Vec<(Box<str>, Box<str>)>,
    /// The part that is in the span context.
    extracted: TraceState,
}

impl RemoteTraceState {
    /// Belongs to no trace: hides the value of an earlier extraction into the same context.
    pub(super) const NONE: Self =
        Self { trace_id: TraceId::INVALID, members: Vec::new(), extracted: TraceState::NONE };

    fn continued_by(&self, span_context: &SpanContext) -> bool {
        self.trace_id == span_context.trace_id()
    }

    fn updated<'a>(&'a self, state: &'a TraceState) -> Vec<Member<'a>> {
        let received = self.members.iter().map(|(key, value)| Member { key, value });
        if *state == self.extracted {
            return received.collect();
        }
        if members_of(state).next().is_none() {
            return Vec::new();
        }
        let unchanged = |member: &Member<'_>| self.extracted.get(member.key) == Some(member.value);
        let mut members: Vec<_> = members_of(state).filter(|member| !unchanged(member)).collect();
        let kept = |member: &Member<'_>| match self.extracted.get(member.key) {
            Some(value) => state.get(member.key) == Some(value),
            None => state.get(member.key).is_none(),
        };
        members.extend(received.filter(kept));
        members
    }
}

/// A `tracestate` that obeys W3C level 2, borrowed from its header lines.
#[derive(Debug, Default)]
pub(super) struct CheckedTraceState<'a> {
    members: Vec<Member<'a>>,
}

impl<'a> CheckedTraceState<'a> {
    /// Reads all header lines as one list. Empty members are allowed, because empty header lines
    /// are; one bad member spoils the list.
    pub(super) fn parse(lines: &[&'a str]) -> Result<Self, TraceStateError> {
        let commas = lines.len().saturating_sub(1);
        let len = lines.iter().fold(commas, |len, line| len.saturating_add(line.len()));
        if len > BYTES_MAX {
            return Err(TraceStateError::TooLong);
        }
        let mut checked = Self::default();
        for text in lines.iter().flat_map(|line| line.split(',')) {
            let text = text.trim_matches([' ', '\t']);
            if !text.is_empty() {
                checked.push(Member::parse(text).ok_or(TraceStateError::BadMember)?)?;
            }
        }
        Ok(checked)
    }

    fn push(&mut self, member: Member<'a>) -> Result<(), TraceStateError> {
        if self.members.iter().any(|known| known.key == member.key) {
            return Err(TraceStateError::DuplicateKey);
        }
        if self.members.len() == MEMBERS_MAX {
            return Err(TraceStateError::TooManyMembers);
        }
        self.members.push(member);
        Ok(())
    }

    /// What the API's type can hold, and, if that is not all, the whole to travel beside it.
    pub(super) fn for_trace(&self, trace_id: TraceId) -> (TraceState, Option<RemoteTraceState>) {
        if let Ok(whole) = TraceState::from_key_value(self.pairs()) {
            return (whole, None);
        }
        let holds = |pair: &(&str, &str)| TraceState::from_key_value([*pair]).is_ok();
        let extracted = TraceState::from_key_value(self.pairs().filter(holds)).unwrap_or_default();
        let members = self.pairs().map(|(key, value)| (key.into(), value.into())).collect();
        (extracted.clone(), Some(RemoteTraceState { trace_id, members, extracted }))
    }

    fn pairs(&self) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.members.iter().map(|member| (member.key, member.value))
    }
}

/// Why a `tracestate` was not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TraceStateError {
    TooLong,
    TooManyMembers,
    DuplicateKey,
    BadMember,
}

impl TraceStateError {
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::TooLong => "longer than 8192 bytes over all lines",
            Self::TooManyMembers => "more than 32 members",
            Self::DuplicateKey => "a key stands twice",
            Self::BadMember => "a member is not `key=value` as W3C Trace Context has it",
        }
    }
}

/// One `key=value` of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Member<'a> {
    key: &'a str,
    value: &'a str,
}

impl<'a> Member<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (key, value) = text.split_once('=')?;
        Self { key, value }.checked()
    }

    fn checked(self) -> Option<Self> {
        (valid_key(self.key) && valid_value(self.value)).then_some(self)
    }

    fn len(&self) -> usize {
        self.key.len() + 1 + self.value.len()
    }
}

/// The members of the API's type that may go out. It takes any value without `,` and `=`, line
/// breaks included, and those must not reach a header.
fn members_of(state: &TraceState) -> impl Iterator<Item = Member<'_>> {
    state.into_iter().filter_map(|(key, value)| {
        Member { key, value: value.trim_end_matches([' ', '\t']) }.checked()
    })
}

/// A lowercase letter or digit, then up to 255 of those and `_ - * / @`.
fn valid_key(key: &str) -> bool {
    let head = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let tail = |byte: &u8| head(byte) || matches!(byte, b'_' | b'-' | b'*' | b'/' | b'@');
    match key.as_bytes().split_first() {
        Some((first, rest)) => key.len() <= PART_MAX && head(first) && rest.iter().all(tail),
        None => false,
    }
}

/// Up to 256 printable characters without `,` and `=`, the last one not a space.
fn valid_value(value: &str) -> bool {
    let allowed = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'=');
    value.len() <= PART_MAX
        && value.bytes().all(|byte| allowed(&byte))
        && value.as_bytes().last().is_some_and(|last| *last != b' ')
}

/// Removes members until the list is within the limits.
fn fit(members: &mut Vec<Member<'_>>) {
    members.truncate(MEMBERS_MAX);
    while joined_len(members) > BYTES_MAX {
        let large = members.iter().rposition(|member| member.len() > LARGE);
        let last = members.len().saturating_sub(1);
        members.remove(large.unwrap_or(last));
    }
}

fn join(members: &[Member<'_>]) -> String {
    let mut header = String::with_capacity(joined_len(members));
    for member in members {
        if !header.is_empty() {
            header.push(',');
        }
        header.push_str(member.key);
        header.push('=');
        header.push_str(member.value);
    }
    header
}

fn joined_len(members: &[Member<'_>]) -> usize {
    let commas = members.len().saturating_sub(1);
    members.iter().map(Member::len).sum::<usize>() + commas
}

/// W3C Trace Context, "tracestate Header Field Values".
const MEMBERS_MAX: usize = 32;
/// Longest key and longest value.
const PART_MAX: usize = 256;
/// W3C asks for at least 512; the same bound as for baggage, summed over all header lines.
const BYTES_MAX: usize = 8192;
/// W3C Trace Context, "tracestate Limits": what is larger is removed first.
const LARGE: usize = 128;

#[cfg(test)]
mod tests;
