//! Reads a body: under a ticket, within a limit, and not for longer than its client is worth.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body::Body;
use http_body_util::BodyExt as _;

use super::lifetime::by;
use super::refusal::{Kind, Refusal};
use crate::admission::{Budget, Full, Ticket};
use crate::clock::now;

/// What a body is held to.
#[derive(Debug)]
pub(super) struct BodyRules {
    pub(super) budget: Budget,
    /// What all requests together may take of the budget before their bytes have come.
    pub(super) promises: Budget,
    /// Most bytes, before and after inflating.
    pub(super) limit: usize,
    /// When the request came.
    pub(super) started: Instant,
    /// How long it may take in all.
    pub(super) timeout: Duration,
    /// Bytes in a second, from `rate_after` on.
    pub(super) min_rate: u32,
    pub(super) rate_after: Duration,
    /// How long room may be waited for.
    pub(super) wait: Duration,
    /// When a client that is refused for load may come again.
    pub(super) retry_after: Duration,
}

/// What is known of the length of a body before it has come.
#[derive(Clone, Copy, Debug)]
pub(super) enum Length {
    /// Nothing.
    Unknown,
    /// A header has it.
    Declared(u64),
    /// It is one message of gRPC, and has its length in front.
    Framed,
}

/// Reads a whole body. The ticket has as many bytes as the buffer takes.
pub(super) async fn read<B>(
    body: &mut B,
    length: Length,
    rules: &BodyRules,
) -> Result<(Vec<u8>, Ticket), Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    let mut reading = Reading::start(length, rules).await?;
    while let Some(data) = next(body, reading.bytes.len(), rules).await? {
        reading.push(&data).await?;
    }
    reading.finish()
}

/// The next data, within the time that the bytes so far have earned.
async fn next<B>(body: &mut B, read: usize, rules: &BodyRules) -> Result<Option<Bytes>, Refusal>
where
    B: Body<Data = Bytes> + Unpin,
{
    loop {
        let frame = match by(rules.until(read), body.frame()).await {
            None => {
                return Err(Refusal::overloaded("the body comes too slowly", rules.retry_after));
            }
            Some(None) => return Ok(None),
            Some(Some(Err(_))) => return Err(Refusal::malformed("the body was cut")),
            Some(Some(Ok(frame))) => frame,
        };
        // Trailers mean nothing here.
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

impl BodyRules {
    /// Until when the next bytes have to come, so many having been read.
    fn until(&self, read: usize) -> Instant {
        let earned = u64::try_from(read).unwrap_or(u64::MAX) / u64::from(self.min_rate.max(1));
        let pace = self.rate_after.saturating_add(Duration::from_secs(earned));
        let time = self.timeout.min(pace);
        self.started.checked_add(time).unwrap_or(self.started)
    }
}

struct Reading<'r> {
    bytes: Vec<u8>,
    ticket: Ticket,
    /// What was taken on a promise, until all of it has come.
    promised: Option<Ticket>,
    /// How long the body will be, if that is known.
    whole: Option<usize>,
    framed: bool,
    rules: &'r BodyRules,
}

impl<'r> Reading<'r> {
    async fn start(length: Length, rules: &'r BodyRules) -> Result<Self, Refusal> {
        let whole = match length {
            Length::Declared(length) => Some(usize::try_from(length).unwrap_or(usize::MAX)),
            Length::Unknown | Length::Framed => None,
        };
        // Nothing has come yet; what comes is paid for before it is kept.
        let ticket = rules.budget.take(0).map_err(|full| rules.full(full))?;
        let framed = matches!(length, Length::Framed);
        let (bytes, promised) = (Vec::new(), None);
        let mut reading = Self { bytes, ticket, promised, whole, framed, rules };
        if let Some(whole) = whole {
            reading.expect(whole).await?;
        }
        Ok(reading)
    }

    /// Takes tickets for a length that was declared: all of it, so that requests that fit are not refused
    /// half read; but no large share of the budget for a promise. Here room may be waited for: little has come,
    /// and nothing more does.
    async fn expect(&mut self, whole: usize) -> Result<(), Refusal> {
        let rules = self.rules;
        let message = whole.saturating_sub(if self.framed { PREFIX } else { 0 });
        if message > rules.limit {
            return Err(Refusal::over_limit(rules.limit));
        }
        if whole > rules.budget.capacity() {
            return Err(Refusal::too_large(
                "the request is larger than all that may be here at once",
            ));
        }
        let share = (rules.budget.capacity() / 16).max(SHARE_MIN);
        let missing = whole.min(share).saturating_sub(self.ticket.bytes());
        // Promises cost nothing, and must not keep out those who bring bytes: beyond a share of the budget for all of
        // them, a body is paid for as it comes.
        let Ok(promised) = rules.promises.take(missing) else { return Ok(()) };
        self.promised = Some(promised);
        // Most of the time there is room, and nobody looks at the clock.
        if self.ticket.grow(missing).is_ok() {
            return Ok(());
        }
        let until = now().checked_add(rules.wait).unwrap_or(rules.started);
        self.ticket.grow_by(missing, until).await.map_err(|full| rules.full(full))
    }

    async fn push(&mut self, data: &[u8]) -> Result<(), Refusal> {
        if self.framed && self.whole.is_none() {
            let mut prefix = self.bytes.iter().chain(data).skip(1).take(4);
            if let (Some(a), Some(b), Some(c), Some(d)) =
                (prefix.next(), prefix.next(), prefix.next(), prefix.next())
            {
                let message = u32::from_be_bytes([*a, *b, *c, *d]);
                let whole = usize::try_from(message).unwrap_or(usize::MAX).saturating_add(PREFIX);
                self.whole = Some(whole);
                self.expect(whole).await?;
            }
        }
        let len = self.bytes.len().saturating_add(data.len());
        if self.framed && self.whole.is_some_and(|whole| len > whole) {
            return Err(Refusal::new(
                Kind::Cardinality,
                "a call has one message, and this has more",
            ));
        }
        if len > self.rules.limit.saturating_add(PREFIX) || !self.framed && len > self.rules.limit {
            return Err(Refusal::over_limit(self.rules.limit));
        }
        if len > self.bytes.capacity() {
            let all = self.whole.unwrap_or(usize::MAX);
            let step = self.bytes.capacity().saturating_mul(2).max(SET_ASIDE);
            reserve(&mut self.bytes, 0, &mut self.ticket, step.min(all), len)
                .map_err(|full| self.rules.full(full))?;
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    fn finish(mut self) -> Result<(Vec<u8>, Ticket), Refusal> {
        match self.whole {
            _ if !self.framed => {}
            None if self.bytes.is_empty() => {
                let message = "a call has one message, and this has none";
                return Err(Refusal::new(Kind::Cardinality, message));
            }
            Some(whole) if self.bytes.len() == whole => {}
            _ => return Err(Refusal::malformed("the message ends before its length")),
        }
        self.ticket.shrink_to(self.bytes.capacity());
        Ok((self.bytes, self.ticket))
    }
}

impl BodyRules {
    pub(super) fn full(&self, full: Full) -> Refusal {
        Refusal::full(full, self.retry_after)
    }
}

/// Makes room in `bytes` for `wanted` bytes in all, or for `needed` if so many are not free. The ticket is
/// for the room and for `other` bytes besides.
pub(super) fn reserve(
    bytes: &mut Vec<u8>,
    other: usize,
    ticket: &mut Ticket,
    wanted: usize,
    needed: usize,
) -> Result<(), Full> {
    let mut pay = |room: usize| {
        let missing = room.saturating_add(other).saturating_sub(ticket.bytes());
        ticket.grow(missing).map(|()| room)
    };
    let room = match pay(wanted.max(needed)) {
        Ok(room) => room,
        Err(_) => pay(needed)?,
    };
    bytes.reserve_exact(room.saturating_sub(bytes.len()));
    Ok(())
}

/// What a promise is believed at least.
const SHARE_MIN: usize = 1024;

/// The most that is set aside for a length that is only declared; what has come may double it.
const SET_ASIDE: usize = 64 << 10;

/// What stands before a message of gRPC: a flag and its length.
pub(super) const PREFIX: usize = 5;

#[cfg(test)]
mod tests;
