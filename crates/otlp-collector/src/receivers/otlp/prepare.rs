//! From the bytes on the wire to a checked payload, and where that is done: a small request where it was
//! read, a large one on a task of its own, so that it holds up no other request of its connection.

use std::panic::resume_unwind;
use std::sync::Arc;

use bytes::{Buf as _, Bytes};
use otlp_core::{Payload, Signal};
use tokio::task::JoinSet;

use super::body::{BodyRules, PREFIX};
use super::decode;
use super::inflate::{Encoding, inflate};
use super::intake::{Form, Intake};
use super::refusal::{Kind, Refusal};
use crate::admission::Ticket;

/// A body as it came, with the ticket that it was read on.
pub(super) struct Raw {
    pub(super) signal: Signal,
    pub(super) form: Form,
    pub(super) encoding: Encoding,
    /// Whether the message stands in a frame of gRPC.
    pub(super) is_framed: bool,
    pub(super) wire: Bytes,
    pub(super) ticket: Ticket,
    pub(super) rules: BodyRules,
}

/// Inflates, converts and checks.
pub(super) async fn prepare(intake: &Arc<Intake>, raw: Raw) -> Result<(Payload, Ticket), Refusal> {
    let heavy = if raw.encoding == Encoding::Identity { HEAVY } else { HEAVY / 8 };
    if raw.wire.len() < heavy {
        return raw.prepared(intake).await;
    }
    // The set ends the task if this future is dropped.
    let mut tasks = JoinSet::new();
    let intake = Arc::clone(intake);
    tasks.spawn(async move { raw.prepared(&intake).await });
    match tasks.join_next().await {
        Some(Ok(prepared)) => prepared,
        Some(Err(error)) if error.is_panic() => resume_unwind(error.into_panic()),
        // The runtime ends.
        _ => Err(Refusal::panicked()),
    }
}

impl Raw {
    async fn prepared(self, intake: &Intake) -> Result<(Payload, Ticket), Refusal> {
        let Self { signal, form, encoding, is_framed, wire, mut ticket, rules } = self;
        let (wire, encoding) = match is_framed {
            true => unframed(wire, encoding)?,
            false => (wire, encoding),
        };
        let request = match encoding {
            Encoding::Identity => wire,
            encoding => inflate(encoding, wire, &mut ticket, &rules).await?,
        };
        let request = match form {
            Form::Protobuf => request,
            Form::Json => {
                let text = request;
                let request = decode::json(signal, &text, &mut ticket, &intake.limits, &rules)?;
                drop(text);
                ticket.shrink_to(request.len());
                request
            }
        };
        let capacity = rules.budget.capacity();
        let payload = decode::protobuf(signal, request, &intake.limits, capacity)?;
        Ok((payload, ticket))
    }
}

/// The message in a frame of gRPC, and how it is compressed.
fn unframed(mut wire: Bytes, encoding: Encoding) -> Result<(Bytes, Encoding), Refusal> {
    let flag = wire.first().copied();
    // Of the whole, and so without a copy or a count of those who have a part.
    wire.advance(PREFIX.min(wire.len()));
    let wrong = |message| Err(Refusal::new(Kind::Internal, message));
    match (flag, encoding) {
        (Some(0), _) => Ok((wire, Encoding::Identity)),
        (Some(1), Encoding::Identity) => {
            wrong("a message is marked as compressed, and no encoding is named")
        }
        (Some(1), encoding) => Ok((wire, encoding)),
        _ => wrong("a message has a flag that does not exist"),
    }
}

/// From so many bytes on, less if they are compressed: about 100 microseconds of work, beside which a
/// task costs nothing.
const HEAVY: usize = 128 << 10;
