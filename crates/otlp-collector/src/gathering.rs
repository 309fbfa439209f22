//! Several requests as one, cut where that is too large, and each answered for by what became of the parts that
//! its items went into.

mod share;

use otlp_core::export::{Deadline, ErrorKind, ExportError, Outcome};
use otlp_core::{Payload, Rope, SplitLimit};
use tokio::sync::oneshot;

use self::share::Share;
use crate::consumer::Batch;

/// Requests of one signal that wait to become one. `D` is what is owed for them: an account may be kept.
#[derive(Debug)]
pub(crate) struct Gathered<D> {
    payloads: Vec<Payload>,
    shares: Vec<Share>,
    debt: Option<D>,
    items: usize,
    bytes: usize,
}

/// What is owed for items, in parts.
pub(crate) trait Debt {
    /// The part that so many items have in it.
    fn split(&mut self, items: usize) -> Self;
    /// Takes over another.
    fn join(&mut self, other: Self);
}

/// No account is kept.
impl Debt for () {
    fn split(&mut self, _items: usize) -> Self {}
    fn join(&mut self, _other: Self) {}
}

impl<D> Default for Gathered<D> {
    fn default() -> Self {
        let (payloads, shares) = (Vec::new(), Vec::new());
        Self { payloads, shares, debt: None, items: 0, bytes: 0 }
    }
}

impl<D: Debt> Gathered<D> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.shares.is_empty()
    }

    pub(crate) const fn items(&self) -> usize {
        self.items
    }

    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Adds a request, and whoever waits for its answer.
    pub(crate) fn add(&mut self, batch: Batch, debt: D, reply: Option<oneshot::Sender<Outcome>>) {
        let (payload, tickets) = batch.into_parts();
        self.shares.push(Share::new(payload.items(), tickets, reply));
        self.add_payload(payload, Some(debt));
    }

    /// Adds what is not to be sent yet.
    pub(crate) fn put_back(&mut self, part: Part<D>) {
        self.shares.extend(part.shares);
        self.add_payload(part.payload, part.debt);
    }

    fn add_payload(&mut self, payload: Payload, debt: Option<D>) {
        self.items = self.items.saturating_add(payload.items());
        self.bytes = self.bytes.saturating_add(payload.len());
        self.payloads.push(payload);
        match (&mut self.debt, debt) {
            (Some(all), Some(more)) => all.join(more),
            (none, more) => *none = none.take().or(more),
        }
    }

    /// Everything as requests within a limit, each with those whose items are in it.
    pub(crate) fn into_parts(self, limit: SplitLimit) -> Vec<Part<D>> {
        let Some(merged) = merged(self.payloads) else { return Vec::new() };
        let payloads = cut(merged, limit);
        let (mut shares, mut debt) = (self.shares.into_iter().peekable(), self.debt);
        let last = payloads.len().saturating_sub(1);
        let part = |(at, payload): (usize, Payload)| {
            let of_part = match at == last {
                true => shares.by_ref().collect(),
                false => share::first(&mut shares, payload.items()),
            };
            let debt = match at == last {
                true => debt.take(),
                false => debt.as_mut().map(|debt| debt.split(payload.items())),
            };
            Part { payload, debt, shares: of_part }
        };
        payloads.into_iter().enumerate().map(part).collect()
    }
}

/// All of one signal in one, by appending.
fn merged(payloads: Vec<Payload>) -> Option<Payload> {
    let first = payloads.first()?;
    if payloads.len() == 1 {
        return payloads.into_iter().next();
    }
    let signal = first.signal();
    let mut rope = Rope::with_capacity(payloads.iter().map(|it| it.rope().parts().len()).sum());
    let mut items = 0_usize;
    for payload in &payloads {
        rope.append(payload.rope());
        items = items.saturating_add(payload.items());
    }
    Some(Payload::from_parts(signal, rope, items))
}

/// What cannot be cut goes on as it is: whoever takes it will say what is wrong with it.
fn cut(payload: Payload, limit: SplitLimit) -> Vec<Payload> {
    match payload.split(limit) {
        Ok(parts) if !parts.is_empty() => parts,
        _ => vec![payload],
    }
}

/// A request to be sent.
#[derive(Debug)]
pub(crate) struct Part<D> {
    payload: Payload,
    debt: Option<D>,
    shares: Vec<Share>,
}

impl<D> Part<D> {
    pub(crate) const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// What is owed for it, to be paid by whoever sends it.
    pub(crate) const fn take_debt(&mut self) -> Option<D> {
        self.debt.take()
    }

    /// The request with the tickets of everything that went into it.
    pub(crate) fn batch(&self) -> Batch {
        let tickets = self.shares.iter().flat_map(|it| it.tickets().iter().cloned());
        Batch::from_parts(self.payload.clone(), tickets.collect())
    }

    /// Says what became of it, of which `settled` items have arrived. Returns of how many of these somebody
    /// thinks that they have not: they may come again.
    #[must_use]
    pub(crate) fn end(self, outcome: &Outcome, settled: usize) -> usize {
        let mut left = Left::of(outcome, settled);
        let told = self.shares.into_iter().map(|share| {
            let (outcome, settled) = left.take(outcome, share.items());
            share.answer(outcome, settled)
        });
        told.sum()
    }
}

/// What is still to be handed out of an outcome that does not say whose items it speaks of.
struct Left {
    settled: usize,
    rejected: u64,
}

impl Left {
    const fn of(outcome: &Outcome, settled: usize) -> Self {
        let rejected = match outcome {
            Outcome::PartlyRejected { rejected, .. } => *rejected,
            _ => 0,
        };
        Self { settled, rejected }
    }

    /// What one of the requests is told, and how many of its items have arrived. Nobody hears of more rejected
    /// items than he has sent, and all together hear of as many as there are.
    fn take(&mut self, outcome: &Outcome, items: usize) -> (Outcome, usize) {
        let settled = if is_taken(outcome) { items } else { self.settled.min(items) };
        self.settled = self.settled.saturating_sub(settled);
        let Outcome::PartlyRejected { message, status, .. } = outcome else {
            return (outcome.clone(), settled);
        };
        let rejected = self.rejected.min(items as u64);
        self.rejected = self.rejected.saturating_sub(rejected);
        let (message, status) = (message.clone(), *status);
        let told = match rejected {
            0 => Outcome::Delivered {
                warning: Some(format!("others of the same batch were rejected: {message}")),
                status,
            },
            _ => Outcome::PartlyRejected { rejected, message, status },
        };
        (told, settled)
    }
}

/// Whether whoever brought a batch is told that it was taken.
pub(crate) const fn is_taken(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Delivered { .. } | Outcome::PartlyRejected { .. })
}

/// Of two outcomes of one request, the one to answer with. What may be tried again wins, since the client's
/// repetition loses nothing; what was taken for good already may then arrive twice (row W9).
pub(crate) fn worse(one: Outcome, other: Outcome) -> Outcome {
    let rank = |outcome: &Outcome| match outcome {
        Outcome::Delivered { .. } => 0,
        Outcome::PartlyRejected { .. } => 1,
        Outcome::Retryable { .. } => 3,
        _ => 2,
    };
    match (one, other) {
        (
            Outcome::PartlyRejected { rejected, message, status },
            Outcome::PartlyRejected { rejected: more, .. },
        ) => Outcome::PartlyRejected { rejected: rejected.saturating_add(more), message, status },
        (one, other) if rank(&one) >= rank(&other) => one,
        (_, other) => other,
    }
}

/// The answer, or that it has not come in time: the batch may still arrive. `None` if nobody will answer.
pub(crate) async fn in_time(
    mut answer: oneshot::Receiver<Outcome>,
    deadline: Deadline,
) -> Option<Outcome> {
    let answered = match deadline.instant() {
        None => Ok((&mut answer).await),
        Some(at) => tokio::time::timeout_at(at.into(), &mut answer).await,
    };
    match answered {
        Ok(outcome) => outcome.ok(),
        Err(_) => {
            // From here on whoever answers sees that nobody listens, so that both ends agree on what was said.
            answer.close();
            Some(answer.try_recv().unwrap_or_else(|_| too_late()))
        }
    }
}

fn too_late() -> Outcome {
    let text = "the time was over before the batch was delivered";
    Outcome::retryable(ExportError::new(ErrorKind::Timeout, text))
}

#[cfg(test)]
pub(crate) mod tests;
