//! What the ledger says of what was brought, whatever becomes of it.

use otlp_testing::Step;

use super::*;

const FILTERED: &str = "
    receivers: {otlp: }
    processors: {filter: {spans: {exclude: {match_type: strict, span_names: [health]}}}}
    exporters: {nop: }
    service::pipelines::traces: {receivers: [otlp], processors: [filter], exporters: [nop]}
";

const FAN_OUT: &str = "
    receivers: {otlp: }
    exporters: {nop/one: , nop/two: }
    service::pipelines::traces: {receivers: [otlp], exporters: [nop/one, nop/two]}
";

/// The last line, which has everything.
fn total(ledger: &Ledger) -> String {
    ledger.to_string().lines().last().unwrap().to_owned()
}

#[tokio::test(start_paused = true)]
async fn everything_that_came_was_sent_dropped_or_refused() {
    let bench = Bench::of(FILTERED);
    let collector = bench.start().await;
    assert!(is_delivered(&bench.inlet.bring(&["buy", "health"]).await));
    bench.exporter("nop").respond_with([busy().into()]);
    // Refused as a whole, the health check in it with it.
    assert!(!is_delivered(&bench.inlet.bring(&["sell", "health"]).await));
    assert!(is_delivered(&bench.inlet.bring(&["sell", "health"]).await));
    let ledger = collector.stop(within(SECOND)).await;
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");
    let text = "all: received 6 = sent 2 + refused 2 + dropped 2 (filter: filtered 2) + held 0; unaccounted=0";
    assert_eq!(total(&ledger), text);
}

#[tokio::test(start_paused = true)]
async fn what_a_queue_took_and_nobody_received_has_failed() {
    let bench = Bench::of(&FILTERED.replace("nop", "debug"));
    let collector = bench.start().await;
    let bad = Outcome::permanent(ExportError::new(ErrorKind::HttpStatus(400), "bad"));
    let partly = Outcome::partly_rejected(1, "no".to_owned());
    bench.exporter("debug").respond_with([bad.into(), partly.into()]);
    for _ in 0..3 {
        assert!(is_delivered(&bench.inlet.bring(&["buy", "sell"]).await));
    }
    let ledger = collector.stop(within(SECOND)).await;
    let text = "all: received 6 = sent 3 + refused 0 + dropped 0 + rejected 1 + failed 2 + held 0; unaccounted=0";
    assert_eq!(total(&ledger), text);
}

#[tokio::test(start_paused = true)]
async fn what_goes_to_two_counts_twice_and_what_one_of_them_never_takes_is_lost() {
    let bench = Bench::of(FAN_OUT);
    let collector = bench.start().await;
    let bad = Outcome::permanent(ExportError::new(ErrorKind::HttpStatus(400), "bad"));
    bench.exporter("nop/two").respond_with([bad.into(), busy().into()]);
    for _ in 0..3 {
        assert!(is_delivered(&bench.inlet.bring(&["buy"]).await));
    }
    assert_eq!(bench.exporter("nop/one").exports(), 3, "a healthy branch sees nothing twice");
    let ledger = collector.stop(within(SECOND)).await;
    let text = "all: received 3 + copied 3 = sent 5 + refused 0 + dropped 0 + lost 1 + held 0; unaccounted=0";
    assert_eq!(total(&ledger), text);
    assert_eq!(ledger.lost[0].to, "nop/two");
}

#[tokio::test(start_paused = true)]
async fn what_passes_a_connector_is_followed_to_its_end() {
    let bench = Bench::of(
        "
        receivers: {otlp: }
        processors: {filter: {spans: {exclude: {match_type: strict, span_names: [health]}}}}
        connectors: {forward: }
        exporters: {nop: , debug: }
        service:
          pipelines:
            traces/in: {receivers: [otlp], exporters: [forward, nop]}
            traces/all: {receivers: [forward], exporters: [nop]}
            traces/some: {receivers: [forward], processors: [filter], exporters: [debug]}
        ",
    );
    let collector = bench.start().await;
    assert!(is_delivered(&bench.inlet.bring(&["buy", "health"]).await));
    bench.exporter("nop").respond_with([busy().into(), busy().into()]);
    assert!(is_delivered(&bench.inlet.bring(&["sell"]).await));
    let ledger = collector.stop(within(SECOND)).await;
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");
    let text = "all: received 3 + copied 6 = sent 8 + refused 0 + dropped 1 (filter: filtered 1) + held 0; \
                unaccounted=0";
    assert_eq!(total(&ledger), text, "{ledger}");
    assert_eq!(bench.exporter("nop").delivered(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_goes_away_leaves_its_batch_to_be_finished() {
    let bench = Bench::of(FILTERED);
    let collector = bench.start().await;
    let gate = otlp_testing::Gate::new();
    bench.exporter("nop").respond_with([Step::Hold(gate.clone(), Outcome::delivered())]);
    let consumer = bench.inlet.consumer();
    let gone = tokio::time::timeout(SECOND, consumer.consume(batch(&["buy"]), Deadline::NEVER));
    assert!(gone.await.is_err());
    let status = collector.board().status();
    assert_eq!(status.pipelines[0].counts.held, 1);
    gate.open();
    let ledger = collector.stop(within(SECOND)).await;
    assert_eq!(ledger.pipelines[0].counts.taken, 1, "{ledger}");
    assert_eq!((ledger.exporters[0].account.sent, ledger.unaccounted()), (1, 0), "{ledger}");
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_refusal_and_the_next_batch_passes() {
    #[derive(Debug)]
    struct Panics;
    impl crate::consumer::Consumer for Panics {
        fn consume(&self, _: Batch, _: Deadline) -> crate::consumer::Answer<'_> {
            panic!("a component of the test")
        }
    }
    let entrance = super::super::entrance::Entrance::new(Arc::new(Panics));
    let consumer: &dyn crate::consumer::Consumer = &entrance;
    let outcome = consumer.consume(batch(&["buy"]), Deadline::NEVER).await;
    assert!(matches!(outcome, Outcome::Permanent { .. }), "{outcome:?}");
    let counts = entrance.gate().counts();
    assert_eq!((counts.refused, counts.held, counts.panics), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_status_says_what_goes_wrong_and_where() {
    let bench = Bench::of(FILTERED);
    let collector = bench.start().await;
    assert!(is_delivered(&bench.inlet.bring(&["buy"]).await));
    assert!(collector.board().status().pipelines[0].is_ready());
    bench.exporter("nop").respond_by(|_| busy().into());
    bench.inlet.bring(&["buy"]).await.error().unwrap();
    tokio::time::sleep(31 * SECOND).await;
    bench.inlet.bring(&["buy"]).await.error().unwrap();
    let status = collector.board().status();
    let problem = status.pipelines[0].problem.clone().unwrap();
    assert!(problem.starts_with("the exporter \"nop\" has failed for 31 s: "), "{problem}");
    assert!(problem.ends_with("busy"), "{problem}");
    assert_eq!(status.pipelines[0].counts.refused, 2);
    drop(collector);
}

#[tokio::test(start_paused = true)]
async fn what_a_receiver_brings_to_two_pipelines_comes_once_however_often_it_is_offered() {
    let bench = Bench::of(
        "
        receivers: {otlp: }
        exporters: {nop/alive: , nop/dead: }
        service:
          pipelines:
            traces/a: {receivers: [otlp], exporters: [nop/alive]}
            traces/b: {receivers: [otlp], exporters: [nop/dead]}
        ",
    );
    let collector = bench.start().await;
    bench.exporter("nop/dead").respond_with([busy().into(), busy().into(), busy().into()]);
    assert!(is_delivered(&bench.inlet.bring(&["late"]).await));
    bench.exporter("nop/dead").respond_by(|_| busy().into());
    assert!(is_delivered(&bench.inlet.bring(&["lost"]).await));
    let ledger = collector.stop(within(SECOND)).await;
    let text = "all: received 4 = sent 3 + refused 0 + dropped 0 + lost 1 + held 0; unaccounted=0";
    assert_eq!(total(&ledger), text, "{ledger}");
    let dead = ledger.exporters.iter().find(|it| it.id.to_string() == "nop/dead").unwrap();
    assert_eq!((dead.account.received, dead.account.returned), (2, 1), "{ledger}");
}

/// Takes everything for good, hands it on, and keeps no books.
#[derive(Debug)]
struct Leak(SharedConsumer);

impl crate::consumer::Consumer for Leak {
    fn consume(&self, batch: Batch, deadline: Deadline) -> crate::consumer::Answer<'_> {
        Box::pin(async move {
            if batch.payload().items() > 1 {
                return Outcome::delivered();
            }
            self.0.consume(batch, deadline).await
        })
    }
}

impl Running for Leak {}

impl crate::component::Node for Leak {}

/// A processor that loses things.
#[derive(Debug)]
struct Leaky;

impl crate::component::Processor for Leaky {
    fn start(
        &self,
        _host: &Host,
        _signal: Signal,
        next: SharedConsumer,
    ) -> Result<Arc<dyn crate::component::Node>, BoxError> {
        Ok(Arc::new(Leak(next)))
    }
}

#[tokio::test(start_paused = true)]
async fn a_component_that_loses_items_is_found_out() {
    let mut bench = Bench::of(FILTERED);
    for it in &mut bench.blueprint.processors {
        it.component = Box::new(Leaky);
    }
    let collector = bench.start().await;
    assert!(is_delivered(&bench.inlet.bring(&["buy"]).await));
    assert!(is_delivered(&bench.inlet.bring(&["sell", "sell"]).await));
    let ledger = collector.stop(within(SECOND)).await;
    assert_eq!(ledger.unaccounted(), 2, "{ledger}");
}

#[tokio::test(start_paused = true)]
async fn a_branch_behind_a_connector_that_answers_late_is_counted_by_what_it_answers() {
    for (answer, of_all) in [
        (Outcome::delivered(), "sent 4 + refused 0 + dropped 0 + held 0"),
        (busy(), "sent 2 + refused 0 + dropped 0 + lost 2 + held 0"),
    ] {
        let bench = Bench::of(
            "
            receivers: {otlp: }
            connectors: {forward: }
            exporters: {nop/fast: , nop/slow: }
            service:
              pipelines:
                traces/in: {receivers: [otlp], exporters: [forward, nop/fast]}
                traces/behind: {receivers: [forward], exporters: [nop/slow]}
            ",
        );
        let collector = bench.start().await;
        let step = Step::Delay(crate::fan_out::FanOut::PATIENCE + SECOND, answer);
        bench.exporter("nop/slow").respond_by(move |_| step.clone());
        for _ in 0..2 {
            assert!(is_delivered(&bench.inlet.bring(&["buy"]).await));
        }
        let ledger = collector.stop(within(60 * SECOND)).await;
        let text = format!("all: received 2 + copied 2 = {of_all}; unaccounted=0");
        assert_eq!(total(&ledger), text, "{ledger}");
    }
}
