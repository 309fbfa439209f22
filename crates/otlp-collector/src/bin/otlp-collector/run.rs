//! Runs the collector until somebody wants it to end.

use otlp_collector::admission::Budget;
use otlp_collector::engine::{Blueprint, Collector};
use otlp_collector::telemetry::{self, Telemetry, TelemetrySettings, logs};
use otlp_core::export::Deadline;
use tokio::runtime::Runtime;

use crate::args::{Reading, Running};
use crate::signals::Signals;
use crate::{Checked, Failure, checked};

/// Reads the configuration and runs what it says.
pub(crate) fn run(reading: &Reading, running: &Running) -> Result<(), Failure> {
    let Checked { config, blueprint, telemetry } = checked(reading)?;
    // Until the end: what is said last is written too.
    let _logs = logs::init(&telemetry.logs)?;
    for warning in &config.warnings {
        tracing::warn!(target: "otlp_collector", "{warning}");
    }
    if reading.feature_gates.is_some() {
        tracing::warn!(target: "otlp_collector", "--feature-gates has no effect here");
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let ended = runtime.block_on(serve(&blueprint, &telemetry, running));
    end(runtime);
    ended
}

async fn serve(
    blueprint: &Blueprint,
    telemetry: &TelemetrySettings,
    running: &Running,
) -> Result<(), Failure> {
    let mut signals = Signals::new()?;
    let collector = tokio::select! {
        started = blueprint.start(budget(running)) => started?,
        signal = signals.next() => return Err(format!("{signal} before everything was started").into()),
    };
    let telemetry = telemetry::start(telemetry, collector.board()).await?;
    tell_where(&collector, &telemetry);
    let signal = signals.next().await;
    tracing::info!(target: "otlp_collector", "{signal}: ending within {:?}", running.shutdown_timeout);
    let deadline = Deadline::after(std::time::Instant::now(), running.shutdown_timeout);
    let board = collector.board().clone();
    tokio::select! {
        ledger = async {
            let ledger = collector.stop(deadline).await;
            // The numbers that are sent last are those of the end.
            telemetry.stop(deadline).await;
            ledger
        } => match ledger.unaccounted() {
            0 => Ok(()),
            items => Err(format!("{items} items are not accounted for").into()),
        },
        // While the collector is still there: what is not waited for is dropped, and its ledger with it.
        (again, ledger) = async { (signals.next().await, board.ledger()) } => {
            tracing::warn!(target: "otlp_collector", "{again} again: this is what has become of everything until now");
            for line in ledger.to_string().lines() {
                tracing::warn!(target: "otlp_collector", "{line}");
            }
            Err(format!("{again} again: ended before everything was sent").into())
        }
    }
}

fn tell_where(collector: &Collector, telemetry: &Telemetry) {
    for address in telemetry.addresses() {
        tracing::info!(target: "otlp_collector", "metrics of the collector are at http://{address}/metrics");
    }
    for (receiver, what, address) in collector.listeners() {
        tracing::info!(target: "otlp_collector", %receiver, "listening for {what} at {address}");
    }
    tracing::info!(target: "otlp_collector", "everything is ready");
}

fn budget(running: &Running) -> Budget {
    let bytes = running.memory_budget_mib.map(|mib| (mib as usize).saturating_mul(1 << 20));
    bytes.map_or_else(Budget::of_this_process, Budget::new)
}

/// Ends the runtime. What still blocks a thread then, such as the lookup of a name, is not waited for.
fn end(runtime: Runtime) {
    runtime.shutdown_background();
}
