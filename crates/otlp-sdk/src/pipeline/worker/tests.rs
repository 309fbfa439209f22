//! The worker on a paused clock, with an exporter that follows a script.

use std::num::NonZeroUsize;
use std::time::Duration;

use otlp_core::export::retry::{RetryPolicy, SERVER_DELAY_MAX};
use otlp_core::export::{Deadline, ErrorKind, ExportError, Exporter, Outcome};
use otlp_core::{Payload, Signal};
use otlp_testing::{Gate, ScriptedExporter, Step};
use tokio::time::{Instant, advance, sleep};

use super::super::config::{BatchConfig, PipelineError};
use super::super::handle::Pipeline;
use super::super::testing::{Bench, TestItem, resource, scope};
use super::DropReason;

mod faults;
mod lifecycle;
mod room;
mod told;

const SECOND: Duration = Duration::from_secs(1);

/// Batches of ten, every five seconds, one request at a time, delays without jitter.
fn config() -> BatchConfig {
    let mut config = BatchConfig::default()
        .with_max_export_batch_size(10)
        .with_max_concurrent_exports(1)
        .with_retry(steady());
    config.shutdown_timeout = 5 * SECOND;
    config
}

fn steady() -> RetryPolicy {
    let mut policy = RetryPolicy::default();
    policy.jitter = 0.0;
    policy
}

fn busy() -> Outcome {
    Outcome::retryable(ExportError::new(ErrorKind::HttpStatus(503), "busy"))
}

fn busy_for(delay: Duration) -> Outcome {
    let error = ExportError::new(ErrorKind::HttpStatus(503), "busy");
    Outcome::Retryable { error, retry_after: Some(delay) }
}

fn refused() -> Outcome {
    Outcome::permanent(ExportError::new(ErrorKind::HttpStatus(400), "bad data"))
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}

/// Lets the worker do what it can do now.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

// R6: the delay.
#[tokio::test(start_paused = true)]
async fn what_does_not_fill_a_batch_leaves_after_the_delay() {
    Bench::run(config(), |bench| async move {
        let begun = Instant::now();
        bench.end(3);
        settle().await;
        assert_eq!(bench.exporter.exports(), 0);
        bench.exporter.delivered_reach(3).await;
        assert_eq!(begun.elapsed(), 5 * SECOND);
        bench.end(1);
        bench.exporter.delivered_reach(4).await;
        assert_eq!(begun.elapsed(), 10 * SECOND);
    })
    .await;
}

// R6: the batch size.
#[tokio::test(start_paused = true)]
async fn a_full_batch_leaves_at_once_and_the_rest_waits() {
    Bench::run(config(), |bench| async move {
        let begun = Instant::now();
        bench.end(27);
        bench.exporter.delivered_reach(20).await;
        settle().await;
        assert_eq!((begun.elapsed(), bench.sizes()), (Duration::ZERO, vec![10, 10]));
        bench.exporter.delivered_reach(27).await;
        assert_eq!((begun.elapsed(), bench.sizes()), (5 * SECOND, vec![10, 10, 7]));
        assert_eq!(bench.names(), numbers(0..27));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_idle_worker_sends_nothing() {
    Bench::run(config(), |bench| async move {
        sleep(60 * SECOND).await;
        bench.flush().await.unwrap();
        assert_eq!((bench.exporter.exports(), bench.exporter.flushes()), (0, 1));
    })
    .await;
}

// R3: everything so far, then the exporter's own flush.
#[tokio::test(start_paused = true)]
async fn a_flush_drains_more_than_one_batch_and_then_flushes_the_exporter() {
    Bench::run(config(), |bench| async move {
        bench.end(35);
        bench.flush().await.unwrap();
        assert_eq!((bench.sizes(), bench.exporter.flushes()), (vec![10, 10, 10, 5], 1));
        assert_eq!(bench.pipeline.ledger().delivered, 35);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_waits_for_what_ended_before_it_and_not_for_what_came_later() {
    Bench::run(config(), |bench| async move {
        let gates = [Gate::new(), Gate::new()];
        let hold = |gate: &Gate| Step::Hold(gate.clone(), Outcome::delivered());
        bench.exporter.respond_with(gates.iter().map(hold));
        bench.end(10);
        let flush = bench.flush();
        tokio::pin!(flush);
        assert!(futures_util::poll!(&mut flush).is_pending());
        bench.exporter.exports_reach(1).await;
        bench.end(10);
        settle().await;
        assert!(futures_util::poll!(&mut flush).is_pending());
        gates[0].open();
        flush.await.unwrap();
        let ledger = bench.pipeline.ledger();
        assert_eq!((ledger.delivered, ledger.held), (10, 10));
        gates[1].open();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn flushes_at_the_same_time_each_get_an_answer() {
    Bench::run(config(), |bench| async move {
        bench.end(25);
        let (first, second, third) = tokio::join!(bench.flush(), bench.flush(), bench.flush());
        assert!(first.is_ok() && second.is_ok() && third.is_ok());
        assert_eq!((bench.exporter.delivered(), bench.exporter.flushes()), (25, 3));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_says_what_is_undelivered_when_its_time_is_over() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with([Step::Hang]);
        bench.end(12);
        let begun = Instant::now();
        let error = bench.pipeline.force_flush_async(3 * SECOND).await.unwrap_err();
        assert!(matches!(error, PipelineError::Timeout { held: 12, .. }), "{error}");
        assert_eq!(begun.elapsed(), 3 * SECOND);
        assert_eq!(bench.pipeline.ledger().held, 12);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_without_time_starts_the_work_and_does_not_wait() {
    Bench::run(config(), |bench| async move {
        let gate = Gate::new();
        bench.exporter.respond_with([Step::Hold(gate.clone(), Outcome::delivered())]);
        bench.end(3);
        let begun = Instant::now();
        let error = bench.pipeline.force_flush_async(Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, PipelineError::Timeout { held: 3, .. }), "{error}");
        gate.open();
        bench.exporter.delivered_reach(3).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        assert!(bench.pipeline.force_flush_async(Duration::ZERO).await.is_ok(), "nothing is held");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_says_how_many_items_were_lost_and_why() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with([refused().into()]);
        bench.end(12);
        let error = bench.flush().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "10 items were not delivered (permanent_error 10); last error: bad data"
        );
        bench.end(1);
        bench.flush().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_over_does_not_explain_a_later_timeout() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with([refused().into(), Outcome::delivered().into(), Step::Hang]);
        bench.end(20);
        bench.exporter.finished_reach(2).await;
        bench.end(1);
        let error = bench.pipeline.force_flush_async(SECOND).await.unwrap_err();
        assert!(matches!(error, PipelineError::Timeout { held: 1, .. }), "{error}");
        assert!(error.to_string().ends_with("no answer from scripted_exporter yet"), "{error}");
    })
    .await;
}

// G3, H5: several requests in flight, bounded.
#[tokio::test(start_paused = true)]
async fn as_many_requests_are_in_flight_as_allowed() {
    for most in [1, 4] {
        Bench::run(config().with_max_concurrent_exports(most), |bench| async move {
            bench.exporter.respond_by(|_| Step::Delay(SECOND, Outcome::delivered()));
            bench.end(80);
            let begun = Instant::now();
            bench.flush().await.unwrap();
            assert_eq!(bench.exporter.concurrent_max(), most);
            assert_eq!(begun.elapsed().as_secs() as usize, 8 / most);
        })
        .await;
    }
}

// R5: the simple processor.
#[tokio::test(start_paused = true)]
async fn the_simple_configuration_sends_each_item_at_once_one_at_a_time() {
    let config = BatchConfig::simple();
    Bench::run(config, |bench| async move {
        bench.exporter.respond_by(|_| Step::Delay(SECOND, Outcome::delivered()));
        let begun = Instant::now();
        bench.end(1);
        bench.exporter.exports_reach(1).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
        bench.end(4);
        bench.exporter.delivered_reach(5).await;
        assert_eq!((bench.sizes(), bench.exporter.concurrent_max()), (vec![1; 5], 1));
        assert_eq!(bench.names(), numbers(0..5));
    })
    .await;
}

// R7
#[tokio::test(start_paused = true)]
async fn a_batch_is_never_larger_than_the_queue_and_what_does_not_fit_is_counted() {
    let config = config().with_max_export_batch_size(512).with_max_queue_size(8);
    Bench::run(config, |bench| async move {
        let gate = Gate::new();
        bench.exporter.respond_by({
            let gate = gate.clone();
            move |_| Step::Hold(gate.clone(), Outcome::delivered())
        });
        bench.end(20);
        settle().await;
        assert_eq!(bench.dropped(DropReason::QueueFull), 12);
        assert_eq!(bench.exporter.exports(), 1, "a full queue does not wait for the timer");
        gate.open();
        bench.exporter.delivered_reach(8).await;
        settle().await;
        bench.end(8);
        let error = bench.flush().await.unwrap_err().to_string();
        assert_eq!(error, "12 items were not delivered (queue_full 12)");
        bench.flush().await.unwrap();
        assert_eq!(bench.dropped(DropReason::QueueFull), 12);
        assert!(bench.sizes().iter().all(|size| *size <= 8));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_queue_that_stays_full_does_not_keep_the_worker_busy() {
    Bench::run(config().with_max_queue_size(20), |bench| async move {
        bench.exporter.respond_with([Step::Hang]);
        bench.end(100);
        settle().await;
        let woken = || bench.pipeline.wakes();
        let before = woken();
        for _ in 0..100 {
            bench.end(10);
            settle().await;
        }
        assert!(woken() - before <= 1, "woken {} times for nothing", woken() - before);
        assert_eq!(bench.pipeline.ledger().held, 20);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn delays_that_the_clock_cannot_express_are_as_good_as_never() {
    let config = config().with_schedule_delay(Duration::MAX).with_export_timeout(Duration::MAX);
    Bench::run(config, |bench| async move {
        bench.end(3);
        sleep(24 * 3600 * SECOND).await;
        assert_eq!(bench.exporter.exports(), 0);
        bench.pipeline.force_flush_async(Duration::MAX).await.unwrap();
        assert_eq!(bench.exporter.delivered(), 3);
        assert_eq!(bench.pipeline.ledger().panics, 0);
        bench.pipeline.shutdown_async(Duration::MAX).await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_with_one_item_that_is_too_large_with_its_headers_is_not_sent() {
    // Z1
    let mut config = config();
    let item = TestItem::named("0").bytes().len();
    config.max_request_bytes = otlp_core::wire::envelope::overhead_of_resource(&resource()) + item;
    Bench::run(config, |bench| async move {
        bench.end(2);
        let error = bench.flush().await.unwrap_err();
        assert!(
            error.to_string().starts_with("2 items were not delivered (too_large 2)"),
            "{error}"
        );
        assert_eq!((bench.exporter.exports(), bench.dropped(DropReason::TooLarge)), (0, 2));
    })
    .await;
}
