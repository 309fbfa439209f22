//! The rows over loopback, as the parent process carries them out: a sink process, and client
//! processes that take turns.

use std::time::Duration;

use tokio::net::TcpSocket;

use crate::client::{ClientReport, ClientTask, Pace, SideName, WINDOW};
use crate::effort::Effort;
use crate::process::{Running, Task, ask};
use crate::rounds::Rounds;
use crate::sink::{Listening, SinkReport, SinkTask};
use crate::subject::{Codec, Failure, Queue, Target, Transport};

/// CPU seconds of the client per million spans that arrived.
///
/// # Errors
///
/// A process failed, or a span did not arrive or arrived damaged.
pub fn export(effort: &Effort, transport: Transport, codec: Codec) -> Result<Rounds, Failure> {
    validate(transport, codec)?;
    let mut sink = Sink::start(transport, false)?;
    let pace = Pace::Lossless { warm_up: 2 * WINDOW, spans: effort.spans(codec) };
    let mut last = [Delivery::default(); 2];
    let mut rounds = alternate(effort.export_rounds, |side| {
        let delivery = sink.deliver(side, codec, Queue::Deep, pace)?;
        delivery.check_complete()?;
        let report = delivery.client;
        if let Some(kept) = last.get_mut(side as usize) {
            *kept = delivery;
        }
        Ok(report.cpu_seconds * 1e6 / report.measured as f64)
    })?;
    for (name, delivery) in ["ours", "peer"].into_iter().zip(&last) {
        rounds.notes.push(format!("{name}: {}", delivery.describe()));
    }
    if matches!(codec, Codec::Gzip | Codec::GzipDefault) {
        rounds.notes.push(SAME_DEFLATE.to_owned());
    }
    Ok(rounds)
}

/// Spans lost at a rate.
///
/// # Errors
///
/// A process failed, or our own account differs from what arrived.
pub fn loss(effort: &Effort, transport: Transport, rate: u64) -> Result<Rounds, Failure> {
    let mut sink = Sink::start(transport, false)?;
    let spans = (effort.loss_time.as_secs_f64() * rate as f64) as u64;
    let mut notes = Vec::new();
    let mut rounds = alternate(effort.loss_rounds, |side| {
        let pace = Pace::Paced { spans, rate };
        let delivery = sink.deliver(side, Codec::None, Queue::Default, pace)?;
        delivery.check_account()?;
        let lost = spans.saturating_sub(delivery.sink_spans);
        notes.push(format!(
            "{side:?}: {lost} of {spans} lost, made at {:.2} M spans/s{}",
            spans as f64 / delivery.client.made_seconds / 1e6,
            if delivery.client.account.is_some() { ", all counted by its account" } else { "" },
        ));
        Ok(lost as f64)
    })?;
    rounds.notes = notes;
    Ok(rounds)
}

/// Growth of resident memory, in MiB, while nobody listens.
///
/// # Errors
///
/// A process failed, or our own account leaves a span out.
pub fn server_away(effort: &Effort, rate: u64) -> Result<Rounds, Failure> {
    // Bound and not listening: connections are refused, and nobody else can take the port.
    let away = TcpSocket::new_v4()?;
    away.bind(([127, 0, 0, 1], 0).into())?;
    let endpoint = format!("http://{}", away.local_addr()?);
    let spans = (effort.away_time.as_secs_f64() * rate as f64) as u64;
    let mut notes = Vec::new();
    let mut rounds = alternate(1, |side| {
        let target = Target {
            transport: Transport::Http,
            codec: Codec::None,
            endpoint: endpoint.clone(),
            queue: Queue::Default,
        };
        let client = run_client(side, target, Pace::Away { spans, rate })?;
        let delivery = Delivery { client, ..Delivery::default() };
        delivery.check_account()?;
        notes.push(match client.account {
            Some(account) => format!("{side:?}: of {} spans {account:?}", client.ended),
            None => format!("{side:?}: {} spans lost, cannot count them itself", client.ended),
        });
        Ok(client.resident_growth as f64 / f64::from(1 << 20))
    })?;
    rounds.notes = notes;
    Ok(rounds)
}

/// Runs both sides in turn; the first of a round turns too.
fn alternate(
    rounds: usize,
    mut measure: impl FnMut(SideName) -> Result<f64, Failure>,
) -> Result<Rounds, Failure> {
    let mut figures = Rounds::default();
    for round in 0..rounds {
        if round % 2 == 0 {
            figures.ours.push(measure(SideName::Ours)?);
            figures.peer.push(measure(SideName::Peer)?);
        } else {
            figures.peer.push(measure(SideName::Peer)?);
            figures.ours.push(measure(SideName::Ours)?);
        }
    }
    Ok(figures)
}

/// Before anything is measured: every span of both sides decodes to what was set.
fn validate(transport: Transport, codec: Codec) -> Result<(), Failure> {
    let mut sink = Sink::start(transport, true)?;
    for side in [SideName::Ours, SideName::Peer] {
        let pace = Pace::Lossless { warm_up: 0, spans: 4 * WINDOW };
        sink.deliver(side, codec, Queue::Deep, pace)?.check_complete()?;
    }
    Ok(())
}

struct Sink {
    process: Running,
    transport: Transport,
    endpoint: String,
}

impl Sink {
    fn start(transport: Transport, validate: bool) -> Result<Self, Failure> {
        let mut process = Running::start(&Task::Sink(SinkTask { transport, validate }))?;
        let Listening { port } = process.read(START_PATIENCE)?;
        Ok(Self { process, transport, endpoint: format!("http://127.0.0.1:{port}") })
    }

    fn deliver(
        &mut self,
        side: SideName,
        codec: Codec,
        queue: Queue,
        pace: Pace,
    ) -> Result<Delivery, Failure> {
        let endpoint = self.endpoint.clone();
        let target = Target { transport: self.transport, codec, endpoint, queue };
        let client = run_client(side, target, pace)?;
        self.process.prompt()?;
        let report: SinkReport = self.process.read(REPORT_PATIENCE)?;
        if let Some(fault) = report.fault {
            return Err(format!("{side:?} sent {fault}").into());
        }
        Ok(Delivery {
            client,
            sink_spans: report.spans,
            sink_bytes: report.bytes,
            requests: report.requests,
        })
    }
}

fn run_client(side: SideName, target: Target, pace: Pace) -> Result<ClientReport, Failure> {
    ask(&Task::Client(ClientTask { side, target, pace }), CLIENT_PATIENCE)
}

/// What a client sent and what arrived.
#[derive(Clone, Copy, Debug, Default)]
struct Delivery {
    client: ClientReport,
    sink_spans: u64,
    sink_bytes: u64,
    requests: u64,
}

impl Delivery {
    /// A lossless row: all that ended was exported and arrived.
    fn check_complete(&self) -> Result<(), Failure> {
        let ClientReport { ended, exported, .. } = self.client;
        if (ended, ended) != (exported, self.sink_spans) {
            let arrived = self.sink_spans;
            return Err(format!("{ended} ended, {exported} exported, {arrived} arrived").into());
        }
        self.check_account()
    }

    /// Where the stack has an account: it balances, and says what arrived.
    fn check_account(&self) -> Result<(), Failure> {
        let Some(account) = self.client.account else {
            return Ok(());
        };
        let right = account.balances()
            && account.ended == self.client.ended
            && account.delivered == self.sink_spans;
        if right {
            return Ok(());
        }
        let (ended, arrived) = (self.client.ended, self.sink_spans);
        Err(format!("{account:?}, but {ended} ended and {arrived} arrived").into())
    }

    fn describe(&self) -> String {
        let client = &self.client;
        format!(
            "{:.0} k spans/s, {:.0} bytes and {:.0} spans a request, {:.0} bytes a span{}",
            client.measured as f64 / client.wall_seconds / 1e3,
            self.sink_bytes as f64 / self.requests as f64,
            self.sink_spans as f64 / self.requests as f64,
            self.sink_bytes as f64 / self.sink_spans as f64,
            match client.stalls {
                0 => String::new(),
                stalls => format!(", {stalls} stalls ended by a flush"),
            },
        )
    }
}

/// Said beside the figures, since it makes the peer look better than a user would find it.
const SAME_DEFLATE: &str = "both sides deflate with zlib-rs, since Cargo unifies features in one \
                            build; on its own the peer has miniz_oxide, which is slower";

const START_PATIENCE: Duration = Duration::from_secs(10);
const REPORT_PATIENCE: Duration = Duration::from_secs(120);
const CLIENT_PATIENCE: Duration = Duration::from_secs(300);
