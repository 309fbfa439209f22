//! Sends the numbers over OTLP now and then.
//!
//! One attempt a round: the numbers count from the start, so the next round says all that a lost one would have.

use std::time::Duration;

use otlp_core::Signal;
use otlp_core::export::{
    BoxedExporter, BuildError, Compression, Deadline, Env, Exporter as _, Outcome, Pem, Protocol,
    TlsConfig,
};
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use super::service::Source;
use super::settings::{OtlpPushSettings, PeriodicReaderSettings, PushCompression, PushProtocol};
use crate::clock::now;
use crate::component::BoxError;

/// What sends, and when.
pub(super) struct Push {
    exporter: BoxedExporter,
    interval: Duration,
    timeout: Duration,
    source: Source,
}

impl Push {
    /// Opens what is sent to; nothing is sent yet.
    pub(super) fn new(settings: &PeriodicReaderSettings, source: Source) -> Result<Self, BoxError> {
        let exporter = exporter(&settings.exporter.otlp)?;
        let (interval, timeout) = (settings.interval, settings.timeout);
        Ok(Self { exporter, interval, timeout, source })
    }

    /// Sends until it is told to stop, and then once more.
    pub(super) async fn run(self, mut stop: watch::Receiver<Option<Deadline>>) {
        let start = tokio::time::Instant::now() + self.interval;
        let mut ticks = interval_at(start, self.interval);
        // A round that took long is not made up for.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let rounds = async {
            let mut is_failing = false;
            loop {
                ticks.tick().await;
                is_failing = self.round(is_failing).await;
            }
        };
        let deadline = tokio::select! {
            deadline = stopped(&mut stop) => deadline,
            () = rounds => None,
        };
        let Some(deadline) = deadline else { return };
        let last = Deadline::after(now(), self.timeout);
        let last = match (deadline.instant(), last.instant()) {
            (Some(one), Some(other)) if one < other => deadline,
            _ => last,
        };
        self.send(last).await;
        let _ = self.exporter.shutdown(last).await;
    }

    /// One round. What goes wrong is said when it begins to, and when it ends.
    async fn round(&self, was_failing: bool) -> bool {
        let outcome = self.send(Deadline::after(now(), self.timeout)).await;
        let error = match &outcome {
            Some(outcome) => outcome.error().map(ToString::to_string),
            None => Some("it took too long".to_owned()),
        };
        let to = self.exporter.destination();
        match (&error, was_failing) {
            (Some(error), false) => {
                tracing::warn!(target: "otlp_collector", "metrics of the collector do not reach {to}: {error}");
            }
            (None, true) => {
                tracing::info!(target: "otlp_collector", "metrics of the collector reach {to} again");
            }
            _ => {}
        }
        error.is_some()
    }

    async fn send(&self, deadline: Deadline) -> Option<Outcome> {
        let payload = self.source.request();
        let left = deadline.remaining(now()).unwrap_or(self.timeout);
        timeout(left, self.exporter.export(payload, deadline)).await.ok()
    }
}

/// Waits until there is a deadline; `None` when nobody is left to set one.
async fn stopped(stop: &mut watch::Receiver<Option<Deadline>>) -> Option<Deadline> {
    stop.wait_for(Option::is_some).await.ok().and_then(|deadline| *deadline)
}

fn exporter(settings: &OtlpPushSettings) -> Result<BoxedExporter, BoxError> {
    let headers = settings.all_headers()?;
    let compression = match settings.compression {
        PushCompression::None => Compression::None,
        PushCompression::Gzip => Compression::gzip(),
    };
    let protocol = match settings.protocol {
        PushProtocol::Grpc => {
            let builder = GrpcExporter::builder(Signal::Metrics)
                .with_endpoint(settings.url())
                .with_headers(&headers)
                .with_compression(compression)
                .with_timeout(settings.timeout)
                .with_tls(tls(settings));
            return built(builder.build_with(&Env::empty())).map(|it| it.boxed());
        }
        PushProtocol::HttpProtobuf => Protocol::HttpProtobuf,
        PushProtocol::HttpJson => Protocol::HttpJson,
    };
    let builder = HttpExporter::builder(Signal::Metrics)
        .with_protocol(protocol)
        .with_headers(&headers)
        .with_compression(compression)
        .with_timeout(settings.timeout)
        .with_tls(tls(settings));
    let url = settings.url();
    let builder = match has_path(&url) {
        true => builder.with_exact_url(url),
        false => builder.with_endpoint(url),
    };
    built(builder.build_with(&Env::empty())).map(|it| it.boxed())
}

fn built<E>(built: Result<E, BuildError>) -> Result<E, BoxError> {
    built.map_err(|error| format!("metrics::readers::periodic::exporter::otlp: {error}").into())
}

/// Whether a URL says more than the host.
fn has_path(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').is_some_and(|(_, path)| !path.is_empty())
}

fn tls(settings: &OtlpPushSettings) -> TlsConfig {
    let mut tls = TlsConfig::new();
    if let Some(ca) = &settings.certificate {
        tls = tls.with_ca(Pem::from_path(ca));
    }
    if let (Some(certificate), Some(key)) = (&settings.client_certificate, &settings.client_key) {
        tls = tls.with_client_identity(Pem::from_path(certificate), Pem::from_path(key));
    }
    tls
}
