//! The rows over loopback, as the parent process carries them out: a sink process, and client
//! processes that take turns.

mod delivery;

use tokio::net::TcpSocket;

use self::delivery::{Delivery, Sink, alternate, run_client};
use crate::client::{ClientReport, Host, Job, Load, Pace, SideName, WINDOW};
use crate::effort::Effort;
use crate::rounds::Rounds;
use crate::subject::{Codec, Failure, Items, Queue, Target, Transport};
use crate::workload;

/// CPU seconds of the client per million spans that arrived. `host` is the SDK of our side.
///
/// # Errors
///
/// A process failed, or a span did not arrive or arrived damaged.
pub fn export(
    effort: &Effort,
    host: Host,
    transport: Transport,
    codec: Codec,
) -> Result<Rounds, Failure> {
    let lossless = |warm_up, spans| Job::Spans(host, Pace::Lossless { warm_up, spans });
    let course = Course {
        transport,
        codec,
        items: Items::Spans,
        check: lossless(0, 4 * WINDOW),
        measured: lossless(2 * WINDOW, effort.spans(codec)),
        value: per_million,
    };
    course.run(effort.export_rounds)
}

/// The same for batches of finished spans that are handed to the span exporters: without the SDK
/// that makes them.
///
/// # Errors
///
/// As there.
pub fn batches(effort: &Effort, transport: Transport) -> Result<Rounds, Failure> {
    let batches = |warm_up, exports| Job::Exports { load: Load::SpanBatches, warm_up, exports };
    let course = Course {
        transport,
        codec: Codec::None,
        items: Items::Spans,
        check: batches(0, 64),
        measured: batches(32, effort.export_spans / workload::BATCH as u64),
        value: per_million,
    };
    course.run(effort.export_rounds)
}

/// CPU milliseconds of the client per export of [`workload::metrics::POINTS`] data points.
///
/// # Errors
///
/// A process failed, or a point did not arrive or arrived damaged.
pub fn metrics(effort: &Effort, load: Load) -> Result<Rounds, Failure> {
    let exports = |warm_up, exports| Job::Exports { load, warm_up, exports };
    let course = Course {
        transport: Transport::Http,
        codec: Codec::None,
        items: Items::Points,
        check: exports(0, 3),
        measured: exports(effort.metric_exports / 10, effort.metric_exports),
        value: |report| per_million(report) * workload::metrics::POINTS as f64 / 1e3,
    };
    course.run(effort.export_rounds)
}

fn per_million(report: &ClientReport) -> f64 {
    report.cpu_seconds * 1e6 / report.measured as f64
}

/// A lossless row: both sides do the same, and all of it has to arrive.
struct Course {
    transport: Transport,
    codec: Codec,
    items: Items,
    /// Done before anything is measured; the sink looks at every item.
    check: Job,
    measured: Job,
    value: fn(&ClientReport) -> f64,
}

impl Course {
    fn run(&self, rounds: usize) -> Result<Rounds, Failure> {
        self.validate()?;
        let mut sink = Sink::start(self.transport, self.items, false)?;
        let mut last = [Delivery::default(); 2];
        let mut rounds = alternate(rounds, |side| {
            let delivery = sink.deliver(side, self.codec, Queue::Deep, self.measured)?;
            delivery.check_complete()?;
            let value = (self.value)(&delivery.client);
            if let Some(kept) = last.get_mut(side as usize) {
                *kept = delivery;
            }
            Ok(value)
        })?;
        for (name, delivery) in ["ours", "peer"].into_iter().zip(&last) {
            rounds.notes.push(format!("{name}: {}", delivery.describe(self.items)));
        }
        if matches!(self.codec, Codec::Gzip | Codec::GzipDefault) {
            rounds.notes.push(SAME_DEFLATE.to_owned());
        }
        Ok(rounds)
    }

    /// Before anything is measured: every item of both sides decodes to what was set.
    fn validate(&self) -> Result<(), Failure> {
        let mut sink = Sink::start(self.transport, self.items, true)?;
        for side in [SideName::Ours, SideName::Peer] {
            sink.deliver(side, self.codec, Queue::Deep, self.check)?.check_complete()?;
        }
        Ok(())
    }
}

/// Spans lost at a rate.
///
/// # Errors
///
/// A process failed, or our own account differs from what arrived.
pub fn loss(effort: &Effort, transport: Transport, rate: u64) -> Result<Rounds, Failure> {
    let mut sink = Sink::start(transport, Items::Spans, false)?;
    let spans = (effort.loss_time.as_secs_f64() * rate as f64) as u64;
    let mut notes = Vec::new();
    let mut rounds = alternate(effort.loss_rounds, |side| {
        let job = Job::Spans(Host::Ours, Pace::Paced { spans, rate });
        let delivery = sink.deliver(side, Codec::None, Queue::Default, job)?;
        delivery.check_account()?;
        let lost = spans.saturating_sub(delivery.arrived);
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
        let job = Job::Spans(Host::Ours, Pace::Away { spans, rate });
        let client = run_client(side, target, job)?;
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

/// Said beside the figures, since it makes the peer look better than a user would find it.
const SAME_DEFLATE: &str = "both sides deflate with zlib-rs, since Cargo unifies features in one \
                            build; on its own the peer has miniz_oxide, which is slower";
