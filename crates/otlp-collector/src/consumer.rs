//! What flows through a pipeline, and who takes it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use otlp_core::export::{Deadline, Outcome};
use otlp_core::{Payload, Signal};

use crate::admission::{Full, Ticket};

/// Takes telemetry and says what became of it: the next node of a pipeline.
///
/// # Contract
///
/// - The answer comes when somebody has taken responsibility: an exporter that has delivered it, or a queue
///   that will. A receiver answers its client with what the chain has answered, so nothing else is needed for
///   acknowledgement and back-pressure.
/// - [`Outcome::Delivered`]: all of it is somebody's responsibility.
/// - [`Outcome::PartlyRejected`]: so many items were refused for good, the rest was taken.
/// - [`Outcome::Retryable`]: none of it was taken; the same may be taken later.
/// - [`Outcome::Permanent`] and [`Outcome::TooLarge`]: none of it was taken, and none ever will be.
/// - What a node drops on purpose, as a filter does, it counts and answers for with `Delivered`.
/// - The answer comes by `deadline`.
/// - It never panics; whoever calls it catches that nevertheless.
pub trait Consumer: fmt::Debug + Send + Sync + 'static {
    /// Takes a batch.
    fn consume(&self, batch: Batch, deadline: Deadline) -> Answer<'_>;

    /// Whether it answers for a batch as taken when it has it in memory, and not when it has been delivered: a
    /// queue does. A node that hands on says what the next one says.
    fn holds(&self) -> bool {
        false
    }
}

/// What became of a batch, in time.
pub type Answer<'a> = Pin<Box<dyn Future<Output = Outcome> + Send + 'a>>;

/// A node that several others hand on to.
pub type SharedConsumer = Arc<dyn Consumer>;

/// Who takes each signal. A signal without a consumer is answered UNIMPLEMENTED and 404.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Consumers {
    /// Takes traces.
    pub traces: Option<SharedConsumer>,
    /// Takes metrics.
    pub metrics: Option<SharedConsumer>,
    /// Takes logs.
    pub logs: Option<SharedConsumer>,
}

impl Consumers {
    /// The same for all signals.
    #[must_use]
    pub fn all(consumer: SharedConsumer) -> Self {
        let (traces, metrics) = (Some(Arc::clone(&consumer)), Some(Arc::clone(&consumer)));
        Self { traces, metrics, logs: Some(consumer) }
    }

    /// With another consumer for a signal.
    #[must_use]
    pub fn with(mut self, signal: Signal, consumer: SharedConsumer) -> Self {
        match signal {
            Signal::Traces => self.traces = Some(consumer),
            Signal::Metrics => self.metrics = Some(consumer),
            Signal::Logs => self.logs = Some(consumer),
            _ => {}
        }
        self
    }

    /// Who takes a signal.
    #[must_use]
    pub fn of(&self, signal: Signal) -> Option<&SharedConsumer> {
        match signal {
            Signal::Traces => self.traces.as_ref(),
            Signal::Metrics => self.metrics.as_ref(),
            Signal::Logs => self.logs.as_ref(),
            _ => None,
        }
    }
}

/// Telemetry on its way through the collector: a request of one signal, and the bytes of the
/// [budget](crate::admission) that it takes up. A clone shares both.
#[derive(Clone, Debug)]
pub struct Batch {
    payload: Payload,
    /// Given back with the last clone.
    tickets: Vec<Arc<Ticket>>,
    /// Whether those whom it is offered to have refused it before.
    is_repeated: bool,
}

impl Batch {
    /// What a receiver has read, with the ticket that it read it on.
    #[must_use]
    pub fn new(payload: Payload, ticket: Ticket) -> Self {
        Self { payload, tickets: vec![Arc::new(ticket)], is_repeated: false }
    }

    /// What takes up no budget: what an application hands over itself, a test.
    #[must_use]
    pub const fn without_ticket(payload: Payload) -> Self {
        Self { payload, tickets: Vec::new(), is_repeated: false }
    }

    /// The request.
    #[must_use]
    pub const fn payload(&self) -> &Payload {
        &self.payload
    }

    /// Another request in the place of this one, with the same tickets: it was edited.
    #[must_use]
    pub fn with_payload(self, payload: Payload) -> Self {
        Self { payload, ..self }
    }

    /// The request and its tickets, to be put together with others; see [`from_parts`](Self::from_parts).
    #[must_use]
    pub fn into_parts(self) -> (Payload, Vec<Arc<Ticket>>) {
        (self.payload, self.tickets)
    }

    /// A request with the tickets of everything that went into it.
    #[must_use]
    pub const fn from_parts(payload: Payload, tickets: Vec<Arc<Ticket>>) -> Self {
        Self { payload, tickets, is_repeated: false }
    }

    /// The same batch, offered again by a node to one that has refused it: in the books it comes once.
    #[must_use]
    pub fn repeated(self) -> Self {
        Self { is_repeated: true, ..self }
    }

    /// Whether it was offered before, and refused.
    #[must_use]
    pub const fn is_repeated(&self) -> bool {
        self.is_repeated
    }

    /// Pays for bytes that an edit has added, out of the budget that the batch was read on.
    ///
    /// # Errors
    ///
    /// So many are not free.
    pub fn pay_for(&mut self, bytes: usize) -> Result<(), Full> {
        let Some(first) = self.tickets.first().filter(|_| bytes > 0) else { return Ok(()) };
        let ticket = first.another(bytes)?;
        self.tickets.push(Arc::new(ticket));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::Budget;

    #[test]
    fn the_bytes_of_a_batch_come_back_with_its_last_clone() {
        let budget = Budget::new(100);
        let payload = Payload::from_request(Signal::Logs, Vec::new()).unwrap();
        let batch = Batch::new(payload.clone(), budget.take(70).unwrap());
        let branch = batch.clone().with_payload(payload.clone());
        let (_, tickets) = batch.into_parts();
        assert_eq!(budget.used(), 70);
        let merged = Batch::from_parts(payload, tickets);
        drop(branch);
        assert_eq!(budget.used(), 70);
        drop(merged);
        assert_eq!(budget.used(), 0);
    }
}
