//! Files: what is in them, and what befalls them.

use opentelemetry::trace::{Span as _, Tracer as _, TracerProvider as _};
use otlp_core::export::retry::RetryPolicy;
use otlp_sdk::BatchConfig;
use otlp_sdk::trace::TracerProvider;
use otlp_testing::oracle::proto::tonic::logs::v1::{LogRecord, LogsData, ResourceLogs, ScopeLogs};
use otlp_testing::oracle::proto::tonic::metrics::v1::{
    Metric, MetricsData, ResourceMetrics, ScopeMetrics,
};
use otlp_testing::oracle::proto::tonic::trace::v1::TracesData;

use super::*;

#[tokio::test]
async fn each_signal_has_its_lines_as_the_protocol_names_them() {
    // X1, X2
    let folder = tempfile::tempdir().unwrap();
    let record = LogRecord { severity_text: "a\n\u{2028}b".to_owned(), ..LogRecord::default() };
    let scope = ScopeLogs { log_records: vec![record], ..ScopeLogs::default() };
    let logs = ResourceLogs { scope_logs: vec![scope], ..ResourceLogs::default() };
    let logs = LogsData { resource_logs: vec![logs] };
    let metric = Metric { name: "größe".to_owned(), ..Metric::default() };
    let scope = ScopeMetrics { metrics: vec![metric], ..ScopeMetrics::default() };
    let metrics = ResourceMetrics { scope_metrics: vec![scope], ..ResourceMetrics::default() };
    let metrics = MetricsData { resource_metrics: vec![metrics] };
    let traces = TracesData::decode(payload("hi").rope().to_bytes()).unwrap();

    let lines = async |signal: Signal, bytes: Vec<u8>| {
        let path = folder.path().join(signal.to_string());
        let exporter = FileExporter::builder(signal).with_path(&path).build().unwrap();
        for _ in 0..2 {
            let payload = Payload::from_request(signal, bytes.clone()).unwrap();
            assert!(is_delivered(&exporter.export(payload, soon()).await));
        }
        assert_eq!(exporter.destination(), path.to_string_lossy());
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.matches('\n').count(), 2, "{text}");
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    for line in lines(Signal::Traces, traces.encode_to_vec()).await {
        assert_eq!(serde_json::from_str::<TracesData>(&line).unwrap(), traces);
    }
    for line in lines(Signal::Metrics, metrics.encode_to_vec()).await {
        assert_eq!(serde_json::from_str::<MetricsData>(&line).unwrap(), metrics);
    }
    for line in lines(Signal::Logs, logs.encode_to_vec()).await {
        assert_eq!(serde_json::from_str::<LogsData>(&line).unwrap(), logs);
    }
}

#[test]
fn spans_of_the_sdk_are_in_the_file_when_shutdown_returns() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.jsonl");
    let provider = TracerProvider::builder().with_batch_exporter(to_path(&path)).build();
    let tracer = provider.tracer("test");
    for i in 0..5_000 {
        tracer.start(format!("span {i}")).end();
    }
    provider.shutdown().unwrap();
    assert_eq!(provider.ledger().delivered, 5_000);

    let text = std::fs::read_to_string(&path).unwrap();
    let requests =
        text.lines().map(|line| Message::decode_json(Signal::Traces, line.as_bytes()).unwrap());
    let mut names: Vec<_> =
        requests.flat_map(|it| it.spans()).map(|span| span.name().to_owned()).collect();
    names.sort_unstable();
    let mut expected: Vec<_> = (0..5_000).map(|i| format!("span {i}")).collect();
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_file_that_is_there_is_added_to_and_a_torn_line_stays_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.jsonl");
    std::fs::write(&path, "{\"resourceSp").unwrap();
    for name in ["first", "second"] {
        let exporter = to_path(&path);
        assert!(is_delivered(&write(&exporter, name).await));
        exporter.shutdown(soon()).await.unwrap();
    }
    let text = std::fs::read_to_string(&path).unwrap();
    let (torn, whole) = text.split_once('\n').unwrap();
    assert_eq!(torn, "{\"resourceSp");
    assert_eq!(names(whole.as_bytes()), ["first", "second"]);
}

#[tokio::test]
async fn a_file_that_was_moved_or_removed_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (path, moved) = (folder.path().join("traces.jsonl"), folder.path().join("moved"));
    let exporter = to_path(&path);
    assert!(is_delivered(&write(&exporter, "a").await));
    std::fs::rename(&path, &moved).unwrap();
    assert!(is_delivered(&write(&exporter, "b").await));
    assert_eq!((names_in(&moved), names_in(&path)), (vec!["a".into()], vec!["b".into()]));

    std::fs::remove_file(&path).unwrap();
    assert!(is_delivered(&write(&exporter, "c").await));
    assert_eq!(names_in(&path), ["c"]);
    // One that another program has put in its place.
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "").unwrap();
    assert!(is_delivered(&write(&exporter, "d").await));
    assert_eq!(names_in(&path), ["d"]);
}

#[tokio::test]
async fn a_directory_that_is_gone_is_named_and_may_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("gone");
    std::fs::create_dir(&directory).unwrap();
    let path = directory.join("traces.jsonl");
    let exporter = to_path(&path);
    std::fs::remove_dir_all(&directory).unwrap();

    let outcome = write(&exporter, "lost?").await;
    assert!(is_retryable(&outcome), "{outcome:?}");
    let text = message(&outcome);
    assert!(text.contains(&*path.to_string_lossy()), "{text}");
    assert!(text.contains("cannot be written") && text.contains("No such file"), "{text}");

    std::fs::create_dir(&directory).unwrap();
    assert!(is_delivered(&write(&exporter, "not lost").await));
    assert_eq!(names_in(&path), ["not lost"]);
    exporter.force_flush(soon()).await.unwrap();
}

#[tokio::test]
async fn a_path_that_cannot_be_a_file_of_lines_is_refused_when_the_exporter_is_built() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing").join("traces.jsonl");
    for (path, said) in [
        (missing.as_path(), "No such file"),
        (folder.path(), "directory"),
        (Path::new("/dev/null"), "with_writer"),
    ] {
        let error = traces().with_path(path).build().unwrap_err();
        let text = error.to_string();
        assert_eq!(error.setting(), "path");
        assert!(text.contains(said) && text.contains(&*path.to_string_lossy()), "{text}");
    }
}

#[tokio::test]
async fn a_file_belongs_to_one_exporter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.jsonl");
    let first = to_path(&path);
    let text = traces().with_path(&path).build().unwrap_err().to_string();
    assert!(text.contains("another exporter writes to it"), "{text}");
    first.shutdown(soon()).await.unwrap();
    traces().with_path(&path).build().unwrap();
}

#[tokio::test]
async fn what_is_not_for_this_exporter_is_refused_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("traces.jsonl");
    let exporter = to_path(&path);
    let logs = Payload::from_request(Signal::Logs, Vec::new()).unwrap();
    let outcome = exporter.export(logs, soon()).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert!(message(&outcome).contains("it holds logs, the exporter traces"), "{outcome:?}");

    let not_utf_8 = b"\x0a\x08\x12\x06\x12\x04\x2a\x02h\xff".to_vec();
    let outcome =
        exporter.export(Payload::from_request(Signal::Traces, not_utf_8).unwrap(), soon()).await;
    assert!(is_permanent(&outcome), "{outcome:?}");
    assert!(message(&outcome).contains("Span field 5 is not UTF-8"), "{outcome:?}");

    let empty = Payload::from_request(Signal::Traces, Vec::new()).unwrap();
    assert!(is_delivered(&exporter.export(empty, soon()).await));
    assert_eq!(std::fs::read(&path).unwrap(), b"");

    for _ in 0..2 {
        exporter.shutdown(soon()).await.unwrap();
    }
    exporter.force_flush(soon()).await.unwrap();
    let outcome = write(&exporter, "late").await;
    assert_eq!(kind(&outcome), Some(ErrorKind::AlreadyShutdown), "{outcome:?}");
}

#[test]
fn each_signal_has_its_component_type() {
    for (signal, name) in [
        (Signal::Traces, "otlp_file_span_exporter"),
        (Signal::Metrics, "otlp_file_metric_exporter"),
        (Signal::Logs, "otlp_file_log_exporter"),
    ] {
        let exporter = FileExporter::builder(signal).with_writer(std::io::sink()).build().unwrap();
        assert_eq!(exporter.component_type(), name);
    }
}

/// A provider whose file's directory is gone.
fn without_directory(
    retry: RetryPolicy,
) -> (tempfile::TempDir, std::path::PathBuf, TracerProvider) {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("gone");
    std::fs::create_dir(&directory).unwrap();
    let config = BatchConfig::default().with_retry(retry);
    let exporter = to_path(&directory.join("traces.jsonl"));
    let provider = TracerProvider::builder().with_batch_exporter_config(exporter, config).build();
    std::fs::remove_dir_all(&directory).unwrap();
    for _ in 0..100 {
        provider.tracer("test").start("span").end();
    }
    (folder, directory, provider)
}

#[test]
fn spans_wait_until_the_directory_is_back() {
    let retry = RetryPolicy::default().with_initial_backoff(Duration::from_millis(10));
    let (_folder, directory, provider) =
        without_directory(retry.with_max_backoff(Duration::from_millis(50)));
    provider.force_flush_with_timeout(Duration::from_millis(300)).unwrap_err();
    let ledger = provider.ledger();
    assert_eq!((ledger.ended, ledger.held, ledger.delivered), (100, 100, 0));

    std::fs::create_dir(&directory).unwrap();
    provider.force_flush_with_timeout(PATIENCE).unwrap();
    assert_eq!(provider.ledger().delivered, 100);
    let text = std::fs::read(directory.join("traces.jsonl")).unwrap();
    let spans = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| Message::decode_json(Signal::Traces, line).unwrap().spans().len());
    assert_eq!(spans.sum::<usize>(), 100);
    provider.shutdown().unwrap();
}

#[test]
fn spans_that_are_never_written_are_counted() {
    let (_folder, directory, provider) = without_directory(RetryPolicy::never());
    let error = provider.shutdown().unwrap_err().to_string();
    let ledger = provider.ledger();
    assert_eq!((ledger.ended, ledger.delivered, ledger.dropped_total()), (100, 0, 100));
    assert!(error.contains("100 items were not delivered"), "{error}");
    assert!(error.contains(&*directory.to_string_lossy()), "{error}");
}
