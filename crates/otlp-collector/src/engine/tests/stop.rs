//! How a collector ends, and how one that cannot start leaves nothing behind.

use otlp_testing::{Gate, Step};

use super::*;

const PLAIN: &str = "
    receivers: {otlp: }
    exporters: {debug: }
    service::pipelines::traces: {receivers: [otlp], exporters: [debug]}
";

#[tokio::test(start_paused = true)]
async fn what_waits_at_the_end_is_sent() {
    let bench = Bench::of(PLAIN);
    let collector = bench.start().await;
    let exporter = bench.exporter("debug");
    exporter.respond_by(|_| Step::Delay(SECOND, Outcome::delivered()));
    for _ in 0..30 {
        assert!(is_delivered(&bench.inlet.bring(&["buy"]).await));
    }
    let ledger = collector.stop(within(20 * SECOND)).await;
    assert_eq!((ledger.exporters[0].account.sent, ledger.unaccounted()), (30, 0), "{ledger}");
    assert_eq!(exporter.shutdowns(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_end_that_comes_too_early_is_told_in_numbers() {
    let bench = Bench::of(PLAIN);
    let collector = bench.start().await;
    bench.exporter("debug").respond_by(|_| Step::Hang);
    for _ in 0..30 {
        assert!(is_delivered(&bench.inlet.bring(&["buy"]).await));
    }
    let begun = tokio::time::Instant::now();
    let ledger = collector.stop(within(3 * SECOND)).await;
    assert!(begun.elapsed() <= 5 * SECOND, "{:?}", begun.elapsed());
    let account = ledger.exporters[0].account;
    assert_eq!((account.failed, account.held, ledger.unaccounted()), (30, 0, 0), "{ledger}");
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_without_a_queue_is_answered_before_the_end() {
    let bench = Bench::of(&PLAIN.replace("debug", "nop"));
    let collector = bench.start().await;
    let gate = Gate::new();
    bench.exporter("nop").respond_with([Step::Hold(gate.clone(), Outcome::delivered())]);
    let inlet = bench.inlet.clone();
    let brought = tokio::spawn(async move { inlet.bring(&["buy"]).await });
    let stopping = async {
        tokio::time::sleep(SECOND).await;
        let stopping = collector.stop(within(10 * SECOND));
        let opening = async {
            tokio::time::sleep(SECOND).await;
            gate.open();
        };
        futures_util::future::join(stopping, opening).await.0
    };
    let ledger = stopping.await;
    assert!(is_delivered(&brought.await.unwrap()));
    assert_eq!((ledger.exporters[0].account.sent, ledger.unaccounted()), (1, 0), "{ledger}");
    let late = bench.inlet.bring(&["late"]).await;
    assert!(matches!(late, Outcome::Retryable { .. }), "{late:?}");
}

#[tokio::test]
async fn a_collector_that_cannot_start_leaves_no_listener_behind() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let (taken_at, free_at) = (taken.local_addr().unwrap(), free.local_addr().unwrap());
    drop(free);
    let yaml = format!(
        "
        receivers:
          otlp/one: {{protocols: {{grpc: {{endpoint: '{free_at}'}}}}}}
          otlp/two: {{protocols: {{http: {{endpoint: '{taken_at}'}}}}}}
        exporters: {{nop: }}
        service::pipelines::traces: {{receivers: [otlp/one, otlp/two], exporters: [nop]}}
        "
    );
    let config = Config::load_with(&[Source::Yaml(yaml)], &|_| None).unwrap();
    let blueprint = Blueprint::new(&config.settings, &Registry::standard()).unwrap();
    let error = blueprint.start(Budget::new(1 << 20)).await.unwrap_err().to_string();
    assert!(error.starts_with("receiver \"otlp/two\" does not start: "), "{error}");
    assert!(error.contains(&taken_at.to_string()), "{error}");
    std::net::TcpListener::bind(free_at).expect("the first receiver has ended");
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_an_exporter_that_hangs_is_answered_before_the_end() {
    let bench = Bench::of(&PLAIN.replace("debug", "nop"));
    let collector = bench.start().await;
    bench.exporter("nop").respond_by(|_| Step::Hang);
    let inlet = bench.inlet.clone();
    let brought = tokio::spawn(async move {
        let answer = inlet.bring(&["buy"]).await;
        (answer, tokio::time::Instant::now())
    });
    bench.exporter("nop").exports_reach(1).await;
    let begun = tokio::time::Instant::now();
    let ledger = collector.stop(within(4 * SECOND)).await;
    let (answer, at) = brought.await.unwrap();
    assert!(matches!(answer, Outcome::Retryable { .. }), "{answer:?}");
    assert!(at - begun < 2 * SECOND, "while receivers still had time: {:?}", at - begun);
    assert_eq!((ledger.exporters[0].account.returned, ledger.unaccounted()), (1, 0), "{ledger}");
}
