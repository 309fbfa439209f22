//! What is reserved for items comes back whole, however they end.

use std::sync::Arc;

use otlp_core::wire::envelope::ScopeHeader;

use super::super::super::account::Ledger;
use super::super::Worker;
use super::*;

const ITEMS: usize = 200;

/// Scopes with headers of many sizes.
fn scopes() -> Vec<Arc<ScopeHeader>> {
    (0..7).map(|n| scope(&"s".repeat(n * n * 20))).collect()
}

/// Ends items of changing scopes, flushes and shuts down; then nothing may be reserved any more.
async fn end_all(config: BatchConfig, script: impl FnOnce(&ScriptedExporter)) -> Ledger {
    let exporter = ScriptedExporter::new();
    script(&exporter);
    let (pipeline, mut worker) =
        Pipeline::unstarted(Signal::Traces, resource(), exporter.clone(), config);
    let shared = Arc::clone(&worker.shared);
    let slot = pipeline.register_thread();
    let scopes = scopes();
    for n in 0..ITEMS {
        // Runs of one item, of several, and scopes that come back.
        let scope = &scopes[(n / 3 + n % 2) % scopes.len()];
        pipeline.append(&slot, &TestItem::named("x".repeat(n)), scope);
    }
    let reserved = || shared.intake.limits().bytes.used();
    assert!(reserved() > 0 || pipeline.ledger().held == 0);
    let calls = async {
        let _ = pipeline.force_flush_async(60 * SECOND).await;
        let _ = pipeline.shutdown_async(5 * SECOND).await;
    };
    tokio::join!(worker.run(), calls);
    let ledger = pipeline.ledger();
    assert_eq!((reserved(), ledger.held, ledger.unaccounted()), (0, 0, 0), "{ledger}");
    ledger
}

/// Gives every call the same answer.
fn always(outcome: impl Fn() -> Outcome + Send + 'static) -> impl FnOnce(&ScriptedExporter) {
    move |exporter| exporter.respond_by(move |_| outcome().into())
}

fn too_large() -> Outcome {
    Outcome::TooLarge { error: ExportError::new(ErrorKind::RequestTooLarge, "too large") }
}

#[tokio::test(start_paused = true)]
async fn room_comes_back_from_what_is_delivered_and_from_what_is_rejected() {
    assert_eq!(end_all(config(), |_| ()).await.delivered, ITEMS as u64);
    let some = || Outcome::partly_rejected(3, "some".to_owned());
    let ledger = end_all(config(), always(some)).await;
    assert_eq!((ledger.rejected, ledger.delivered), (60, 140));
}

#[tokio::test(start_paused = true)]
async fn room_comes_back_from_what_is_refused_and_from_what_panics() {
    let ledger = end_all(config(), always(refused)).await;
    assert_eq!(ledger.dropped(DropReason::PermanentError), ITEMS as u64);
    let panics = |exporter: &ScriptedExporter| exporter.respond_by(|_| Step::Panic("room"));
    let ledger = end_all(config(), panics).await;
    assert_eq!(ledger.dropped(DropReason::ExporterPanic), ITEMS as u64);
}

#[tokio::test(start_paused = true)]
async fn room_comes_back_from_halves_that_are_delivered_and_from_those_that_are_not() {
    let ledger = end_all(config(), always(too_large)).await;
    assert_eq!(ledger.dropped(DropReason::TooLarge), ITEMS as u64);
    // Of the first request one item is delivered at a time, and every other one refused.
    let mut calls = 0;
    let singles = move |payload: &Payload| {
        calls += 1;
        match payload.items() {
            1 if calls % 2 == 0 => refused().into(),
            1 => Outcome::delivered().into(),
            _ => too_large().into(),
        }
    };
    let ledger = end_all(config(), |exporter| exporter.respond_by(singles)).await;
    assert!(ledger.delivered > 0 && ledger.dropped(DropReason::PermanentError) > 0, "{ledger}");
}

#[tokio::test(start_paused = true)]
async fn room_comes_back_from_retries_that_end_well_and_from_those_that_do_not() {
    let mut calls = 0;
    let every_third = move |_: &Payload| {
        calls += 1;
        if calls % 3 == 0 { Outcome::delivered().into() } else { busy().into() }
    };
    let many = config().with_max_concurrent_exports(4);
    let ledger = end_all(many, |exporter| exporter.respond_by(every_third)).await;
    assert!(ledger.delivered > 0, "{ledger}");
    let mut impatient = config();
    impatient.retry.max_elapsed = Some(2 * SECOND);
    let ledger = end_all(impatient, always(busy)).await;
    assert!(ledger.dropped(DropReason::RetriesExhausted) > 0, "{ledger}");
}

#[tokio::test(start_paused = true)]
async fn room_comes_back_from_what_shutdown_finds_in_flight_waiting_and_queued() {
    let hangs = |exporter: &ScriptedExporter| {
        exporter.respond_with([busy().into(), busy().into()]);
        exporter.respond_by(|_| Step::Hang);
    };
    let ledger = end_all(config().with_max_concurrent_exports(3), hangs).await;
    assert_eq!(ledger.dropped(DropReason::ShutdownTimeout), ITEMS as u64);
}

#[tokio::test(start_paused = true)]
async fn room_comes_back_from_a_queue_that_was_full() {
    let ledger = end_all(config().with_max_queue_bytes(20_000), |_| ()).await;
    assert!(ledger.dropped(DropReason::QueueFull) > 0 && ledger.delivered > 0, "{ledger}");
}

#[test]
fn room_comes_back_from_a_worker_that_never_ran() {
    let (pipeline, worker): (_, Worker<_>) =
        Pipeline::unstarted(Signal::Traces, resource(), ScriptedExporter::new(), config());
    let (shared, slot) = (Arc::clone(&worker.shared), pipeline.register_thread());
    for scope in scopes().iter().chain(&scopes()) {
        pipeline.append(&slot, &TestItem::named("x"), scope);
    }
    drop(worker);
    assert_eq!(shared.intake.limits().bytes.used(), 0);
    assert_eq!(pipeline.ledger().dropped(DropReason::NoWorker), 14);
}
