//! Both ends of a pipeline under measure: a load generator, a sink, and what the one owes the other.

use std::time::{Duration, Instant};

use super::load::{LoadReport, LoadTask};
use super::yaml::Setup;
use crate::process::{Running, Task};
use crate::sink::{Expected, Listening, RELEASE, SinkReport, SinkTask};
use crate::subject::{Failure, Items, Transport};

/// A load generator at work.
pub(super) struct Load(Running);

impl Load {
    pub(super) fn start(task: LoadTask) -> Result<Self, Failure> {
        Ok(Self(Running::start(&Task::Load(task))?))
    }

    pub(super) fn phase(&mut self) -> Result<LoadReport, Failure> {
        self.0.prompt()?;
        let report: LoadReport = self.0.read(PHASE_PATIENCE)?;
        match report.fault {
            Some(fault) => Err(format!("the load generator met {fault}").into()),
            None => Ok(report),
        }
    }
}

/// The sink, and what has come since it was started.
pub(super) struct Sink {
    process: Running,
    port: u16,
    debt: Debt,
    requests: u64,
}

/// What the load generator was told was accepted, and what of it has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Debt {
    owed: u64,
    taken: u64,
}

impl Debt {
    /// Whether all has come.
    ///
    /// # Errors
    ///
    /// More has come: some was delivered twice, or was refused and delivered nevertheless.
    fn is_paid(self) -> Result<bool, Failure> {
        match self.taken.checked_sub(self.owed) {
            None => Ok(false),
            Some(0) => Ok(true),
            Some(more) => Err(format!("{more} spans more arrived than were accepted").into()),
        }
    }

    /// When nothing comes any more.
    fn lost(self) -> Failure {
        let (lost, owed) = (self.owed.saturating_sub(self.taken), self.owed);
        format!("{lost} of {owed} accepted spans were lost").into()
    }
}

impl Sink {
    pub(super) fn start(expected: Option<Expected>, rate: Option<u64>) -> Result<Self, Failure> {
        let task = SinkTask { transport: Transport::Grpc, items: Items::Spans, expected, rate };
        let mut process = Running::start(&Task::Sink(task))?;
        let Listening { port } = process.read(PHASE_PATIENCE)?;
        Ok(Self { process, port, debt: Debt::default(), requests: 0 })
    }

    /// The pipeline, with this at its end.
    pub(super) fn under(&self, setup: Setup) -> Setup {
        Setup { sink_port: self.port, ..setup }
    }

    /// Waits for so many more spans: neither less nor more may come.
    pub(super) fn take_all(&mut self, accepted: u64) -> Result<(), Failure> {
        self.debt.owed += accepted;
        let mut moved = Instant::now();
        loop {
            if self.look()? {
                moved = Instant::now();
            }
            if self.debt.is_paid()? {
                return Ok(());
            }
            if moved.elapsed() > DRAIN_PATIENCE {
                return Err(self.debt.lost());
            }
            std::thread::sleep(LOOK);
        }
    }

    /// From now on it takes all that comes.
    pub(super) fn release(&mut self) -> Result<(), Failure> {
        self.process.say(RELEASE)
    }

    pub(super) fn spans_per_request(&self) -> f64 {
        self.debt.taken as f64 / self.requests.max(1) as f64
    }

    /// Whether anything has come.
    fn look(&mut self) -> Result<bool, Failure> {
        self.process.prompt()?;
        let report: SinkReport = self.process.read(PHASE_PATIENCE)?;
        if let Some(fault) = report.fault {
            return Err(format!("the sink got {fault}").into());
        }
        self.debt.taken += report.items;
        self.requests += report.requests;
        Ok(report.requests > 0)
    }
}

const PHASE_PATIENCE: Duration = Duration::from_secs(300);
/// As long as nothing comes; longer than an exporter waits before it tries again for the first time.
const DRAIN_PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_debt_is_paid_by_all_spans_and_not_by_more() {
        let debt = |owed, taken| Debt { owed, taken };
        assert!(debt(5, 5).is_paid().unwrap() && debt(0, 0).is_paid().unwrap());
        assert!(!debt(5, 4).is_paid().unwrap());
        assert_eq!(debt(5, 3).lost().to_string(), "2 of 5 accepted spans were lost");
        let error = debt(5, 7).is_paid().unwrap_err().to_string();
        assert_eq!(error, "2 spans more arrived than were accepted");
    }
}
