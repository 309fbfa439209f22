//! Real clients: the official exporter, and our own.

use std::time::Duration;

use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _, Severity};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Tracer as _, TracerProvider as _};
use opentelemetry_otlp::{
    Compression as TheirCompression, LogExporter, MetricExporter, Protocol, SpanExporter,
    WithExportConfig as _, WithHttpConfig as _, WithTonicConfig as _,
};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use otlp_collector::receivers::otlp::{OtlpSettings, TlsServerSettings, Transport};
use otlp_core::export::{
    Compression, Deadline, ErrorKind, ExportError, Exporter, Outcome, Pem, Protocol as OurProtocol,
    TlsConfig,
};
use otlp_core::{Payload, Signal};
use otlp_exporter_grpc::GrpcExporter;
use otlp_exporter_http::HttpExporter;
use otlp_testing::tls::Certificates;
use prost::Message as _;
use tokio::task::spawn_blocking;

use crate::support::{MIB, Site, bytes_of, traces};

/// The official exporters of all signals, over one transport.
type Official = (SpanExporter, MetricExporter, LogExporter);

fn over_grpc(site: &Site, compression: Option<TheirCompression>) -> Official {
    let endpoint = format!("http://{}", site.grpc());
    macro_rules! built {
        ($exporter:ident) => {{
            let builder = $exporter::builder().with_tonic().with_endpoint(&endpoint);
            match compression {
                Some(compression) => builder.with_compression(compression).build().unwrap(),
                None => builder.build().unwrap(),
            }
        }};
    }
    (built!(SpanExporter), built!(MetricExporter), built!(LogExporter))
}

fn over_http(site: &Site, protocol: Protocol, compression: Option<TheirCompression>) -> Official {
    // Their client wants to be told, once any crate of the build uses it without a provider.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let endpoint = format!("http://{}", site.http());
    macro_rules! built {
        ($exporter:ident, $signal:ident) => {{
            let builder = $exporter::builder()
                .with_http()
                .with_protocol(protocol)
                .with_endpoint(format!("{endpoint}/{}", Signal::$signal.http_path()));
            match compression {
                Some(compression) => builder.with_compression(compression).build().unwrap(),
                None => builder.build().unwrap(),
            }
        }};
    }
    (built!(SpanExporter, Traces), built!(MetricExporter, Metrics), built!(LogExporter, Logs))
}

/// Five spans, a point and three log records through the official SDK; every step has to succeed.
fn emit((spans, metrics, logs): Official) {
    let provider = SdkTracerProvider::builder().with_batch_exporter(spans).build();
    let tracer = provider.tracer("official");
    for at in 0..5 {
        drop(tracer.start(format!("span {at}")));
    }
    provider.shutdown().unwrap();
    let provider = SdkMeterProvider::builder().with_periodic_exporter(metrics).build();
    provider.meter("official").u64_counter("requests").build().add(7, &[]);
    provider.shutdown().unwrap();
    let provider = SdkLoggerProvider::builder().with_batch_exporter(logs).build();
    let logger = provider.logger("official");
    for at in 0..3 {
        let mut record = logger.create_log_record();
        record.set_severity_number(Severity::Warn);
        record.set_body(format!("line {at}").into());
        logger.emit(record);
    }
    provider.shutdown().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_exporter_delivers_every_signal_over_every_transport() {
    // G1, H1, W1
    let gzip = Some(TheirCompression::Gzip);
    for (transport, protocol, compression) in [
        (Transport::Grpc, Protocol::Grpc, None),
        (Transport::Grpc, Protocol::Grpc, gzip),
        (Transport::Http, Protocol::HttpBinary, None),
        (Transport::Http, Protocol::HttpBinary, gzip),
        (Transport::Http, Protocol::HttpJson, gzip),
    ] {
        let site = Site::start().await;
        let site = spawn_blocking(move || {
            emit(match protocol {
                Protocol::Grpc => over_grpc(&site, compression),
                protocol => over_http(&site, protocol, compression),
            });
            site
        });
        let site = site.await.unwrap();
        let taken = site.taken();
        let of = |signal| taken.iter().filter(move |payload| payload.signal() == signal);
        let items = |signal| of(signal).map(Payload::items).sum::<usize>();
        assert_eq!(Signal::ALL.map(items), [5, 1, 3], "{protocol:?}");
        let traces = of(Signal::Traces).next().unwrap();
        let traces = ExportTraceServiceRequest::decode(bytes_of(traces)).unwrap();
        assert_eq!(traces.resource_spans[0].scope_spans[0].spans[4].name, "span 4");
        let counters = site.end().await;
        for (signal, items) in Signal::ALL.into_iter().zip([5, 1, 3]) {
            assert_eq!(counters.of(transport, signal).accepted_items, items);
        }
    }
}

fn payload() -> Payload {
    Payload::from_request(Signal::Traces, traces(500).encode_to_vec()).unwrap()
}

async fn export(exporter: &impl Exporter) -> Outcome {
    let deadline = Deadline::after(std::time::Instant::now(), Duration::from_secs(10));
    exporter.export(payload(), deadline).await
}

#[tokio::test]
async fn our_exporters_understand_every_answer() {
    let site = Site::start().await;
    let grpc = GrpcExporter::builder(Signal::Traces)
        .with_endpoint(format!("http://{}", site.grpc()))
        .with_compression(Compression::zstd())
        .build()
        .unwrap()
        .boxed();
    let http = |protocol| {
        HttpExporter::builder(Signal::Traces)
            .with_endpoint(format!("http://{}", site.http()))
            .with_compression(Compression::gzip())
            .with_protocol(protocol)
            .build()
            .unwrap()
            .boxed()
    };
    let exporters = [grpc, http(OurProtocol::HttpProtobuf), http(OurProtocol::HttpJson)];
    for exporter in exporters {
        site.answer_with(Outcome::delivered);
        let outcome = export(&exporter).await;
        assert!(matches!(outcome, Outcome::Delivered { warning: None, .. }), "{outcome:?}");
        let taken = site.taken().pop().unwrap();
        assert_eq!(ExportTraceServiceRequest::decode(bytes_of(&taken)).unwrap(), traces(500));

        site.answer_with(|| Outcome::partly_rejected(7, "too old".to_owned()));
        match export(&exporter).await {
            Outcome::PartlyRejected { rejected: 7, message, .. } => assert_eq!(message, "too old"),
            other => panic!("{other:?}"),
        }
        let error = || ExportError::new(ErrorKind::Other, "because");
        site.answer_with(move || Outcome::retryable(error()));
        match export(&exporter).await {
            Outcome::Retryable { retry_after, .. } => {
                assert_eq!(retry_after, Some(Duration::from_secs(1)));
            }
            other => panic!("{other:?}"),
        }
        site.answer_with(move || Outcome::permanent(error()));
        assert!(matches!(export(&exporter).await, Outcome::Permanent { .. }));
        site.answer_with(move || Outcome::TooLarge { error: error() });
        let outcome = export(&exporter).await;
        // Over gRPC nothing tells it from other exhaustion, which is final as well.
        let is_final = matches!(outcome, Outcome::TooLarge { .. } | Outcome::Permanent { .. });
        assert!(is_final, "{outcome:?}");
    }
    site.end().await;
}

#[tokio::test]
async fn our_exporters_deliver_over_mutual_tls() {
    let certificates = Certificates::generate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let mut tls = TlsServerSettings::default();
    tls.cert_file = Some(file("cert.pem", certificates.server_certificate_pem()));
    tls.key_file = Some(file("key.pem", certificates.server_key_pem()));
    tls.client_ca_file = Some(file("ca.pem", certificates.ca_pem()));
    let mut settings = OtlpSettings::on_free_ports();
    settings.protocols.grpc.as_mut().unwrap().tls = Some(tls.clone());
    settings.protocols.http.as_mut().unwrap().tls = Some(tls);
    let site = Site::with(settings, 64 * MIB).await;
    let trust = TlsConfig::new().with_ca(Pem::from_bytes(certificates.ca_pem()));
    let known = trust.clone().with_client_identity(
        Pem::from_bytes(certificates.client_certificate_pem()),
        Pem::from_bytes(certificates.client_key_pem()),
    );
    for (tls, is_known) in [(known, true), (trust, false)] {
        let grpc = GrpcExporter::builder(Signal::Traces)
            .with_endpoint(format!("https://localhost:{}", site.grpc().port()))
            .with_tls(tls.clone());
        let http = HttpExporter::builder(Signal::Traces)
            .with_endpoint(format!("https://localhost:{}", site.http().port()))
            .with_tls(tls);
        for exporter in [grpc.build().unwrap().boxed(), http.build().unwrap().boxed()] {
            let outcome = export(&exporter).await;
            let delivered = matches!(outcome, Outcome::Delivered { .. });
            assert_eq!(delivered, is_known, "{outcome:?}");
        }
    }
    site.end().await;
}
