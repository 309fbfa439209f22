//! What becomes of requests that fail.

use super::*;

/// When each attempt began, in milliseconds since the first one.
fn attempts(exporter: &ScriptedExporter, timeout: Duration) -> Vec<u128> {
    let deadlines: Vec<_> =
        exporter.deadlines().into_iter().map(|at| at.instant().unwrap() - timeout).collect();
    deadlines.iter().map(|at| at.duration_since(deadlines[0]).as_millis()).collect()
}

// B1
#[tokio::test(start_paused = true)]
async fn retries_back_off_up_to_the_cap_and_start_anew_after_an_answer() {
    Bench::run(config(), |bench| async move {
        let steps: Vec<Step> = (0..8).map(|_| busy().into()).collect();
        bench.exporter.respond_with(steps);
        bench.end(10);
        bench.exporter.delivered_reach(10).await;
        let at = attempts(&bench.exporter, 30 * SECOND);
        let gaps: Vec<_> = at.windows(2).map(|two| two[1] - two[0]).collect();
        assert_eq!(gaps, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
        bench.exporter.respond_with([busy().into()]);
        let begun = Instant::now();
        bench.end(10);
        bench.exporter.delivered_reach(20).await;
        assert_eq!(begun.elapsed(), SECOND / 2);
    })
    .await;
}

// B1
#[tokio::test(start_paused = true)]
async fn delays_are_drawn_at_random_within_their_share() {
    let config = config().with_retry(RetryPolicy::default());
    Bench::run(config, |bench| async move {
        let mut seen = std::collections::HashSet::new();
        for round in 1..=20 {
            bench.exporter.respond_with([busy().into()]);
            let begun = Instant::now();
            bench.end(10);
            bench.exporter.delivered_reach(round * 10).await;
            let waited = begun.elapsed();
            assert!(waited >= SECOND / 4 && waited <= SECOND / 2 + SECOND / 1000, "{waited:?}");
            seen.insert(waited);
        }
        assert!(seen.len() > 3, "{seen:?}");
    })
    .await;
}

// B2, G6, H7
#[tokio::test(start_paused = true)]
async fn the_delay_of_the_server_is_kept_and_capped() {
    for (asked, waited) in [(7, 7..8), (1 << 63, 300..301), (u64::MAX, 300..301)] {
        let mut config = config();
        config.retry.max_elapsed = None;
        Bench::run(config, |bench| async move {
            bench.exporter.respond_with([busy_for(Duration::from_secs(asked)).into()]);
            bench.end(10);
            let begun = Instant::now();
            bench.exporter.delivered_reach(10).await;
            assert!(waited.contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_is_given_up_when_its_time_is_over() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_by(|_| busy().into());
        bench.end(10);
        sleep(610 * SECOND).await;
        assert_eq!(bench.dropped(DropReason::RetriesExhausted), 10);
        let last = attempts(&bench.exporter, 30 * SECOND).pop().unwrap();
        assert!((540_000..600_000).contains(&last), "the last attempt began at {last} ms");
        bench.exporter.respond_with([]);
        bench.end(10);
        bench.exporter.delivered_reach(10).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_time_for_retries_of_each_request_is_its_own() {
    let policy = steady().with_max_elapsed(Some(60 * SECOND));
    Bench::run(config().with_retry(policy), |bench| async move {
        bench.exporter.respond_by(|_| busy().into());
        bench.end(20);
        sleep(60 * SECOND).await;
        let lost = || bench.dropped(DropReason::RetriesExhausted);
        assert_eq!((lost(), bench.exporter.exports()), (10, 7), "the second waits untried");
        sleep(30 * SECOND).await;
        assert_eq!((lost(), bench.exporter.exports()), (10, 8));
        sleep(60 * SECOND).await;
        assert_eq!(lost(), 20);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn without_retries_the_first_failure_is_the_last() {
    Bench::run(config().with_retry(RetryPolicy::never()), |bench| async move {
        bench.exporter.respond_with([busy().into()]);
        bench.end(10);
        bench.exporter.finished_reach(1).await;
        settle().await;
        assert_eq!(bench.dropped(DropReason::RetriesExhausted), 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_the_server_is_in_trouble_one_request_probes_it() {
    Bench::run(config().with_max_concurrent_exports(4), |bench| async move {
        let gate = Gate::new();
        let hold = |_| Step::Hold(gate.clone(), busy());
        bench.exporter.respond_with((0..4).map(hold));
        bench.end(100);
        bench.exporter.concurrent_reach(4).await;
        let probe = Gate::new();
        bench.exporter.respond_with([Step::Hold(probe.clone(), Outcome::delivered())]);
        gate.open();
        bench.exporter.exports_reach(5).await;
        sleep(20 * SECOND).await;
        assert_eq!((bench.exporter.exports(), bench.exporter.concurrent()), (5, 1));
        probe.open();
        bench.exporter.delivered_reach(100).await;
        assert_eq!(bench.pipeline.ledger().delivered, 100);
        let names: std::collections::HashSet<_> = bench.names().into_iter().collect();
        assert_eq!(names.len(), 100, "each once");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_worker_sleeps_while_the_throttle_keeps_work_waiting() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with([busy_for(100 * SECOND).into()]);
        bench.end(50);
        bench.exporter.finished_reach(1).await;
        settle().await;
        let before = bench.pipeline.wakes();
        sleep(99 * SECOND).await;
        let wakes = bench.pipeline.wakes() - before;
        assert!(wakes <= 21, "woken {wakes} times in 99 s of waiting, ticks are 5 s");
        bench.exporter.delivered_reach(50).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_permanent_error_drops_the_request_at_once() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with([refused().into()]);
        bench.end(20);
        bench.exporter.delivered_reach(10).await;
        assert_eq!(bench.dropped(DropReason::PermanentError), 10);
        assert_eq!(bench.names(), numbers(10..20));
    })
    .await;
}

// W10
#[tokio::test(start_paused = true)]
async fn a_partial_rejection_is_counted_and_never_sent_again() {
    Bench::run(config(), |bench| async move {
        let partly = Outcome::partly_rejected(4, "no\nthanks".to_owned());
        bench.exporter.respond_with([partly.into()]);
        bench.end(10);
        let error = bench.flush().await.unwrap_err().to_string();
        assert_eq!(
            error,
            "4 items were not delivered (rejected 4); \
             last error: the server rejected 4 items: no\\nthanks"
        );
        let ledger = bench.pipeline.ledger();
        assert_eq!((ledger.delivered, ledger.rejected, bench.exporter.exports()), (6, 4, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_too_large_is_halved_down_to_the_item_that_is_at_fault() {
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_by(|payload| {
            let spans = otlp_testing::oracle::Message::of(payload).unwrap().spans();
            let large = spans.iter().any(|span| span.name() == "6");
            let error = ExportError::new(ErrorKind::HttpStatus(413), "too large");
            if large { Outcome::TooLarge { error }.into() } else { Outcome::delivered().into() }
        });
        bench.end(10);
        let error = bench.flush().await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "1 item was not delivered (too_large 1); last error: too large"
        );
        assert_eq!(bench.dropped(DropReason::TooLarge), 1);
        let mut names = bench.names();
        names.sort();
        assert_eq!(names, [numbers(0..6), numbers(7..10)].concat());
        // Room for as much as before: what was reserved for the halves came back.
        bench.exporter.respond_with([]);
        bench.end(10);
        bench.flush().await.unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_cannot_be_cut_is_dropped_as_a_failure_of_the_encoder() {
    Bench::run(config(), |bench| async move {
        let error = ExportError::new(ErrorKind::HttpStatus(413), "too large");
        bench.exporter.respond_with([Outcome::TooLarge { error }.into()]);
        bench.end(2);
        bench.end_broken();
        let error = bench.flush().await.unwrap_err().to_string();
        assert!(error.contains("3 items were not delivered (encoder_failure 3)"), "{error}");
        assert!(error.contains("too large"), "{error}");
        assert_eq!(bench.dropped(DropReason::EncoderFailure), 3);
        // The pipeline goes on.
        bench.end(1);
        bench.flush().await.unwrap();
    })
    .await;
}

// S1
#[tokio::test(start_paused = true)]
async fn a_thousand_panics_in_a_row_cost_their_requests_and_nothing_else() {
    quiet_panics();
    Bench::run(config(), |bench| async move {
        bench.exporter.respond_with((0..1000).map(|_| Step::Panic("boom")));
        for _ in 0..10 {
            bench.end(1000);
            let error = bench.flush().await.unwrap_err().to_string();
            assert_eq!(
                error,
                "1000 items were not delivered (exporter_panic 1000); \
                 last error: the exporter panicked: boom"
            );
        }
        bench.end(5);
        bench.flush().await.unwrap();
        let ledger = bench.pipeline.ledger();
        assert_eq!((ledger.panics, bench.exporter.exports()), (1000, 1001));
        assert_eq!((ledger.dropped(DropReason::ExporterPanic), ledger.delivered), (10_000, 5));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_exporter_that_hangs_is_cut_off_at_its_deadline_and_tried_again() {
    Bench::run(config().with_export_timeout(10 * SECOND), |bench| async move {
        bench.exporter.respond_with([Step::Hang]);
        bench.end(10);
        let begun = Instant::now();
        bench.exporter.delivered_reach(10).await;
        assert_eq!(begun.elapsed(), 10 * SECOND + SECOND / 10 + SECOND / 2);
        assert_eq!(bench.pipeline.ledger().delivered, 10);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_hang_is_told_with_destination_and_time() {
    let config = config().with_export_timeout(10 * SECOND).with_retry(RetryPolicy::never());
    Bench::run(config, |bench| async move {
        bench.exporter.respond_with([Step::Hang]);
        bench.end(10);
        let error = bench.flush().await.unwrap_err();
        assert!(
            error.to_string().ends_with("last error: no answer from scripted_exporter within 10s"),
            "{error}"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_after_the_deadline_is_no_answer() {
    let config = config().with_export_timeout(10 * SECOND);
    Bench::run(config, |bench| async move {
        bench.exporter.respond_with([
            Step::Delay(11 * SECOND, Outcome::delivered()),
            Step::UntilDeadline,
            Step::Delay(10 * SECOND + SECOND / 20, Outcome::delivered()),
        ]);
        bench.end(10);
        bench.exporter.delivered_reach(10).await;
        settle().await;
        // The last one was late by less than the moment that we grant.
        assert_eq!((bench.exporter.exports(), bench.exporter.finished()), (3, 3));
        assert_eq!(bench.pipeline.ledger().delivered, 10);
    })
    .await;
}

// OTEL_BSP_EXPORT_TIMEOUT=0
#[tokio::test(start_paused = true)]
async fn without_an_export_timeout_an_attempt_may_take_for_ever() {
    Bench::run(config().with_export_timeout(Duration::ZERO), |bench| async move {
        bench.exporter.respond_with([Step::Delay(7200 * SECOND, Outcome::delivered())]);
        bench.end(10);
        bench.exporter.delivered_reach(10).await;
        assert_eq!(
            (bench.exporter.deadlines(), bench.exporter.exports()),
            (vec![Deadline::NEVER], 1)
        );
    })
    .await;
}

/// Panics wherever a user's exporter can.
#[derive(Debug)]
struct Hostile;

/// Something that an exporter holds while it waits.
struct PanicsOnDrop;

impl Drop for PanicsOnDrop {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("dropped");
        }
    }
}

impl Exporter for Hostile {
    async fn export(&self, _: Payload, _: Deadline) -> Outcome {
        let _held = PanicsOnDrop;
        std::future::pending().await
    }

    async fn force_flush(&self, _: Deadline) -> Result<(), ExportError> {
        panic!("flushed");
    }

    fn shutdown(&self, _: Deadline) -> impl Future<Output = Result<(), ExportError>> + Send {
        if !std::thread::panicking() {
            panic!("shut down");
        }
        std::future::ready(Ok(()))
    }

    fn component_type(&self) -> &'static str {
        panic!("what am I?");
    }
}

#[tokio::test(start_paused = true)]
async fn an_exporter_may_panic_in_every_call_and_destructor() {
    quiet_panics();
    let config = config()
        .with_export_timeout(SECOND)
        .with_retry(RetryPolicy::never())
        .with_max_concurrent_exports(3);
    let (pipeline, mut worker) = Pipeline::unstarted(Signal::Traces, resource(), Hostile, config);
    let (slot, scope) = (pipeline.register_thread(), scope("test"));
    let end = |count: usize| {
        (0..count).for_each(|_| pipeline.append(&slot, &TestItem::named("x"), &scope));
    };
    let test = async {
        end(15);
        let error = pipeline.force_flush_async(10 * SECOND).await.unwrap_err();
        assert!(matches!(error, PipelineError::Lost { lost: 15, .. }), "{error}");
        let error = pipeline.force_flush_async(10 * SECOND).await.unwrap_err();
        assert!(matches!(error, PipelineError::Exporter(_)), "{error}");
        end(35);
        let error = pipeline.shutdown_async(SECOND / 2).await.unwrap_err();
        assert!(matches!(error, PipelineError::Timeout { held: 35, .. }), "{error}");
    };
    tokio::join!(test, worker.run());
    drop(worker);
    let ledger = pipeline.ledger();
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");
    assert_eq!(
        (ledger.dropped(DropReason::ExporterPanic), ledger.dropped(DropReason::ShutdownTimeout)),
        (15, 35)
    );
    assert!(ledger.panics > 5, "{} panics", ledger.panics);
}

/// Keeps panics that are meant out of the test's output.
fn quiet_panics() {
    use std::sync::Once;
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let text = info.payload().downcast_ref::<&str>().copied().unwrap_or_default();
            if !["boom", "dropped", "flushed", "shut down", "what am I?"].contains(&text) {
                before(info);
            }
        }));
    });
}

#[tokio::test(start_paused = true)]
async fn the_cap_on_the_delay_of_a_server_is_the_documented_one() {
    assert_eq!(SERVER_DELAY_MAX, 300 * SECOND);
}
