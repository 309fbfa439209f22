//! What became of everything that a sender was given.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

/// What became of the items that a [`Sender`](super::Sender) was given:
/// `received = sent + rejected + failed + held`. What it refused was never received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Items that were taken.
    pub received: u64,
    /// Items that the destination has taken.
    pub sent: u64,
    /// Items that the destination refused, of requests that it took in part.
    pub rejected: u64,
    /// Items of requests that were given up.
    pub failed: u64,
    /// Items that wait or are under way.
    pub held: u64,
    /// Items that were not taken, for want of room or after the shutdown.
    pub refused: u64,
    /// Panics of the exporter.
    pub panics: u64,
}

impl Account {
    /// What is missing: zero unless we have a bug.
    #[must_use]
    pub fn unaccounted(&self) -> i128 {
        let Self { received, sent, rejected, failed, held, .. } = *self;
        let known = [sent, rejected, failed, held].into_iter().map(i128::from).sum::<i128>();
        i128::from(received) - known
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { received, sent, rejected, failed, held, refused, .. } = self;
        write!(
            f,
            "received {received} = sent {sent} + rejected {rejected} + failed {failed} + held {held}; \
             refused {refused}; unaccounted={}",
            self.unaccounted()
        )
    }
}

/// What is counted behind an [`Account`]: all of it at once, so that it adds up whenever it is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(Arc<Mutex<Account>>);

impl Counters {
    /// Takes items on. Somebody owes an account of them from here on.
    pub(super) fn received(&self, items: usize) -> Owed {
        let mut account = self.0.lock();
        account.received += items as u64;
        account.held += items as u64;
        drop(account);
        Owed { counters: self.clone(), items }
    }

    pub(super) fn refused(&self, items: usize) {
        self.0.lock().refused += items as u64;
    }

    pub(super) fn panicked(&self) {
        self.0.lock().panics += 1;
    }

    pub(super) fn account(&self) -> Account {
        *self.0.lock()
    }
}

/// Items of which an account is owed. Dropped without one, as a delivery is whose caller has gone, they count
/// as given up.
#[derive(Debug)]
#[must_use = "dropped, its items count as failed"]
pub(super) struct Owed {
    counters: Counters,
    items: usize,
}

impl Owed {
    /// A part of the debt: what one of several requests has to answer for.
    pub(super) fn split(&mut self, items: usize) -> Self {
        let items = items.min(self.items);
        self.items -= items;
        Self { counters: self.counters.clone(), items }
    }

    /// Takes over the debt of another.
    pub(super) fn join(&mut self, mut other: Self) {
        self.items += std::mem::take(&mut other.items);
    }

    /// The destination has taken all but `rejected`.
    pub(super) fn sent(mut self, rejected: u64) {
        let items = std::mem::take(&mut self.items) as u64;
        let rejected = rejected.min(items);
        let mut account = self.counters.0.lock();
        account.held -= items;
        account.rejected += rejected;
        account.sent += items - rejected;
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.items > 0 {
            let mut account = self.counters.0.lock();
            account.held -= self.items as u64;
            account.failed += self.items as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_is_paid_once_in_whatever_parts_and_what_is_left_has_failed() {
        let counters = Counters::default();
        let mut owed = counters.received(10);
        let (first, mut second) = (owed.split(4), owed.split(100));
        assert_eq!((first.items, second.items, owed.items), (4, 6, 0));
        first.sent(1);
        let account = counters.account();
        assert_eq!((account.sent, account.rejected, account.held), (3, 1, 6));
        assert_eq!(account.unaccounted(), 0);
        second.join(counters.received(5));
        second.split(2).sent(u64::MAX);
        drop((owed, second));
        let account = counters.account();
        assert_eq!((account.received, account.rejected, account.failed), (15, 3, 9));
        assert_eq!((account.held, account.unaccounted()), (0, 0));
    }
}
