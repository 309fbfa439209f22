use super::super::account::Ledger;
use super::super::intake::Intake;
use super::super::testing::{TestItem, scope};
use super::*;

type Segments = Vec<Segment<otlp_core::wire::envelope::ScopeHeader>>;
type TestIntake = Intake<otlp_core::wire::envelope::ScopeHeader>;

/// Room for plenty of items, chunks of 1 KiB or ten items.
fn limits() -> Limits {
    Limits {
        bytes: Budget::new(1 << 20),
        items: None,
        bytes_step: 128,
        items_step: 4,
        item_bytes_max: 4096,
        chunk_bytes: 1024,
        chunk_items: 10,
    }
}

fn intake(limits: Limits) -> TestIntake {
    Intake::new(limits, 10, 8)
}

fn item(name: &str) -> TestItem {
    TestItem::named(name)
}

fn collect(intake: &TestIntake, what: Collect) -> Segments {
    let mut segments = Vec::new();
    intake.collect(what, &mut segments);
    segments
}

fn names(segments: &Segments) -> Vec<String> {
    use prost::Message;
    let mut names = Vec::new();
    for segment in segments {
        let mut bytes = &segment.bytes[..];
        let mut items = 0;
        while let Some(rest) = bytes.get(1..) {
            let mut rest = rest;
            let len = prost::encoding::decode_varint(&mut rest).unwrap() as usize;
            let span = opentelemetry_proto::tonic::trace::v1::Span::decode(&rest[..len]).unwrap();
            names.push(span.name);
            bytes = &rest[len..];
            items += 1;
        }
        assert_eq!(items, segment.items);
    }
    names
}

fn reserved(segments: &Segments) -> usize {
    segments.iter().map(|segment| segment.reserved).sum()
}

fn dropped(intake: &TestIntake, reason: DropReason) -> u64 {
    intake.ledger().dropped(reason)
}

#[track_caller]
fn balanced(ledger: Ledger) {
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");
}

#[test]
fn a_thread_leaves_items_while_somebody_is_at_either_lane() {
    let intake = intake(limits());
    let (slot, _) = intake.register();
    let a = scope("a");
    for busy in 0..2 {
        let _visitor = slot.lanes[busy].lock();
        intake.append(&slot, &item(&busy.to_string()), &a);
    }
    intake.append(&slot, &item("2"), &a);
    let mut all = names(&collect(&intake, Collect::All));
    all.sort();
    assert_eq!(all, ["0", "1", "2"]);
    assert_eq!(intake.ledger().held, 3);
    balanced(intake.ledger());
}

#[test]
fn a_full_chunk_is_sealed_and_only_that_is_collected_as_sealed() {
    let intake = intake(limits());
    let (slot, _) = intake.register();
    let a = scope("a");
    let woken: Vec<_> = (0..13).map(|n| intake.append(&slot, &item(&n.to_string()), &a)).collect();
    assert_eq!(woken.iter().position(|woken| *woken), Some(9), "ten items make a batch");
    let sealed = collect(&intake, Collect::Sealed);
    assert_eq!(names(&sealed), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(collect(&intake, Collect::Sealed).is_empty());
    assert_eq!(names(&collect(&intake, Collect::All)), ["10", "11", "12"]);
    balanced(intake.ledger());
}

#[test]
fn a_chunk_is_sealed_by_bytes_and_an_item_larger_than_a_chunk_is_taken() {
    let intake = intake(Limits { chunk_items: 1000, ..limits() });
    let (slot, _) = intake.register();
    let a = scope("a");
    let large = "x".repeat(400);
    let all: Vec<_> = (0..6).map(|n| format!("{n}{large}")).chain(["y".repeat(3000)]).collect();
    for name in &all {
        intake.append(&slot, &item(name), &a);
    }
    let sealed = collect(&intake, Collect::Sealed);
    assert_eq!(sealed.iter().map(|segment| segment.items).collect::<Vec<_>>(), [2, 2, 2]);
    let rest = collect(&intake, Collect::All);
    assert_eq!([names(&sealed), names(&rest)].concat(), all);
}

#[test]
fn the_queue_is_full_exactly_at_its_items_and_has_room_again_when_they_leave() {
    let intake = intake(Limits { items: Some(Budget::new(25)), ..limits() });
    let (slot, _) = intake.register();
    let a = scope("a");
    for n in 0..40 {
        intake.append(&slot, &item(&n.to_string()), &a);
    }
    assert_eq!(dropped(&intake, DropReason::QueueFull), 15);
    let segments = collect(&intake, Collect::All);
    assert_eq!(names(&segments).len(), 25);
    let bytes = reserved(&segments);
    assert_eq!(intake.limits().bytes.used(), bytes);
    // What was collected is still held, until its fate is known.
    intake.append(&slot, &item("late"), &a);
    assert_eq!(dropped(&intake, DropReason::QueueFull), 16);
    intake.delivered(25, bytes, 0);
    intake.append(&slot, &item("room again"), &a);
    assert_eq!(dropped(&intake, DropReason::QueueFull), 16);
    balanced(intake.ledger());
}

#[test]
fn the_queue_is_full_exactly_at_its_bytes() {
    let (a, len) = (scope("a"), item("12345678").item_len());
    let bytes = Budget::new(chunk_overhead(&*a) + 20 * len + len / 2);
    let intake = intake(Limits { bytes, chunk_items: 100, ..limits() });
    let (slot, _) = intake.register();
    for _ in 0..30 {
        intake.append(&slot, &item("12345678"), &a);
    }
    assert_eq!((intake.ledger().held, dropped(&intake, DropReason::QueueFull)), (20, 10));
    let held = reserved(&collect(&intake, Collect::All));
    assert!(held > 20 * len);
    assert_eq!(intake.limits().bytes.used(), held, "unused credit goes back");
    intake.dropped(20, held, DropReason::PermanentError);
    assert_eq!(intake.limits().bytes.used(), 0);
    balanced(intake.ledger());
}

#[test]
fn an_item_that_does_not_fit_a_request_with_its_scope_is_dropped_under_its_own_name() {
    let intake = intake(limits());
    let (slot, _) = intake.register();
    let small = scope("a");
    let fits = "x".repeat(4096 - 6 - small.encoded_len());
    assert_eq!(item(&fits).item_len() + small.encoded_len(), 4096);
    intake.append(&slot, &item(&fits), &small);
    intake.append(&slot, &item(&format!("{fits}x")), &small);
    assert_eq!((intake.ledger().held, dropped(&intake, DropReason::TooLarge)), (1, 1));
    // The limit is the scope's own, whichever came before.
    let large = scope(&"a".repeat(3000));
    for (name, lost) in [("b".repeat(900), 1), ("b".repeat(1200), 2), ("b".repeat(900), 2)] {
        intake.append(&slot, &item(&name), &large);
        assert_eq!(dropped(&intake, DropReason::TooLarge), lost);
    }
    intake.append(&slot, &item("c"), &scope(&"a".repeat(5000)));
    intake.append(&slot, &item(&fits), &small);
    assert_eq!((intake.ledger().held, dropped(&intake, DropReason::TooLarge)), (4, 3));
    assert_eq!(names(&collect(&intake, Collect::All)).len(), 4);
    balanced(intake.ledger());
}

#[test]
fn after_close_items_are_dropped_and_those_before_stay() {
    let intake = intake(limits());
    let (slot, _) = intake.register();
    let a = scope("a");
    intake.append(&slot, &item("before"), &a);
    intake.close(DropReason::AfterShutdown);
    intake.append(&slot, &item("after"), &a);
    let (late, _) = intake.register();
    intake.append(&late, &item("from a new thread"), &a);
    intake.append_without_slot(&item("from a thread without locals"), &a);
    intake.close(DropReason::NoWorker);
    let (later, _) = intake.register();
    intake.append(&later, &item("the first reason stays for new threads"), &a);
    assert_eq!(dropped(&intake, DropReason::AfterShutdown), 4);
    assert_eq!(names(&collect(&intake, Collect::All)), ["before"]);
    balanced(intake.ledger());
}

#[test]
fn what_ended_threads_left_is_adopted_and_their_counts_stay() {
    let intake = intake(Limits { items: Some(Budget::new(300)), ..limits() });
    let a = scope("a");
    std::thread::scope(|threads| {
        for n in 0..100 {
            let (intake, a) = (&intake, &a);
            threads.spawn(move || {
                let (slot, _) = intake.register();
                for i in 0..3 {
                    intake.append(&slot, &item(&format!("{n}.{i}")), a);
                }
                intake.append(&slot, &item(&"x".repeat(5000)), a);
            });
        }
    });
    // Sealed only: but those threads are gone.
    let left = names(&collect(&intake, Collect::Sealed));
    assert_eq!(left.len(), 300);
    let ledger = intake.ledger();
    assert_eq!((ledger.ended, ledger.held, ledger.dropped(DropReason::TooLarge)), (400, 300, 100));
    balanced(ledger);
    assert_eq!(intake.slots(), 0);
}

#[test]
fn many_new_threads_ask_for_a_sweep_once() {
    let intake = intake(limits());
    let asked = (0..200).filter(|_| intake.register().1).count();
    assert_eq!(asked, 1);
    assert!(intake.take_pressure());
    collect(&intake, Collect::All);
    assert_eq!(intake.slots(), 0);
}

#[test]
fn threads_that_come_and_go_after_shutdown_leave_nothing_behind() {
    let intake = intake(limits());
    intake.close(DropReason::AfterShutdown);
    let a = scope("a");
    for _ in 0..1000 {
        let (slot, wake) = intake.register();
        intake.append(&slot, &item("late"), &a);
        assert!(!wake);
    }
    assert!(intake.slots() <= 128, "{} slots", intake.slots());
    assert_eq!(intake.ledger().dropped(DropReason::AfterShutdown), 1000);
    balanced(intake.ledger());
}

#[test]
fn alternating_scopes_are_gathered_into_one_segment_each() {
    let intake = intake(limits());
    let (slot, _) = intake.register();
    let (a, b) = (scope("a"), scope("b"));
    for n in 0..9 {
        intake.append(&slot, &item(&n.to_string()), if n % 2 == 0 { &a } else { &b });
    }
    let segments = collect(&intake, Collect::All);
    assert_eq!(segments.len(), 2);
    assert!(Arc::ptr_eq(&segments[0].scope, &a) && Arc::ptr_eq(&segments[1].scope, &b));
    assert_eq!(names(&segments), ["0", "2", "4", "6", "8", "1", "3", "5", "7"]);
}

#[test]
fn the_pieces_of_a_chunk_share_one_buffer() {
    let intake = intake(limits());
    let (slot, _) = intake.register();
    for n in 0..8 {
        intake.append(&slot, &item(&n.to_string()), &scope(&n.to_string()));
    }
    let segments = collect(&intake, Collect::All);
    assert_eq!(names(&segments), (0..8).map(|n| n.to_string()).collect::<Vec<_>>());
    for two in segments.windows(2) {
        assert_eq!(two[0].bytes.as_ptr_range().end, two[1].bytes.as_ptr());
    }
}

#[test]
fn a_thread_with_few_items_reserves_little() {
    let intake = intake(Limits { items: Some(Budget::new(64)), items_step: 16, ..limits() });
    let a = scope("a");
    let slots: Vec<_> = (0..64).map(|_| intake.register().0).collect();
    for slot in &slots {
        intake.append(slot, &item("one"), &a);
    }
    assert_eq!(dropped(&intake, DropReason::QueueFull), 0, "64 threads with one item each fit");
    assert_eq!(intake.ledger().held, 64);
}

#[test]
fn room_that_idle_threads_reserved_comes_back_when_it_is_missed() {
    let limits =
        Limits { items: Some(Budget::new(40)), items_step: 16, chunk_items: 100, ..limits() };
    let intake = intake(limits);
    let a = scope("a");
    let (idle, _) = intake.register();
    for _ in 0..9 {
        intake.append(&idle, &item("idle"), &a);
    }
    let (busy, _) = intake.register();
    let woken = (0..40).filter(|_| intake.append(&busy, &item("busy"), &a)).count();
    assert!(woken >= 1, "a nearly full queue wakes the worker");
    assert!(intake.take_pressure());
    collect(&intake, Collect::All);
    let held = intake.ledger().held;
    let room = (0..40).filter(|_| {
        let before = intake.ledger().held;
        intake.append(&busy, &item("busy"), &a);
        intake.ledger().held > before
    });
    assert_eq!(held + room.count() as u64, 40);
    balanced(intake.ledger());
}

#[test]
fn a_full_queue_asks_once_until_the_worker_listens_again() {
    let intake = intake(Limits { items: Some(Budget::new(4)), ..limits() });
    let (slot, _) = intake.register();
    let a = scope("a");
    let woken = |count| (0..count).filter(|_| intake.append(&slot, &item("x"), &a)).count();
    assert_eq!(woken(1000), 1);
    assert!(intake.take_pressure() && !intake.take_pressure());
    assert_eq!(woken(1000), 0, "asked and answered: no spinning on a queue that stays full");
    intake.listen();
    assert_eq!(woken(1000), 1);
    balanced(intake.ledger());
}

#[test]
fn pictures_balance_while_threads_append_and_the_worker_collects() {
    let intake = intake(Limits { items: Some(Budget::new(500)), ..limits() });
    let a = scope("a");
    let done = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                let (slot, _) = intake.register();
                for n in 0..5_000 {
                    intake.append(&slot, &item(&n.to_string()), &a);
                    if n % 1000 == 0 {
                        intake.append_without_slot(&item("late"), &a);
                    }
                }
                done.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            });
        }
        threads.spawn(|| {
            let mut pictures = 0;
            while done.load(std::sync::atomic::Ordering::SeqCst) < 4 || pictures < 10 {
                balanced(intake.ledger());
                pictures += 1;
            }
        });
        while done.load(std::sync::atomic::Ordering::SeqCst) < 4 {
            for segment in collect(&intake, Collect::Sealed) {
                intake.delivered(segment.items as usize, segment.reserved, 0);
            }
        }
    });
    for segment in collect(&intake, Collect::All) {
        intake.delivered(segment.items as usize, segment.reserved, 1);
    }
    let ledger = intake.ledger();
    assert_eq!((ledger.ended, ledger.held), (4 * 5_005, 0));
    assert_eq!(
        ledger.delivered + ledger.rejected + ledger.dropped(DropReason::QueueFull),
        4 * 5_005
    );
    assert_eq!(intake.limits().bytes.used(), 0);
    assert_eq!(intake.limits().items.as_ref().unwrap().used(), 0);
}

mod room;

#[test]
fn items_that_must_stay_in_order_wait_for_whoever_visits_their_lane() {
    struct Ordered(TestItem);
    impl Item for Ordered {
        const IN_ORDER: bool = true;

        fn item_len(&self) -> usize {
            self.0.item_len()
        }

        fn put_item(&self, buf: &mut Vec<u8>) {
            self.0.put_item(buf);
        }
    }
    let intake = intake(limits());
    let (slot, _) = intake.register();
    let [first, second] = &slot.lanes;
    let visit = first.lock();
    std::thread::scope(|threads| {
        let (begin, begun) = std::sync::mpsc::channel();
        let (intake, slot) = (&intake, &slot);
        threads.spawn(move || {
            begin.send(()).unwrap();
            intake.append(slot, &Ordered(item("1")), &scope("a"));
        });
        begun.recv().unwrap();
        // Time enough for whoever would not wait.
        for _ in 0..10_000 {
            std::thread::yield_now();
            assert_eq!(second.lock().items, 0, "it takes the other lane");
        }
        drop(visit);
    });
    assert_eq!((first.lock().items, second.lock().items), (1, 0));
}

#[test]
fn an_item_counts_for_as_many_as_it_holds() {
    let intake = intake(Limits { items: Some(Budget::new(20)), chunk_items: u32::MAX, ..limits() });
    let (slot, _) = intake.register();
    for count in [7, 5, 3] {
        intake.append(&slot, &item("metric").counting(count), &scope("a"));
    }
    intake.append(&slot, &item("metric").counting(6), &scope("a"));
    assert_eq!(dropped(&intake, DropReason::QueueFull), 6, "15 of 20 are taken");
    intake.append(&slot, &item("metric").counting(5), &scope("a"));
    let ledger = intake.ledger();
    assert_eq!((ledger.ended, ledger.held), (26, 20));
    balanced(ledger);
    let segments = collect(&intake, Collect::All);
    assert_eq!(segments.iter().map(|segment| segment.items).sum::<u32>(), 20);
    intake.delivered(20, reserved(&segments), 0);
    assert_eq!(intake.ledger().delivered, 20);
    balanced(intake.ledger());
    assert_eq!(intake.limits().items.as_ref().map(Budget::used), Some(0));
}
