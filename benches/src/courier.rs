//! Exporters without an SDK in front of them: what is exported is made outside of the clock, and
//! handed over call by call.

use std::future::Future;
use std::thread;
use std::time::{Duration, Instant};

use futures_executor::block_on;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::metrics::reader::MetricReader;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

use crate::client::ClientReport;
use crate::measure::process_cpu;
use crate::peers::official;
use crate::subject::{Account, Failure};
use crate::workload::{BATCH, Work, metrics};

/// An exporter, and what it is called with.
pub trait Courier {
    /// Makes what the next calls take.
    fn prepare(&mut self, exports: usize);

    /// One call. Returns when the server has answered, with the items that were exported.
    ///
    /// # Errors
    ///
    /// The exporter says that it could not export all of them.
    fn export(&mut self) -> Result<u64, Failure>;

    /// Shuts down. Returns the items that were exported by that.
    ///
    /// # Errors
    ///
    /// The exporter says that it could not.
    fn finish(&mut self) -> Result<u64, Failure>;

    /// What the exporter itself says about its items. `None`: it cannot tell.
    fn account(&self) -> Option<Account>;
}

/// How an exporter's account is read.
pub type ReadAccount = Box<dyn Fn() -> Option<Account>>;

/// Calls the exporter so many times, with the clock off and then on.
///
/// # Errors
///
/// As [`Courier::export`].
pub fn run(courier: &mut dyn Courier, warm_up: u64, exports: u64) -> Result<ClientReport, Failure> {
    let before = carry(courier, warm_up)?;
    let carried = carry(courier, exports)?;
    let items = before.items + carried.items + courier.finish()?;
    Ok(ClientReport {
        ended: items,
        measured: carried.items,
        exported: items,
        cpu_seconds: carried.cpu.as_secs_f64(),
        wall_seconds: carried.wall.as_secs_f64(),
        account: courier.account(),
        ..ClientReport::default()
    })
}

#[derive(Default)]
struct Carried {
    items: u64,
    cpu: Duration,
    wall: Duration,
}

fn carry(courier: &mut dyn Courier, exports: u64) -> Result<Carried, Failure> {
    let (mut carried, mut left) = (Carried::default(), exports);
    while left > 0 {
        let burst = left.min(BURST);
        courier.prepare(burst as usize);
        let (cpu, wall) = (process_cpu(), Instant::now());
        for _ in 0..burst {
            carried.items += courier.export()?;
        }
        carried.wall += wall.elapsed();
        thread::sleep(SETTLE);
        carried.cpu += process_cpu() - cpu;
        left -= burst;
    }
    Ok(carried)
}

/// Batches of finished spans with ten attributes.
pub struct SpanBatches<E> {
    exporter: E,
    account: ReadAccount,
    made: Vec<Vec<SpanData>>,
    ready: Vec<Vec<SpanData>>,
}

impl<E: SpanExporter> SpanBatches<E> {
    /// With spans of the official SDK.
    pub fn new(mut exporter: E, account: ReadAccount) -> Self {
        exporter.set_resource(&official::resource());
        let spans = official::made(Work::Root { attributes: 10 }, BURST as usize * BATCH);
        let made = spans.chunks(BATCH).map(<[SpanData]>::to_vec).collect();
        Self { exporter, account, made, ready: Vec::new() }
    }
}

impl<E: SpanExporter> Courier for SpanBatches<E> {
    /// Copies: an exporter takes its batch for itself.
    fn prepare(&mut self, exports: usize) {
        self.ready = self.made.iter().take(exports).cloned().collect();
    }

    fn export(&mut self) -> Result<u64, Failure> {
        let batch = self.ready.pop().ok_or("no batch was prepared")?;
        delivered(batch.len() as u64, self.exporter.export(batch))
    }

    fn finish(&mut self) -> Result<u64, Failure> {
        self.exporter.shutdown()?;
        Ok(0)
    }

    fn account(&self) -> Option<Account> {
        (self.account)()
    }
}

/// One collection of [`metrics::POINTS`] data points, which every call exports.
pub struct Collection<E> {
    exporter: E,
    account: ReadAccount,
    collected: ResourceMetrics,
}

impl<E: PushMetricExporter> Collection<E> {
    /// With what the official SDK collects.
    ///
    /// # Errors
    ///
    /// It does not collect.
    pub fn new(exporter: E, account: ReadAccount) -> Result<Self, Failure> {
        Ok(Self { exporter, account, collected: official::metrics::collected()? })
    }
}

impl<E: PushMetricExporter> Courier for Collection<E> {
    fn prepare(&mut self, _exports: usize) {}

    fn export(&mut self) -> Result<u64, Failure> {
        delivered(metrics::POINTS, self.exporter.export(&self.collected))
    }

    fn finish(&mut self) -> Result<u64, Failure> {
        self.exporter.shutdown()?;
        Ok(0)
    }

    fn account(&self) -> Option<Account> {
        (self.account)()
    }
}

/// A periodic reader that is flushed: it collects [`metrics::POINTS`] data points and exports them.
pub struct Flushes {
    provider: SdkMeterProvider,
    account: ReadAccount,
}

impl Flushes {
    /// With the reader of either side.
    pub fn new(reader: impl MetricReader, account: ReadAccount) -> Self {
        Self { provider: official::metrics::measured(reader), account }
    }
}

impl Courier for Flushes {
    fn prepare(&mut self, _exports: usize) {}

    fn export(&mut self) -> Result<u64, Failure> {
        self.provider.force_flush()?;
        Ok(metrics::POINTS)
    }

    /// A reader collects once more at its end.
    fn finish(&mut self) -> Result<u64, Failure> {
        self.provider.shutdown()?;
        Ok(metrics::POINTS)
    }

    fn account(&self) -> Option<Account> {
        (self.account)()
    }
}

/// Drives an export as the processors of the official SDK do.
fn delivered(items: u64, export: impl Future<Output = OTelSdkResult>) -> Result<u64, Failure> {
    block_on(export)?;
    Ok(items)
}

/// Calls between two preparations.
const BURST: u64 = 32;

/// Threads of an exporter may have work left after the last answer, of which nobody is told: it has
/// to be done while the clock runs.
const SETTLE: Duration = Duration::from_millis(2);

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many calls.
    struct Counted {
        prepared: usize,
        calls: u64,
        most: u64,
    }

    impl Courier for Counted {
        fn prepare(&mut self, exports: usize) {
            assert_eq!(self.prepared, 0, "what was prepared is used up first");
            self.prepared = exports;
        }

        fn export(&mut self) -> Result<u64, Failure> {
            self.prepared -= 1;
            self.calls += 1;
            if self.calls > self.most { Err("no more".into()) } else { Ok(10) }
        }

        fn finish(&mut self) -> Result<u64, Failure> {
            Ok(3)
        }

        fn account(&self) -> Option<Account> {
            None
        }
    }

    #[test]
    fn warm_up_and_end_are_exported_and_not_measured() {
        let mut courier = Counted { prepared: 0, calls: 0, most: u64::MAX };
        let report = run(&mut courier, 5, 70).unwrap();
        assert_eq!(courier.calls, 75);
        assert_eq!((report.measured, report.ended, report.exported), (700, 753, 753));
    }

    #[test]
    fn an_export_that_fails_leaves_no_figure() {
        let mut courier = Counted { prepared: 0, calls: 0, most: 74 };
        assert!(run(&mut courier, 5, 70).is_err());
    }
}
