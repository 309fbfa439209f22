//! Shutdown, and calls around it.

use futures_util::FutureExt;

use super::*;

// R4
#[tokio::test(start_paused = true)]
async fn shutdown_delivers_what_is_held_and_shuts_the_exporter_down() {
    Bench::run(config(), |bench| async move {
        bench.end(35);
        bench.shutdown().await.unwrap();
        assert_eq!((bench.sizes(), bench.exporter.shutdowns()), (vec![10, 10, 10, 5], 1));
        assert_eq!(bench.pipeline.ledger().delivered, 35);
    })
    .await;
}

// R4
#[tokio::test(start_paused = true)]
async fn after_shutdown_items_are_counted_and_calls_say_so() {
    Bench::run(config(), |bench| async move {
        bench.shutdown().await.unwrap();
        bench.end(7);
        assert!(matches!(bench.shutdown().await, Err(PipelineError::AlreadyShutdown)));
        assert!(matches!(bench.flush().await, Err(PipelineError::AlreadyShutdown)));
        assert_eq!(bench.dropped(DropReason::AfterShutdown), 7);
        assert_eq!((bench.exporter.exports(), bench.exporter.shutdowns()), (0, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_is_not_delivered_by_the_deadline_of_shutdown_is_dropped_and_counted() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with([Outcome::delivered().into(), Step::Hang]);
        bench.end(33);
        let begun = Instant::now();
        let error = bench.shutdown().await.unwrap_err();
        assert!(matches!(error, PipelineError::Timeout { held: 23, .. }), "{error}");
        assert!(begun.elapsed() <= 5 * SECOND + SECOND / 5, "{:?}", begun.elapsed());
        let ledger = bench.pipeline.ledger();
        assert_eq!((ledger.delivered, ledger.held), (10, 0));
        assert_eq!(ledger.dropped(DropReason::ShutdownTimeout), 23);
        assert_eq!((bench.exporter.shutdowns(), bench.exporter.concurrent()), (1, 0));
    })
    .await;
}

// row G4: how long a shutdown waits for answers is its deadline.
#[tokio::test(start_paused = true)]
async fn attempts_at_shutdown_end_with_its_deadline() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_by(|_| Step::UntilDeadline);
        bench.end(5);
        let begun = Instant::now();
        bench.shutdown().await.unwrap_err();
        let deadline = bench.exporter.deadlines()[0].instant().unwrap();
        assert_eq!(deadline, (begun + 5 * SECOND).into_std());
        assert_eq!(bench.dropped(DropReason::ShutdownTimeout), 5);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_there_at_the_deadline_counts() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with([Step::Delay(5 * SECOND, Outcome::delivered())]);
        bench.end(10);
        bench.shutdown().await.unwrap();
        assert_eq!(bench.pipeline.ledger().delivered, 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_without_time_takes_what_is_answered_at_once_and_counts_the_rest() {
    Bench::run(config().with_max_concurrent_exports(2), |bench| async move {
        bench.exporter.respond_with([Outcome::delivered().into(), Step::Hang]);
        bench.end(30);
        let error = bench.pipeline.shutdown_async(Duration::ZERO).await.unwrap_err();
        assert!(matches!(error, PipelineError::Timeout { .. }), "{error}");
        let ledger = bench.pipeline.ledger();
        assert_eq!((ledger.held, ledger.delivered), (0, bench.exporter.delivered() as u64));
        assert_eq!(ledger.delivered + ledger.dropped(DropReason::ShutdownTimeout), 30);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_waits_gets_its_answer_when_shutdown_ends_first() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_by(|_| Step::Hang);
        bench.end(10);
        let flush = bench.flush();
        tokio::pin!(flush);
        assert!(futures_util::poll!(&mut flush).is_pending());
        let begun = Instant::now();
        let (flushed, shut) = tokio::join!(flush, bench.shutdown());
        assert!(begun.elapsed() < 6 * SECOND, "the flush had 30 s: {:?}", begun.elapsed());
        assert!(matches!(flushed, Err(PipelineError::Lost { lost: 10, .. })), "{flushed:?}");
        assert!(matches!(shut, Err(PipelineError::Timeout { held: 10, .. })), "{shut:?}");
    })
    .await;
}

/// An exporter whose flush takes time.
#[derive(Debug)]
struct SlowFlush;

impl Exporter for SlowFlush {
    async fn export(&self, _: Payload, _: Deadline) -> Outcome {
        Outcome::delivered()
    }

    async fn force_flush(&self, _: Deadline) -> Result<(), ExportError> {
        sleep(2 * SECOND).await;
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_of_the_exporter_that_is_under_way_is_not_lost_at_shutdown() {
    let (pipeline, mut worker) =
        Pipeline::unstarted(Signal::Traces, resource(), SlowFlush, config());
    let test = async {
        let flush = pipeline.force_flush_async(10 * SECOND);
        let shutdown = async {
            settle().await;
            pipeline.shutdown_async(SECOND).await
        };
        tokio::join!(flush, shutdown)
    };
    let ((flushed, shut), ()) = tokio::join!(test, worker.run());
    assert!(flushed.is_ok() && shut.is_ok(), "{flushed:?} {shut:?}");
}

// C10 in small: backoff is for an outage that we mean to outlive.
#[tokio::test(start_paused = true)]
async fn shutdown_during_backoff_knocks_once_more_at_once() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with((0..8).map(|_| busy().into()));
        bench.end(10);
        bench.exporter.finished_reach(8).await;
        settle().await;
        let begun = Instant::now();
        bench.shutdown().await.unwrap();
        assert_eq!((begun.elapsed(), bench.pipeline.ledger().delivered), (Duration::ZERO, 10));
    })
    .await;
}

// B2
#[tokio::test(start_paused = true)]
async fn shutdown_keeps_to_the_patience_that_the_server_asked_for() {
    for (asked, delivered) in [(2, 10), (60, 0)] {
        Bench::run(config(), |bench| async move {
            bench.exporter.respond_with([busy_for(Duration::from_secs(asked)).into()]);
            bench.end(10);
            bench.exporter.finished_reach(1).await;
            settle().await;
            let begun = Instant::now();
            let result = bench.shutdown().await;
            let ledger = bench.pipeline.ledger();
            assert_eq!((result.is_ok(), ledger.delivered), (delivered == 10, delivered));
            assert_eq!(ledger.dropped(DropReason::ShutdownTimeout), 10 - delivered);
            assert!(
                begun.elapsed() < 3 * SECOND,
                "no waiting for what cannot come: {:?}",
                begun.elapsed()
            );
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_is_dropped_before_its_end_leaves_nothing_uncounted() {
    let exporter = ScriptedExporter::new();
    let config = config();
    let (pipeline, worker) = Pipeline::unstarted(Signal::Traces, resource(), exporter, config);
    let (slot, scope) = (pipeline.register_thread(), scope("test"));
    let end = || pipeline.append(&slot, &TestItem::named("x"), &scope);
    (0..15).for_each(|_| end());
    drop(worker);
    (0..5).for_each(|_| end());
    let ledger = pipeline.ledger();
    assert_eq!(
        (ledger.dropped(DropReason::NoWorker), ledger.held, ledger.unaccounted()),
        (20, 0, 0)
    );
    for result in [
        pipeline.force_flush(SECOND),
        pipeline.shutdown(SECOND),
        pipeline.force_flush_async(SECOND).await,
    ] {
        let error = result.unwrap_err();
        assert_eq!(error.to_string(), "the export thread could not be started");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_waits_for_the_first_within_its_own_deadline() {
    Bench::run(config(), |bench| async move {
        let gate = Gate::new();
        bench.exporter.respond_with([Step::Hold(gate.clone(), Outcome::delivered())]);
        bench.end(3);
        let first = bench.pipeline.shutdown_async(60 * SECOND);
        let hasty = bench.pipeline.shutdown_async(SECOND);
        let patient = bench.pipeline.shutdown_async(60 * SECOND);
        let later = async {
            sleep(5 * SECOND).await;
            gate.open();
        };
        let (first, hasty, patient, ()) = tokio::join!(first, hasty, patient, later);
        assert!(matches!(hasty, Err(PipelineError::Timeout { held: 3, .. })), "{hasty:?}");
        assert!(first.is_ok() && patient.is_ok(), "{first:?} {patient:?}");
        assert_eq!(bench.pipeline.ledger().delivered, 3);
        let flush = bench.pipeline.force_flush_async(SECOND).await;
        assert!(matches!(flush, Err(PipelineError::AlreadyShutdown)), "{flush:?}");
    })
    .await;
}

/// An exporter that blocks the worker's thread, against its contract.
#[derive(Debug)]
struct Blocks(std::sync::Mutex<std::sync::mpsc::Receiver<()>>);

impl Exporter for Blocks {
    async fn export(&self, _: Payload, _: Deadline) -> Outcome {
        let _ = self.0.lock().unwrap().recv();
        Outcome::delivered()
    }
}

#[test]
fn an_exporter_that_blocks_the_worker_does_not_hold_up_callers() {
    let (release, blocked) = std::sync::mpsc::channel();
    let exporter = Blocks(std::sync::Mutex::new(blocked));
    let (pipeline, started) = Pipeline::spawn(Signal::Traces, resource(), exporter, config());
    started.unwrap();
    let (slot, scope) = (pipeline.register_thread(), scope("test"));
    let end = |count: usize| {
        (0..count).for_each(|_| pipeline.append(&slot, &TestItem::named("x"), &scope));
    };
    end(10);
    let soon = Duration::from_millis(50);
    let timed_out = |result| matches!(result, Err(PipelineError::Timeout { held: 10, .. }));
    assert!(timed_out(pipeline.force_flush(soon)));
    // Without any runtime, so nothing but our own thread can wake this.
    assert!(timed_out(block_on(pipeline.force_flush_async(soon))));
    assert!(timed_out(pipeline.shutdown(soon)));
    end(3);
    let ledger = pipeline.ledger();
    assert_eq!((ledger.dropped(DropReason::AfterShutdown), ledger.unaccounted()), (3, 0));
    drop(release);
}

#[test]
fn flushes_that_nobody_awaits_are_bounded_and_a_shutdown_still_finds_a_place() {
    let (release, blocked) = std::sync::mpsc::channel();
    let exporter = Blocks(std::sync::Mutex::new(blocked));
    let (pipeline, started) = Pipeline::spawn(Signal::Traces, resource(), exporter, config());
    started.unwrap();
    let (slot, scope) = (pipeline.register_thread(), scope("test"));
    pipeline.append(&slot, &TestItem::named("x"), &scope);
    let ask = || pipeline.force_flush_async(SECOND).now_or_never();
    let refused = |answer| matches!(answer, Some(Err(PipelineError::TooManyCalls { .. })));
    // The first blocks the worker in the exporter; what is asked from then on is not answered.
    let mut taken = 0;
    while !refused(ask()) {
        taken += 1;
        assert!(taken < 100_000, "there is no bound");
    }
    assert!(taken >= 1024);
    let shut_down = pipeline.shutdown(Duration::from_millis(1));
    assert!(matches!(shut_down, Err(PipelineError::Timeout { .. })));
    drop(release);
    // The worker answers them all, and every place is free again.
    while !matches!(pipeline.force_flush(SECOND), Err(PipelineError::AlreadyShutdown)) {
        std::thread::yield_now();
    }
}

/// Runs a future on this thread without a runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::task::Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    let mut future = std::pin::pin!(future);
    loop {
        if let std::task::Poll::Ready(value) =
            future.as_mut().poll(&mut std::task::Context::from_waker(&waker))
        {
            return value;
        }
        std::thread::park();
    }
}

/// Flushes from within an export.
#[derive(Debug, Default)]
struct Reentrant(std::sync::Arc<std::sync::OnceLock<Pipeline>>);

impl Exporter for Reentrant {
    async fn export(&self, _: Payload, _: Deadline) -> Outcome {
        let error = self.0.get().unwrap().force_flush(Duration::from_secs(3600)).unwrap_err();
        Outcome::permanent(ExportError::new(ErrorKind::Other, error.to_string()))
    }
}

#[test]
fn a_flush_on_the_workers_own_thread_is_refused() {
    let exporter = Reentrant::default();
    let own = std::sync::Arc::clone(&exporter.0);
    let (pipeline, started) = Pipeline::spawn(Signal::Traces, resource(), exporter, config());
    started.unwrap();
    own.set(pipeline.clone()).unwrap();
    pipeline.append(&pipeline.register_thread(), &TestItem::named("x"), &scope("test"));
    let error = pipeline.shutdown(Duration::from_secs(30)).unwrap_err();
    assert!(error.to_string().contains("worker's own thread"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn settings_that_are_zero_or_one_work() {
    let mut tiny = BatchConfig::simple().with_max_queue_size(1);
    tiny.max_concurrent_exports = NonZeroUsize::MIN;
    Bench::run(tiny, |bench| async move {
        for number in 1..=5 {
            bench.end(1);
            bench.exporter.delivered_reach(number).await;
            settle().await;
        }
        assert_eq!(bench.dropped(DropReason::QueueFull), 0);
        advance(SECOND).await;
    })
    .await;
    Bench::run(config().with_max_queue_bytes(0), |bench| async move {
        bench.end(5);
        let error = bench.flush().await.unwrap_err();
        assert!(matches!(error, PipelineError::Lost { lost: 5, .. }), "{error}");
        assert_eq!(bench.dropped(DropReason::QueueFull), 5);
    })
    .await;
}
