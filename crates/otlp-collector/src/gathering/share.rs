//! What one request has in a batch.

use std::iter::Peekable;
use std::sync::Arc;
use std::vec::IntoIter;

use otlp_core::export::Outcome;
use parking_lot::Mutex;
use tokio::sync::oneshot;

use super::{is_taken, worse};
use crate::admission::Ticket;

/// Items of one request, and whoever waits for what becomes of them.
#[derive(Debug)]
pub(super) struct Share {
    items: usize,
    tickets: Vec<Arc<Ticket>>,
    reply: Reply,
}

#[derive(Debug)]
enum Reply {
    /// It was answered for before.
    Nobody,
    Whole(oneshot::Sender<Outcome>),
    /// Other items of the request are elsewhere.
    Joint(Arc<Mutex<Joint>>),
}

/// A request whose items are in several parts.
#[derive(Debug)]
struct Joint {
    reply: Option<oneshot::Sender<Outcome>>,
    parts: usize,
    outcome: Option<Outcome>,
    settled: usize,
}

impl Share {
    pub(super) fn new(
        items: usize,
        tickets: Vec<Arc<Ticket>>,
        reply: Option<oneshot::Sender<Outcome>>,
    ) -> Self {
        Self { items, tickets, reply: reply.map_or(Reply::Nobody, Reply::Whole) }
    }

    pub(super) const fn items(&self) -> usize {
        self.items
    }

    pub(super) fn tickets(&self) -> &[Arc<Ticket>] {
        &self.tickets
    }

    /// Its first items, which are in another part than the rest.
    fn split(&mut self, items: usize) -> Self {
        let items = items.min(self.items);
        self.items -= items;
        self.reply = match std::mem::replace(&mut self.reply, Reply::Nobody) {
            Reply::Whole(reply) => {
                let joint = Joint { reply: Some(reply), parts: 1, outcome: None, settled: 0 };
                Reply::Joint(Arc::new(Mutex::new(joint)))
            }
            other => other,
        };
        let reply = match &self.reply {
            Reply::Joint(joint) => {
                joint.lock().parts += 1;
                Reply::Joint(Arc::clone(joint))
            }
            _ => Reply::Nobody,
        };
        Self { items, tickets: self.tickets.clone(), reply }
    }

    /// Says what became of it. Returns how many items arrived although nobody was told so.
    pub(super) fn answer(self, outcome: Outcome, settled: usize) -> usize {
        match self.reply {
            Reply::Nobody => 0,
            Reply::Whole(reply) => tell(reply, outcome, settled),
            Reply::Joint(joint) => joint.lock().answer(outcome, settled),
        }
    }
}

impl Joint {
    /// The answer is given when the last part has ended.
    fn answer(&mut self, outcome: Outcome, settled: usize) -> usize {
        let outcome = match self.outcome.take() {
            Some(before) => worse(before, outcome),
            None => outcome,
        };
        self.settled = self.settled.saturating_add(settled);
        self.parts = self.parts.saturating_sub(1);
        if self.parts > 0 {
            self.outcome = Some(outcome);
            return 0;
        }
        self.reply.take().map_or(0, |reply| tell(reply, outcome, self.settled))
    }
}

fn tell(reply: oneshot::Sender<Outcome>, outcome: Outcome, settled: usize) -> usize {
    let is_taken = is_taken(&outcome);
    let is_heard = reply.send(outcome).is_ok();
    if is_heard && is_taken { 0 } else { settled }
}

/// The shares of the first `items`; of the one that goes beyond them the rest stays.
pub(super) fn first(shares: &mut Peekable<IntoIter<Share>>, items: usize) -> Vec<Share> {
    let (mut first, mut left) = (Vec::new(), items);
    while let Some(share) = shares.peek_mut() {
        if share.items > left {
            if left > 0 {
                first.push(share.split(left));
            }
            return first;
        }
        left -= share.items;
        first.extend(shares.next());
    }
    first
}
