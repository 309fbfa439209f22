//! Many clients that send what there is, and one account of what they hear.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::grpc::Grpc;
use super::http::Http;
use super::{LoadReport, LoadTask, Phase};
use crate::collector::histogram::Histogram;
use crate::subject::{Failure, Transport};

/// What a collector says to a request.
#[derive(Debug)]
pub(super) enum Answer {
    /// It is taken, but for so many spans.
    Accepted { rejected: u64 },
    /// It may come again.
    Refused(String),
}

/// Who sends one request at a time.
#[derive(Debug)]
pub(super) enum Client {
    Grpc(Grpc),
    Http(Http),
}

impl Client {
    /// All clients of a load generator.
    pub(super) async fn connect(task: &LoadTask) -> Result<Vec<Self>, Failure> {
        let mut clients = Vec::new();
        match task.transport {
            Transport::Grpc => {
                for _ in 0..GRPC_CONNECTIONS {
                    let client = Grpc::connect(task.port, task.gzip).await?;
                    clients.extend((0..GRPC_STREAMS).map(|_| Self::Grpc(client.clone())));
                }
            }
            Transport::Http => {
                for _ in 0..HTTP_CONNECTIONS {
                    clients.push(Self::Http(Http::connect(task.port, task.gzip).await?));
                }
            }
        }
        Ok(clients)
    }

    async fn send(&mut self, message: Bytes) -> Result<Answer, Failure> {
        match self {
            Self::Grpc(client) => client.send(message).await,
            Self::Http(client) => client.send(message).await,
        }
    }
}

/// The clients, and what they send.
pub(super) struct Sending {
    clients: Vec<Client>,
    messages: Arc<[Bytes]>,
    spans: u64,
}

impl Sending {
    pub(super) fn new(clients: Vec<Client>, messages: Vec<Bytes>, spans: u64) -> Self {
        Self { clients, messages: messages.into(), spans }
    }

    /// Carries out a phase. A client that meets a fault ends with it.
    pub(super) async fn run(&mut self, phase: Phase) -> LoadReport {
        let start = Instant::now();
        let plan = Arc::new(Plan {
            start,
            phase,
            messages: Arc::clone(&self.messages),
            spans: self.spans,
            next: AtomicUsize::new(0),
            tally: Mutex::default(),
        });
        let mut running = JoinSet::new();
        for mut client in std::mem::take(&mut self.clients) {
            let plan = Arc::clone(&plan);
            running.spawn(async move {
                match plan.carry_out(&mut client).await {
                    Ok(()) => Some(client),
                    Err(error) => {
                        plan.tally.lock().report.fault.get_or_insert(error.to_string());
                        None
                    }
                }
            });
        }
        while let Some(ended) = running.join_next().await {
            self.clients.extend(ended.ok().flatten());
        }
        let mut tally = std::mem::take(&mut *plan.tally.lock());
        tally.report.seconds = start.elapsed().as_secs_f64();
        tally.report()
    }
}

/// One phase, as the clients share it.
struct Plan {
    start: Instant,
    phase: Phase,
    messages: Arc<[Bytes]>,
    spans: u64,
    next: AtomicUsize,
    tally: Mutex<Tally>,
}

impl Plan {
    async fn carry_out(&self, client: &mut Client) -> Result<(), Failure> {
        while let Some(message) = self.due().await {
            let sent = Instant::now();
            let answer = client.send(message).await?;
            let refused = matches!(answer, Answer::Refused(_));
            self.tally.lock().note(answer, self.spans, sent.elapsed());
            if refused && !matches!(self.phase, Phase::Paced(..)) {
                sleep(BACKOFF).await;
            }
        }
        Ok(())
    }

    /// The next request when its time has come; `None` at the end of the phase.
    async fn due(&self) -> Option<Bytes> {
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        match self.phase {
            Phase::Once => return self.messages.get(index).cloned(),
            Phase::Closed(time) if self.start.elapsed() >= time => return None,
            Phase::Closed(_) => {}
            Phase::Paced(time, rate) => {
                let at = Duration::from_secs_f64(index as f64 * self.spans as f64 / rate as f64);
                // The second: answers take too long for this pace.
                if at >= time || self.start.elapsed() >= time {
                    return None;
                }
                sleep_until(self.start + at).await;
            }
        }
        self.messages.get(index.checked_rem(self.messages.len())?).cloned()
    }
}

/// What the clients have heard.
#[derive(Default)]
struct Tally {
    report: LoadReport,
    times: Histogram,
}

impl Tally {
    fn note(&mut self, answer: Answer, spans: u64, time: Duration) {
        self.times.record(time);
        match answer {
            Answer::Accepted { rejected } => {
                let rejected = rejected.min(spans);
                self.report.accepted += spans - rejected;
                self.report.refused += rejected;
            }
            Answer::Refused(text) => {
                self.report.refused += spans;
                self.report.refusal.get_or_insert(text);
            }
        }
    }

    fn report(self) -> LoadReport {
        LoadReport {
            p50_micros: self.times.quantile(0.5),
            p99_micros: self.times.quantile(0.99),
            max_micros: self.times.longest(),
            ..self.report
        }
    }
}

const GRPC_CONNECTIONS: usize = 4;
const GRPC_STREAMS: usize = 4;
const HTTP_CONNECTIONS: usize = 8;

/// Any client waits when it is refused.
const BACKOFF: Duration = Duration::from_millis(5);
