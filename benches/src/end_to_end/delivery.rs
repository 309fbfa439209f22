//! Who sends and who takes in a row over loopback: client processes in turn, and a sink process.

use std::time::Duration;

use crate::client::{ClientReport, ClientTask, Job, SideName};
use crate::process::{Running, Task, ask};
use crate::rounds::Rounds;
use crate::sink::{Expected, Listening, SinkReport, SinkTask};
use crate::subject::{Codec, Failure, Items, Queue, Target, Transport};

/// Runs both sides in turn; the first of a round turns too.
pub(super) fn alternate(
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

pub(super) struct Sink {
    process: Running,
    transport: Transport,
    endpoint: String,
}

impl Sink {
    pub(super) fn start(
        transport: Transport,
        items: Items,
        validate: bool,
    ) -> Result<Self, Failure> {
        let task = SinkTask {
            transport,
            items,
            expected: validate.then_some(Expected::Workload),
            rate: None,
        };
        let mut process = Running::start(&Task::Sink(task))?;
        let Listening { port } = process.read(START_PATIENCE)?;
        Ok(Self { process, transport, endpoint: format!("http://127.0.0.1:{port}") })
    }

    pub(super) fn deliver(
        &mut self,
        side: SideName,
        codec: Codec,
        queue: Queue,
        job: Job,
    ) -> Result<Delivery, Failure> {
        let endpoint = self.endpoint.clone();
        let target = Target { transport: self.transport, codec, endpoint, queue };
        let client = run_client(side, target, job)?;
        self.process.prompt()?;
        let report: SinkReport = self.process.read(REPORT_PATIENCE)?;
        if let Some(fault) = report.fault {
            return Err(format!("{side:?} sent {fault}").into());
        }
        Ok(Delivery {
            client,
            arrived: report.items,
            bytes: report.bytes,
            requests: report.requests,
        })
    }
}

pub(super) fn run_client(
    side: SideName,
    target: Target,
    job: Job,
) -> Result<ClientReport, Failure> {
    ask(&Task::Client(ClientTask { side, target, job }), CLIENT_PATIENCE)
}

/// What a client sent and what arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Delivery {
    pub(super) client: ClientReport,
    pub(super) arrived: u64,
    pub(super) bytes: u64,
    pub(super) requests: u64,
}

impl Delivery {
    /// A lossless row: all that ended was exported and arrived.
    pub(super) fn check_complete(&self) -> Result<(), Failure> {
        let ClientReport { ended, exported, .. } = self.client;
        if (ended, ended) != (exported, self.arrived) {
            let arrived = self.arrived;
            return Err(format!("{ended} ended, {exported} exported, {arrived} arrived").into());
        }
        self.check_account()
    }

    /// Where the stack has an account: it balances, and says what arrived.
    pub(super) fn check_account(&self) -> Result<(), Failure> {
        let Some(account) = self.client.account else {
            return Ok(());
        };
        let right = account.balances()
            && account.ended == self.client.ended
            && account.delivered == self.arrived;
        if right {
            return Ok(());
        }
        let (ended, arrived) = (self.client.ended, self.arrived);
        Err(format!("{account:?}, but {ended} ended and {arrived} arrived").into())
    }

    pub(super) fn describe(&self, items: Items) -> String {
        let (client, items) = (&self.client, items.name());
        format!(
            "{:.0} k {items}/s, {:.0} bytes and {:.0} {items} a request, {:.0} bytes each{}",
            client.measured as f64 / client.wall_seconds / 1e3,
            self.bytes as f64 / self.requests as f64,
            self.arrived as f64 / self.requests as f64,
            self.bytes as f64 / self.arrived as f64,
            match client.stalls {
                0 => String::new(),
                stalls => format!(", {stalls} stalls ended by a flush"),
            },
        )
    }
}

const START_PATIENCE: Duration = Duration::from_secs(10);
const REPORT_PATIENCE: Duration = Duration::from_secs(120);
const CLIENT_PATIENCE: Duration = Duration::from_secs(300);
