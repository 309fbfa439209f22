//! What is reserved for scopes, runs and chunks, and that it covers what is held.

use std::collections::BTreeMap;
use std::mem::size_of;

use super::*;

type TestSlot = crate::sync::Arc<Slot<otlp_core::wire::envelope::ScopeHeader>>;

/// Grows by exactly what is needed, so that what is used can be compared.
fn exact() -> Limits {
    Limits { bytes_step: 0, ..limits() }
}

/// What an append adds to what is reserved.
fn added(
    intake: &TestIntake,
    slot: &TestSlot,
    scope: &Arc<otlp_core::wire::envelope::ScopeHeader>,
) -> usize {
    let before = intake.limits().bytes.used();
    intake.append(slot, &item("item"), scope);
    intake.limits().bytes.used() - before
}

#[test]
fn room_is_reserved_for_the_scope_when_a_run_begins_and_not_while_it_goes_on() {
    let intake = intake(exact());
    let (slot, _) = intake.register();
    let (a, b, len) = (scope("a"), scope(&"b".repeat(200)), item("item").item_len());
    assert_eq!(added(&intake, &slot, &a), len + chunk_overhead(&*a));
    assert_eq!(added(&intake, &slot, &a), len);
    assert_eq!(added(&intake, &slot, &b), len + run_overhead(&*b, false));
    assert!(run_overhead(&*b, false) > b.encoded_len());
    assert_eq!(added(&intake, &slot, &b), len);
    assert_eq!(added(&intake, &slot, &a), len + run_overhead(&*a, true));
    let segments = collect(&intake, Collect::All);
    assert_eq!(segments.len(), 2);
    assert_eq!(intake.limits().bytes.used(), reserved(&segments), "what was too much is back");
    assert_eq!(added(&intake, &slot, &a), len + chunk_overhead(&*a), "a new chunk");
    balanced(intake.ledger());
}

#[test]
fn an_item_whose_scope_has_no_room_is_dropped_and_reserves_nothing() {
    let (a, b) = (scope("a"), scope(&"b".repeat(2000)));
    let bytes = Budget::new(chunk_overhead(&*a) + 1000);
    let intake = intake(Limits { bytes, ..exact() });
    let (slot, _) = intake.register();
    added(&intake, &slot, &a);
    assert_eq!(added(&intake, &slot, &b), 0);
    assert_eq!(dropped(&intake, DropReason::QueueFull), 1);
    // It has left no run behind: the scope before goes on.
    assert_eq!(added(&intake, &slot, &a), item("item").item_len());
    let segments = collect(&intake, Collect::All);
    assert_eq!(segments.iter().map(|segment| segment.items).collect::<Vec<_>>(), [2]);
    intake.dropped(2, reserved(&segments), DropReason::PermanentError);
    assert_eq!(intake.limits().bytes.used(), 0);
    balanced(intake.ledger());
}

#[test]
fn a_scope_that_comes_back_after_many_others_is_gathered_and_what_was_too_much_goes_back() {
    let intake = intake(Limits { chunk_items: 1000, chunk_bytes: 64 * 1024, ..exact() });
    let (slot, _) = intake.register();
    let scopes: Vec<_> = (0..30).map(|n| scope(&format!("scope {n}"))).collect();
    for _ in 0..4 {
        for scope in &scopes {
            intake.append(&slot, &item("item"), scope);
        }
    }
    let before = intake.limits().bytes.used();
    let segments = collect(&intake, Collect::All);
    assert_eq!(segments.iter().map(|segment| segment.items).collect::<Vec<_>>(), [4; 30]);
    assert_eq!(intake.limits().bytes.used(), reserved(&segments));
    assert!(reserved(&segments) < before / 2);
}

#[test]
fn a_closed_pipeline_keeps_what_is_reserved_until_it_is_collected() {
    let intake = intake(exact());
    let (slot, _) = intake.register();
    let (a, b) = (scope("a"), scope("b"));
    for scope in [&a, &b, &a] {
        intake.append(&slot, &item("item"), scope);
    }
    intake.close(DropReason::AfterShutdown);
    intake.append(&slot, &item("late"), &a);
    let segments = collect(&intake, Collect::Sealed);
    assert_eq!(segments.iter().map(|segment| segment.items).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(intake.limits().bytes.used(), reserved(&segments));
    intake.dropped(3, reserved(&segments), DropReason::NoWorker);
    assert_eq!(intake.limits().bytes.used(), 0);
    balanced(intake.ledger());
}

#[test]
fn chunks_that_nobody_collects_hold_little_more_than_what_they_reserve() {
    let bytes = Budget::new(1 << 20);
    let intake = intake(Limits { bytes, chunk_items: 100, chunk_bytes: 64 * 1024, ..limits() });
    let (slot, _) = intake.register();
    let (a, mut appended) = (scope("a"), 0);
    while dropped(&intake, DropReason::QueueFull) == 0 {
        intake.append(&slot, &item(&"x".repeat(40)), &a);
        appended += 1;
    }
    assert!(appended > 15_000, "{appended}");
    let lane = slot.lanes[0].lock();
    let capacity: usize = lane.sealed.iter().map(|chunk| chunk.buf.capacity()).sum();
    let slack = (ROOMY_CHUNKS + 1) * 64 * 1024;
    assert!(capacity <= intake.limits().bytes.limit() + slack, "{capacity} bytes");
}

/// Numbers that look random and are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

/// Memory of one allocation: the allocator's word, rounded up as allocators do.
fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { (bytes + 8).next_multiple_of(16).max(32) }
}

/// Memory behind segments: their places in a list, each buffer and each header once.
fn memory_of(segments: &Segments) -> usize {
    let mut headers = BTreeMap::new();
    let mut buffers: Vec<std::ops::Range<*const u8>> = Vec::new();
    for segment in segments {
        let parts = allocated(segment.scope.encoded_len()) + 2 * size_of::<bytes::Bytes>();
        headers.insert(Arc::as_ptr(&segment.scope), allocated(parts + 16));
        let range = segment.bytes.as_ptr_range();
        match buffers.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => buffers.push(range),
        }
    }
    let buffers = buffers.iter().map(|range| {
        allocated(range.end as usize - range.start as usize) + allocated(size_of::<[usize; 6]>())
    });
    let places = segments.capacity() * size_of::<Segment<()>>();
    places + headers.values().sum::<usize>() + buffers.sum::<usize>()
}

/// Memory of what is sealed in a slot, beside the headers.
fn memory_in(slot: &TestSlot) -> usize {
    let lanes = slot.lanes.iter().map(|lane| {
        let lane = lane.lock();
        let chunks = lane.sealed.iter().map(|chunk| {
            let runs = chunk.runs.capacity() * size_of::<Run<()>>();
            allocated(chunk.buf.len()) + allocated(runs)
        });
        chunks.sum::<usize>() + lane.sealed.len() * size_of::<Chunk<()>>()
    });
    lanes.sum()
}

#[test]
fn what_is_held_is_never_more_than_what_is_reserved_however_scopes_alternate() {
    for seed in 0..20 {
        let mut dice = Dice(seed);
        let limit = 60_000 + dice.below(60_000);
        let chunk_items = 1 + dice.below(60) as u32;
        let limits =
            Limits { bytes: Budget::new(limit), chunk_items, chunk_bytes: 4096, ..limits() };
        let intake = intake(limits);
        let slots: Vec<_> = (0..3).map(|_| intake.register().0).collect();
        let few: Vec<_> = (0..1 + dice.below(12)).map(|n| scope(&n.to_string())).collect();
        let mut held = Segments::new();
        for step in 0..4000 {
            let slot = &slots[dice.below(3)];
            let item = item(&"x".repeat(dice.below(80)));
            match dice.below(8) {
                0 => {
                    let name = dice.below(if step % 50 == 0 { 3000 } else { 100 });
                    intake.append(slot, &item, &scope(&"n".repeat(name)));
                }
                _ => drop(intake.append(slot, &item, &few[dice.below(few.len())])),
            }
            match dice.below(100) {
                0 => intake.collect(Collect::All, &mut held),
                1..5 => intake.collect(Collect::Sealed, &mut held),
                5 if held.len() > 10 => {
                    let gone: Segments = held.drain(..10).collect();
                    let items = gone.iter().map(|segment| segment.items as usize).sum();
                    intake.delivered(items, reserved(&gone), 0);
                    held.shrink_to(2 * held.len());
                }
                _ => {}
            }
            let used = intake.limits().bytes.used();
            assert!(used <= limit);
            if step % 8 > 0 {
                continue;
            }
            let in_lanes: usize = slots.iter().map(memory_in).sum();
            let memory = memory_of(&held) + in_lanes;
            assert!(memory <= used, "seed {seed}, step {step}: {memory} bytes for {used} reserved");
        }
        assert!(
            dropped(&intake, DropReason::QueueFull) > 0,
            "seed {seed}: the queue was never full"
        );
        intake.collect(Collect::All, &mut held);
        assert_eq!(intake.limits().bytes.used(), reserved(&held));
        let items = held.iter().map(|segment| segment.items as usize).sum();
        intake.dropped(items, reserved(&held), DropReason::PermanentError);
        assert_eq!((intake.limits().bytes.used(), intake.ledger().held), (0, 0));
        balanced(intake.ledger());
    }
}
