//! What belongs to a whole process: its standard output, and its limits.

use std::io::Write as _;
use std::process::{Command, Output};

use opentelemetry::logs::{LogRecord as _, Logger as _, LoggerProvider as _};
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::export::Env;
use otlp_sdk::file::Rotation;
use otlp_testing::oracle::proto::tonic::metrics::v1::AggregationTemporality;
use otlp_testing::oracle::proto::tonic::metrics::v1::metric::Data;

use super::*;

/// Of a body that no server takes by default.
const LONG: usize = 10_000_000;
const FOLDER: &str = "OTLP_FILE_TEST_FOLDER";

/// Runs a test of this file that is ignored, in a process of its own, under a shell's `limits`.
fn child(name: &str, limits: &str, folder: &Path) -> Output {
    let script =
        format!(r#"{limits} exec "$0" --exact {name} --ignored --nocapture --test-threads 1"#);
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]).arg(std::env::current_exe().unwrap()).env(FOLDER, folder);
    let output = shell.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{output:?}");
    output
}

#[test]
fn the_environment_chooses_lines_on_standard_output() {
    // X3, X5
    let output = child("process::standard_output_child", "", Path::new("."));
    let text = String::from_utf8(output.stdout).unwrap();
    let messages = Signal::ALL.map(|signal| {
        let field = match signal {
            Signal::Traces => "resourceSpans",
            Signal::Metrics => "resourceMetrics",
            _ => "resourceLogs",
        };
        let head = format!("{{\"{field}\"");
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with(&head)).collect();
        let [line] = *lines else { panic!("one batch of {signal}: {text}") };
        assert!(line.contains(r#"{"stringValue":"lines"}"#), "the service's name: {line}");
        Message::decode_json(signal, line.as_bytes()).unwrap()
    });
    assert_eq!(messages.each_ref().map(Message::items), [2, 1, 2]);
    assert!(text.lines().any(|line| line.len() > LONG), "no server's limit holds for a file");
    let mut names: Vec<_> = messages[0].spans().iter().map(|span| span.name().to_owned()).collect();
    names.sort_unstable();
    assert_eq!(names, ["one", "two"]);
}

#[test]
#[ignore = "the child of the test above"]
fn standard_output_child() {
    // What the test harness has begun to write is ended first.
    writeln!(std::io::stdout()).unwrap();
    let env = [
        ("OTEL_TRACES_EXPORTER", "otlp/stdout"),
        ("OTEL_METRICS_EXPORTER", "otlp/stdout"),
        ("OTEL_LOGS_EXPORTER", "otlp/stdout"),
        ("OTEL_SERVICE_NAME", "lines"),
    ];
    let telemetry =
        otlp_sdk::builder().with_env(Env::from_pairs(env)).without_globals().init().unwrap();
    let tracer = telemetry.tracer_provider().tracer("test");
    for name in ["one", "two"] {
        tracer.start(name).end();
    }
    telemetry.meter_provider().meter("test").u64_counter("count").build().add(1, &[]);
    let logger = telemetry.logger_provider().logger("test");
    logger.emit(logger.create_log_record());
    let mut record = logger.create_log_record();
    record.set_body("x".repeat(LONG).into());
    logger.emit(record);
    let ledgers = telemetry.shutdown().unwrap();
    assert_eq!(Signal::ALL.map(|signal| ledgers.of(signal).delivered), [2, 1, 2], "{ledgers}");
}

#[test]
fn lines_of_metrics_go_by_the_variables_for_temporality_and_histograms() {
    // row X4
    let output = child("process::metrics_child", "", Path::new("."));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<_> = text.lines().filter(|it| it.starts_with("{\"resourceMetrics\"")).collect();
    let [line] = *lines else { panic!("{text}") };
    let message = Message::decode_json(Signal::Metrics, line.as_bytes()).unwrap();
    let Message::Metrics(request) = message else { panic!("{message:?}") };
    let scopes = request.resource_metrics.iter().flat_map(|it| &it.scope_metrics);
    let metrics: Vec<_> = scopes.flat_map(|scope| &scope.metrics).collect();
    let temporality = metrics.iter().map(|metric| match &metric.data {
        Some(Data::Sum(sum)) => ("sum", sum.aggregation_temporality()),
        Some(Data::ExponentialHistogram(data)) => ("exponential", data.aggregation_temporality()),
        other => panic!("{other:?}"),
    });
    let mut found: Vec<_> = temporality.collect();
    found.sort_unstable();
    let delta = AggregationTemporality::Delta;
    assert_eq!(found, [("exponential", delta), ("sum", delta)]);
}

#[test]
#[ignore = "the child of the test above"]
fn metrics_child() {
    writeln!(std::io::stdout()).unwrap();
    let env = [
        ("OTEL_TRACES_EXPORTER", "none"),
        ("OTEL_METRICS_EXPORTER", "otlp/stdout"),
        ("OTEL_LOGS_EXPORTER", "none"),
        ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta"),
        (
            "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION",
            "base2_exponential_bucket_histogram",
        ),
    ];
    let telemetry =
        otlp_sdk::builder().with_env(Env::from_pairs(env)).without_globals().init().unwrap();
    let meter = telemetry.meter_provider().meter("test");
    meter.u64_counter("count").build().add(1, &[]);
    meter.f64_histogram("time").build().record(1.5, &[]);
    telemetry.shutdown().unwrap();
}

/// A limit on the size of files is the one way to have a line cut in its middle by the system without
/// being root.
#[cfg(unix)]
#[test]
fn what_the_system_has_taken_of_a_line_is_cut_off_again() {
    let folder = tempfile::tempdir().unwrap();
    child("process::cut_line_child", "trap '' XFSZ; ulimit -f 8;", folder.path());
}

#[cfg(unix)]
#[test]
#[ignore = "the child of the test above"]
fn cut_line_child() {
    let folder = std::path::PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let path = folder.join("traces.jsonl");
    let long = "x".repeat(1000);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let exporter = to_path(&path);
        let mut delivered = 0;
        let refused = loop {
            let outcome = write(&exporter, &long).await;
            if !is_delivered(&outcome) {
                break outcome;
            }
            delivered += 1;
            assert!(delivered < 100, "no limit");
        };
        assert!(is_permanent(&refused), "{refused:?}");
        assert!(message(&refused).contains("File too large"), "{refused:?}");
        // Whole lines only, and there is still room for a short one.
        assert_eq!(names_in(&path), vec![long.clone(); delivered]);
        assert!(is_delivered(&write(&exporter, "short").await));
        assert_eq!(names_in(&path).last().unwrap(), "short");
        exporter.shutdown(soon()).await.unwrap();

        // Below the limit rotation keeps it going.
        let path = folder.join("rotated.jsonl");
        let exporter = traces().with_path(&path).with_rotation(Rotation::at(3000)).build().unwrap();
        for _ in 0..10 {
            assert!(is_delivered(&write(&exporter, &long).await));
        }
    });
}
