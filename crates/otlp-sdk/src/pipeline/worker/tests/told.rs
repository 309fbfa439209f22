//! What people are told: by messages, and by the errors of flush and shutdown.

use std::cell::RefCell;
use std::io::Write;
use std::sync::Once;

use super::*;

thread_local! {
    static WRITTEN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to the log of the thread. The worker of a [`Bench`] runs on the thread of its test, so
/// the one subscriber of the process tells tests apart.
struct ThreadLog;

impl Write for ThreadLog {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        WRITTEN.with_borrow_mut(|written| written.extend_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::fmt().with_writer(|| ThreadLog).with_ansi(false).init();
    });
}

/// The lines since the last call.
fn told() -> Vec<String> {
    let written = WRITTEN.take();
    String::from_utf8(written).unwrap().lines().map(str::to_owned).collect()
}

#[track_caller]
fn says(line: &str, parts: &[&str]) {
    for part in parts {
        assert!(line.contains(part), "{part} is not in {line}");
    }
}

fn unreachable() -> Outcome {
    Outcome::retryable(ExportError::new(ErrorKind::Connect, "connection refused"))
}

#[tokio::test(start_paused = true)]
async fn a_request_that_nobody_answers_is_the_reason_of_a_timeout() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_by(|_| Step::Hang);
        bench.end(12);
        let flushed = bench.pipeline.force_flush_async(SECOND).await;
        for result in [flushed, bench.shutdown().await] {
            assert_eq!(
                result.unwrap_err().to_string(),
                "12 items were not delivered in time; \
                 last error: no answer from scripted_exporter yet"
            );
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_shutdown_cuts_short_does_not_hide_what_went_wrong_before() {
    for cut_short in [Step::UntilDeadline, Step::Hang] {
        Bench::run(config(), |bench| async move {
            bench.exporter.respond_with([unreachable().into(), cut_short]);
            bench.end(10);
            let error = bench.shutdown().await.unwrap_err().to_string();
            assert!(error.ends_with("last error: connection refused"), "{error}");
            assert_eq!(bench.exporter.exports(), 2);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn trouble_that_a_flush_has_outlived_does_not_explain_a_later_timeout() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with([unreachable().into()]);
        bench.end(10);
        bench.flush().await.unwrap();
        bench.exporter.respond_by(|_| Step::UntilDeadline);
        bench.end(10);
        let error = bench.shutdown().await.unwrap_err().to_string();
        assert!(error.ends_with("last error: the deadline passed"), "{error}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_retry_is_announced_that_shutdown_leaves_no_time_for() {
    listen();
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_by(|_| unreachable().into());
        bench.end(10);
        let quick = bench.pipeline.shutdown_async(SECOND / 4).await;
        assert!(matches!(quick, Err(PipelineError::Timeout { held: 10, .. })), "{quick:?}");
        let told = told();
        let [line] = told.as_slice() else { panic!("{told:#?}") };
        says(line, &["shutdown leaves no time for another attempt", "connection refused"]);
        assert!(!line.contains("wait="), "{line}");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_comes_before_the_end_of_shutdown_is_announced() {
    listen();
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with([unreachable().into()]);
        bench.end(10);
        bench.shutdown().await.unwrap();
        let told = told();
        let [line, recovery] = told.as_slice() else { panic!("{told:#?}") };
        says(line, &["will be tried again", "wait=500ms"]);
        says(recovery, &["succeed again", "failed_attempts=1"]);
    })
    .await;
}

// L6
#[tokio::test(start_paused = true)]
async fn what_the_limits_took_is_told_once_in_a_while_with_its_sum() {
    listen();
    Bench::run(config(), |bench| async move {
        (0..3).for_each(|_| bench.pipeline.count_limited());
        sleep(6 * SECOND).await;
        let lines = told();
        let [line] = lines.as_slice() else { panic!("{lines:#?}") };
        says(line, &["WARN", "limited=3", "beyond the limits"]);
        (0..4).for_each(|_| bench.pipeline.count_limited());
        sleep(5 * SECOND).await;
        assert_eq!(told(), Vec::<String>::new(), "not so soon");
        bench.shutdown().await.unwrap();
        let lines = told();
        let [line] = lines.as_slice() else { panic!("{lines:#?}") };
        says(line, &["limited=7"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_recovery_is_told_and_takes_the_place_of_what_was_held_back() {
    listen();
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with((0..3).map(|_| busy().into()));
        bench.end(10);
        bench.flush().await.unwrap();
        bench.end(10);
        bench.shutdown().await.unwrap();
        let told = told();
        let [failure, recovery] = told.as_slice() else { panic!("{told:#?}") };
        says(failure, &["WARN", "will be tried again"]);
        says(recovery, &["INFO", "succeed again", "failed_attempts=3", "scripted_exporter"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_held_back_is_told_when_the_worker_ends() {
    listen();
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_by(|_| refused().into());
        bench.end(1000);
        let error = bench.shutdown().await.unwrap_err();
        assert!(matches!(error, PipelineError::Lost { lost: 1000, .. }), "{error}");
        let told = told();
        let [first, last] = told.as_slice() else { panic!("{told:#?}") };
        says(first, &["ERROR", "items=10 ", "repeated=0 ", "bad data"]);
        says(last, &["ERROR", "messages=99 ", "items=990 ", "bad data", "scripted_exporter"]);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_was_held_back_is_told_after_the_period_although_nothing_more_happens() {
    listen();
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with((0..5).map(|_| refused().into()));
        bench.end(50);
        bench.exporter.finished_reach(5).await;
        settle().await;
        assert_eq!(told().len(), 1);
        sleep(9 * SECOND).await;
        assert_eq!(told(), Vec::<String>::new());
        sleep(2 * SECOND).await;
        let lines = told();
        let [line] = lines.as_slice() else { panic!("{lines:#?}") };
        says(line, &["messages=4 ", "items=40 ", "bad data"]);
        sleep(60 * SECOND).await;
        bench.shutdown().await.unwrap_err();
        assert_eq!(told(), Vec::<String>::new(), "each is told once");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn items_refused_shortly_after_a_message_are_told_at_shutdown() {
    listen();
    Bench::run(config().with_max_queue_size(10), |bench| async move {
        bench.exporter.respond_by(|_| Step::Hang);
        bench.end(15);
        sleep(6 * SECOND).await;
        let lines = told();
        let [line] = lines.as_slice() else { panic!("{lines:#?}") };
        says(line, &["queue_full=5 "]);
        bench.end(7);
        bench.pipeline.shutdown_async(SECOND / 10).await.unwrap_err();
        let lines = told();
        let [line] = lines.as_slice() else { panic!("{lines:#?}") };
        says(line, &["queue_full=12 "]);
    })
    .await;
}

// B2
#[tokio::test(start_paused = true)]
async fn a_delay_longer_than_the_time_for_retries_is_told_as_the_reason() {
    let policy = steady().with_max_elapsed(Some(60 * SECOND));
    Bench::run(config().with_retry(policy), |bench| async move {
        bench.exporter.respond_with([busy().into(), busy_for(90 * SECOND).into()]);
        bench.end(10);
        let error = bench.flush().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "10 items were not delivered (retries_exhausted 10); \
             last error: the server asked to wait 90.0s, so that the \
             next attempt would come after the 59.5s left for retries: busy"
        );
        assert_eq!(bench.dropped(DropReason::RetriesExhausted), 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_retries_the_delay_of_the_server_is_not_the_reason() {
    Bench::run(config().with_retry(RetryPolicy::never()), |bench| async move {
        bench.exporter.respond_with([busy_for(90 * SECOND).into()]);
        bench.end(10);
        let error = bench.flush().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "10 items were not delivered (retries_exhausted 10); last error: busy"
        );
    })
    .await;
}
