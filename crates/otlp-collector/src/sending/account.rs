//! What became of everything that a sender was given.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::gathering::Debt;

/// What became of the items that a [`Sender`](super::Sender) was given:
/// `received = sent + rejected + failed + returned + held`. What it refused was never received.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Account {
    /// Items that were taken.
    pub received: u64,
    /// Items that the destination has taken.
    pub sent: u64,
    /// Items that the destination refused, of requests that it took in part.
    pub rejected: u64,
    /// Items of requests that were given up after they had been answered for as taken: they are lost.
    pub failed: u64,
    /// Items of requests that were given up before that: whoever brought them knows, and may bring them again.
    pub returned: u64,
    /// Items that wait or are under way.
    pub held: u64,
    /// Items that were not taken, for want of room or after the shutdown.
    pub refused: u64,
    /// Items, of those that were sent or rejected, that were not answered for as taken: a part of their batch
    /// failed, or the answer came too late. They may come again.
    pub repeatable: u64,
    /// Panics of the exporter.
    pub panics: u64,
}

impl Account {
    /// What is missing: zero unless we have a bug.
    #[must_use]
    pub fn unaccounted(&self) -> i128 {
        let Self { received, sent, rejected, failed, returned, held, .. } = *self;
        let known = [sent, rejected, failed, returned, held];
        i128::from(received) - known.into_iter().map(i128::from).sum::<i128>()
    }

    /// Items that were answered for as taken, once nothing is held any more.
    #[must_use]
    pub const fn taken(&self) -> u64 {
        self.received.saturating_sub(self.returned).saturating_sub(self.repeatable)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { received, sent, rejected, failed, returned, held, refused, .. } = self;
        write!(
            f,
            "received {received} = sent {sent} + rejected {rejected} + failed {failed} + returned {returned} + \
             held {held}; refused {refused}; unaccounted={}",
            self.unaccounted()
        )
    }
}

/// What is counted behind an [`Account`]: all of it at once, so that it adds up whenever it is read.
#[derive(Clone, Debug, Default)]
pub(super) struct Counters(Arc<Mutex<Account>>);

impl Counters {
    /// Takes items on. Somebody owes an account of them from here on. `is_answered` says whether somebody is
    /// told they are taken before they are delivered.
    pub(super) fn received(&self, items: usize, is_answered: bool) -> Owed {
        let mut account = self.0.lock();
        account.received += items as u64;
        account.held += items as u64;
        drop(account);
        Owed { counters: self.clone(), items, is_answered }
    }

    /// Takes on what was refused or returned before: in the books it comes once.
    pub(super) fn comes_again(&self, items: usize) {
        let mut account = self.0.lock();
        let items = items as u64;
        let refused = items.min(account.refused);
        account.refused -= refused;
        let returned = (items - refused).min(account.returned);
        account.returned -= returned;
        account.received -= returned;
    }

    /// Of what was delivered, so much was not answered for as taken.
    pub(super) fn repeatable(&self, items: usize) {
        if items > 0 {
            self.0.lock().repeatable += items as u64;
        }
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
    is_answered: bool,
}

impl Owed {
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

impl Debt for Owed {
    fn split(&mut self, items: usize) -> Self {
        let items = items.min(self.items);
        self.items -= items;
        Self { counters: self.counters.clone(), items, is_answered: self.is_answered }
    }

    fn join(&mut self, mut other: Self) {
        self.items += std::mem::take(&mut other.items);
    }
}

impl Owed {
    /// Whether nobody will bring the items again if they are given up.
    pub(super) const fn is_lost_when_dropped(&self) -> bool {
        self.is_answered
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.items > 0 {
            let mut account = self.counters.0.lock();
            account.held -= self.items as u64;
            match self.is_answered {
                true => account.failed += self.items as u64,
                false => account.returned += self.items as u64,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_is_paid_once_in_whatever_parts_and_what_is_left_has_failed() {
        let counters = Counters::default();
        let mut owed = counters.received(10, true);
        let (first, mut second) = (owed.split(4), owed.split(100));
        assert_eq!((first.items, second.items, owed.items), (4, 6, 0));
        first.sent(1);
        let account = counters.account();
        assert_eq!((account.sent, account.rejected, account.held), (3, 1, 6));
        assert_eq!(account.unaccounted(), 0);
        second.join(counters.received(5, true));
        second.split(2).sent(u64::MAX);
        drop((owed, second));
        let account = counters.account();
        assert_eq!((account.received, account.rejected, account.failed), (15, 3, 9));
        assert_eq!((account.held, account.unaccounted()), (0, 0));
    }

    #[test]
    fn what_was_given_up_before_an_answer_is_returned_and_not_lost() {
        let counters = Counters::default();
        drop(counters.received(3, false));
        counters.received(4, false).sent(1);
        counters.repeatable(4);
        let account = counters.account();
        assert_eq!((account.returned, account.failed, account.sent), (3, 0, 3));
        assert_eq!((account.unaccounted(), account.taken()), (0, 0));
    }
}
