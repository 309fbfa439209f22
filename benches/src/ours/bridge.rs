//! Our exporters under the official SDK, and our metric reader in it.

use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_core::Signal;
use otlp_core::export::{BoxedExporter, Exporter};
use otlp_sdk::bridge::{self, PushMetricExporter, SpanExporter};
use otlp_sdk::metrics::PeriodicReader;

use super::{account, grpc, http};
use crate::client::Load;
use crate::courier::{Collection, Courier, Flushes, ReadAccount, SpanBatches};
use crate::peers::official;
use crate::subject::{Account, Control, Failure, Subject, Target, Transport};

/// The official SDK's provider with our exporter.
///
/// # Errors
///
/// The exporter refuses the configuration.
pub fn remote(target: &Target) -> Result<impl Subject + use<>, Failure> {
    let exporter = span_exporter(target)?;
    let account = exporter.account();
    let control = |provider| Provider { provider, account };
    Ok(official::exporting(exporter, target.queue, control))
}

/// Our exporter without an SDK that makes spans; for metrics the official SDK collects.
///
/// # Errors
///
/// The exporter refuses the configuration, or nothing is collected.
pub fn courier(load: Load, target: &Target) -> Result<Box<dyn Courier>, Failure> {
    Ok(match load {
        Load::SpanBatches => {
            let exporter = span_exporter(target)?;
            let account = read(exporter.account());
            Box::new(SpanBatches::new(exporter, account))
        }
        Load::Metrics => {
            let exporter = PushMetricExporter::new(exporter(Signal::Metrics, target)?);
            let account = read(exporter.account());
            Box::new(Collection::new(exporter, account)?)
        }
        Load::CollectedMetrics => Box::new(flushes(exporter(Signal::Metrics, target)?)),
    })
}

fn span_exporter(target: &Target) -> Result<SpanExporter, Failure> {
    Ok(SpanExporter::new(exporter(Signal::Traces, target)?))
}

fn exporter(signal: Signal, target: &Target) -> Result<BoxedExporter, Failure> {
    Ok(match target.transport {
        Transport::Http => http(signal, target)?.boxed(),
        Transport::Grpc => grpc(signal, target)?.boxed(),
    })
}

fn read(of: bridge::Account) -> ReadAccount {
    Box::new(move || Some(account(&of.ledger())))
}

fn flushes(exporter: impl Exporter) -> Flushes {
    let reader = PeriodicReader::builder(exporter).with_interval(NEVER).build();
    let kept = reader.clone();
    Flushes::new(reader, Box::new(move || Some(account(&kept.ledger()))))
}

struct Provider {
    provider: SdkTracerProvider,
    account: bridge::Account,
}

impl Control for Provider {
    fn flush(&self) -> Result<(), Failure> {
        Ok(self.provider.force_flush()?)
    }

    fn shutdown(&self, timeout: Duration) -> Result<(), Failure> {
        Ok(self.provider.shutdown_with_timeout(timeout)?)
    }

    fn account(&self) -> Option<Account> {
        Some(account(&self.account.ledger()))
    }
}

/// Only flushes collect.
const NEVER: Duration = Duration::from_secs(24 * 60 * 60);
