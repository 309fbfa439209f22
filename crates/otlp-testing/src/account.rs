//! Does what the sender says agree with what the server saw?

use std::collections::{HashMap, HashSet};
use std::fmt;

use crate::oracle::SpanKey;
use crate::server::Server;

/// What a sender says about its spans: `ended = delivered + rejected + dropped + held`.
///
/// The SDK keeps such numbers itself; this is the tests' own copy of the sum, and its comparison
/// with the server.
///
/// ```
/// use otlp_testing::Account;
///
/// let account = Account { ended: 10, delivered: 7, rejected: 1, dropped: 1, held: 1 };
/// assert_eq!(account.unaccounted(), 0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Spans that ended and were sampled.
    pub ended: u64,
    /// Spans that the server has acknowledged.
    pub delivered: u64,
    /// Spans that the server refused in a partial success.
    pub rejected: u64,
    /// Spans that were given up, under whatever reason.
    pub dropped: u64,
    /// Spans that are still in the process.
    pub held: u64,
}

impl Account {
    /// `ended` minus all that is accounted for: above zero, spans were lost in silence; below
    /// zero, some were counted twice.
    #[must_use]
    pub fn unaccounted(&self) -> i128 {
        let accounted = [self.delivered, self.rejected, self.dropped, self.held];
        i128::from(self.ended) - accounted.into_iter().map(i128::from).sum::<i128>()
    }

    /// Compares with what `server` accepted. `sent` are the ids of all spans that ended.
    ///
    /// Acknowledgements that were lost on the way make the server know more than the sender:
    /// duplicates, and spans that the sender has counted as dropped or held. These are reported in
    /// the verdict but are no fault by themselves (row W9).
    pub fn compare(&self, sent: impl IntoIterator<Item = SpanKey>, server: &Server) -> Verdict {
        let sent: HashSet<SpanKey> = sent.into_iter().collect();
        let mut received: HashMap<SpanKey, u64> = HashMap::new();
        for span in server.spans() {
            *received.entry(span.key()).or_default() += 1;
        }
        let distinct = count(received.len());
        Verdict {
            unaccounted: self.unaccounted(),
            missing: self.delivered.saturating_sub(distinct),
            unacknowledged: distinct.saturating_sub(self.delivered),
            invented: count(received.keys().filter(|key| !sent.contains(key)).count()),
            duplicates: received.values().map(|times| times - 1).sum(),
        }
    }
}

/// The outcome of [`Account::compare`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a verdict that is not looked at proves nothing"]
pub struct Verdict {
    /// See [`Account::unaccounted`].
    pub unaccounted: i128,
    /// Spans that the sender counts as delivered and that the server never accepted.
    pub missing: u64,
    /// Spans that the server accepted and that the sender does not count as delivered.
    pub unacknowledged: u64,
    /// Spans that the server accepted and that nobody ended.
    pub invented: u64,
    /// Times that a span was accepted again.
    pub duplicates: u64,
}

impl Verdict {
    /// Nothing lost in silence, nothing claimed that did not arrive, nothing invented.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.unaccounted == 0 && self.missing == 0 && self.invented == 0
    }

    /// Sound, and each span arrived exactly once and was acknowledged.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.is_sound() && self.unacknowledged == 0 && self.duplicates == 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { unaccounted, missing, unacknowledged, invented, duplicates } = self;
        write!(
            f,
            "unaccounted {unaccounted}, missing {missing}, unacknowledged {unacknowledged}, \
             invented {invented}, duplicates {duplicates}"
        )
    }
}

fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
