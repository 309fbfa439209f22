//! What must hold however threads, the worker and readers of the account interleave.

use std::sync::Arc;

use loom::thread;

use crate::pipeline::account::DropReason;
use crate::pipeline::budget::Budget;
use crate::pipeline::intake::Intake;
use crate::pipeline::slot::{Collect, Item, Limits, Scope, Segment, chunk_overhead};
use crate::sync::{AtomicBool, AtomicUsize, Ordering};

type Segments = Vec<Segment<()>>;

impl Scope for () {
    fn encoded_len(&self) -> usize {
        0
    }
}

/// An item of so many bytes.
struct Bytes(usize);

impl Item for Bytes {
    fn item_len(&self) -> usize {
        self.0
    }

    fn put_item(&self, buf: &mut Vec<u8>) {
        buf.resize(buf.len() + self.0, 7);
    }
}

const ITEM: Bytes = Bytes(8);

fn limits() -> Limits {
    Limits {
        bytes: Budget::new(1 << 20),
        items: None,
        bytes_step: 16,
        items_step: 2,
        item_bytes_max: 512,
        chunk_bytes: 64,
        chunk_items: 2,
    }
}

fn intake(limits: Limits) -> Arc<Intake<()>> {
    Arc::new(Intake::new(limits, 2, 8))
}

fn take(intake: &Intake<()>, what: Collect) -> Segments {
    let mut segments = Vec::new();
    intake.collect(what, &mut segments);
    segments
}

fn items(segments: &Segments) -> u64 {
    segments.iter().map(|segment| u64::from(segment.items)).sum()
}

fn bytes(segments: &Segments) -> usize {
    segments.iter().map(|segment| segment.bytes.len()).sum()
}

fn reserved(segments: &Segments) -> usize {
    segments.iter().map(|segment| segment.reserved).sum()
}

/// Room for so many items that are each the first of a chunk.
fn room_for(items: usize) -> Budget {
    Budget::new(items * (8 + chunk_overhead(&())))
}

fn balanced(intake: &Intake<()>) {
    let ledger = intake.ledger();
    assert_eq!(ledger.unaccounted(), 0, "{ledger}");
}

/// Explores with at most four preemptions, which is where such bugs are.
fn model(check: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(4);
    builder.check(check);
}

#[test]
fn append_against_collect_loses_and_doubles_nothing() {
    model(|| {
        let intake = intake(limits());
        let (slot, _) = intake.register();
        let owner = {
            let intake = Arc::clone(&intake);
            thread::spawn(move || {
                let scope = Arc::new(());
                for _ in 0..3 {
                    intake.append(&slot, &ITEM, &scope);
                }
            })
        };
        let mut all = take(&intake, Collect::Sealed);
        all.extend(take(&intake, Collect::All));
        owner.join().unwrap();
        all.extend(take(&intake, Collect::All));
        assert_eq!((items(&all), bytes(&all)), (3, 24));
        assert_eq!(intake.limits().bytes.used(), reserved(&all));
        balanced(&intake);
    });
}

#[test]
fn what_alternating_scopes_reserve_comes_back_whole() {
    model(|| {
        let intake = intake(Limits { chunk_items: 3, ..limits() });
        let (slot, _) = intake.register();
        let owner = {
            let intake = Arc::clone(&intake);
            thread::spawn(move || {
                let (a, b) = (Arc::new(()), Arc::new(()));
                for scope in [&a, &b, &a] {
                    intake.append(&slot, &ITEM, scope);
                }
            })
        };
        let mut all = take(&intake, Collect::All);
        owner.join().unwrap();
        all.extend(take(&intake, Collect::All));
        assert_eq!((items(&all), bytes(&all)), (3, 24));
        assert_eq!(intake.limits().bytes.used(), reserved(&all));
        intake.delivered(3, reserved(&all), 0);
        assert_eq!(intake.limits().bytes.used(), 0);
        balanced(&intake);
    });
}

#[test]
fn a_flush_takes_every_item_that_was_appended_before_it_began() {
    model(|| {
        let intake = intake(limits());
        let appended = Arc::new(AtomicUsize::new(0));
        let owner = {
            let (intake, appended) = (Arc::clone(&intake), Arc::clone(&appended));
            thread::spawn(move || {
                // A new thread: its slot must be found as well.
                let (slot, _) = intake.register();
                let scope = Arc::new(());
                for n in 1..=2 {
                    intake.append(&slot, &ITEM, &scope);
                    appended.store(n, Ordering::Release);
                }
            })
        };
        let before = appended.load(Ordering::Acquire) as u64;
        let flushed = take(&intake, Collect::All);
        assert!(items(&flushed) >= before, "{} of {before}", items(&flushed));
        owner.join().unwrap();
        let rest = take(&intake, Collect::All);
        assert_eq!(items(&flushed) + items(&rest), 2);
    });
}

#[test]
fn close_against_append_and_a_new_thread_counts_each_item_once() {
    model(|| {
        let intake = intake(limits());
        let (slot, _) = intake.register();
        let threads = [
            {
                let intake = Arc::clone(&intake);
                thread::spawn(move || {
                    let scope = Arc::new(());
                    intake.append(&slot, &ITEM, &scope);
                    intake.append(&slot, &ITEM, &scope);
                })
            },
            {
                let intake = Arc::clone(&intake);
                thread::spawn(move || {
                    let (slot, _) = intake.register();
                    intake.append(&slot, &ITEM, &Arc::new(()));
                })
            },
        ];
        intake.close(DropReason::AfterShutdown);
        // What the last collection does not find was refused: nothing is left behind.
        let last = items(&take(&intake, Collect::All));
        for thread in threads {
            thread.join().unwrap();
        }
        let ledger = intake.ledger();
        assert_eq!(ledger.held, last);
        assert_eq!(ledger.dropped(DropReason::AfterShutdown) + last, 3);
        assert_eq!((ledger.ended, items(&take(&intake, Collect::All))), (3, 0));
        balanced(&intake);
    });
}

#[test]
fn items_of_a_thread_that_ends_are_adopted_once() {
    model(|| {
        let intake = intake(limits());
        let owner = {
            let intake = Arc::clone(&intake);
            thread::spawn(move || {
                let (slot, _) = intake.register();
                intake.append(&slot, &ITEM, &Arc::new(()));
                intake.append(&slot, &Bytes(600), &Arc::new(()));
                drop(slot);
                intake.append_without_slot(&ITEM, &Arc::new(()));
            })
        };
        let first = take(&intake, Collect::Sealed);
        balanced(&intake);
        owner.join().unwrap();
        let second = take(&intake, Collect::All);
        let ledger = intake.ledger();
        assert_eq!(items(&first) + items(&second), 2);
        assert_eq!((ledger.ended, ledger.held, ledger.dropped(DropReason::TooLarge)), (3, 2, 1));
        assert_eq!(intake.slots(), 0);
        balanced(&intake);
    });
}

#[test]
fn the_owner_does_not_wait_for_a_visitor_who_is_interrupted_at_a_lane() {
    for interrupted_at in 0..2 {
        model(move || {
            let intake = intake(limits());
            let (slot, _) = intake.register();
            let slot = crate::sync::Arc::new(slot);
            let done = Arc::new(loom::sync::Notify::new());
            let visitor = {
                let (slot, done) = (slot.clone(), Arc::clone(&done));
                // If the owner waited for this one, both would wait for ever: loom fails on that.
                thread::spawn(move || slot.visit(interrupted_at, || done.wait()))
            };
            intake.append(&slot, &ITEM, &Arc::new(()));
            done.notify();
            visitor.join().unwrap();
            assert_eq!(items(&take(&intake, Collect::All)), 1);
        });
    }
}

#[test]
fn the_owner_finds_a_lane_while_others_come_one_after_the_other() {
    model(|| {
        let intake = intake(limits());
        let (slot, _) = intake.register();
        let worker = {
            let intake = Arc::clone(&intake);
            thread::spawn(move || items(&take(&intake, Collect::All)))
        };
        let reader = {
            let intake = Arc::clone(&intake);
            thread::spawn(move || balanced(&intake))
        };
        let scope = Arc::new(());
        intake.append(&slot, &ITEM, &scope);
        intake.append(&slot, &ITEM, &scope);
        let taken = worker.join().unwrap();
        reader.join().unwrap();
        assert_eq!(taken + items(&take(&intake, Collect::All)), 2);
    });
}

#[test]
fn every_picture_balances() {
    model(|| {
        let intake = intake(Limits { bytes: room_for(2), ..limits() });
        let (slot, _) = intake.register();
        let owner = {
            let intake = Arc::clone(&intake);
            thread::spawn(move || {
                let scope = Arc::new(());
                for _ in 0..3 {
                    intake.append(&slot, &ITEM, &scope);
                }
            })
        };
        let reader = {
            let intake = Arc::clone(&intake);
            thread::spawn(move || balanced(&intake))
        };
        let taken = take(&intake, Collect::All);
        intake.delivered(items(&taken) as usize, reserved(&taken), 0);
        owner.join().unwrap();
        reader.join().unwrap();
        balanced(&intake);
    });
}

#[test]
fn the_budget_is_never_exceeded_and_comes_back_whole() {
    model(|| {
        let budget = Arc::new(Budget::new(10));
        let threads: Vec<_> = (0..2)
            .map(|_| {
                let budget = Arc::clone(&budget);
                thread::spawn(move || {
                    let mut got = 0;
                    for _ in 0..2 {
                        let grant = budget.reserve(3, 4);
                        got += grant.map_or(0, |grant| grant.amount);
                        assert!(budget.used() <= 10);
                    }
                    got
                })
            })
            .collect();
        let got: usize = threads.into_iter().map(|thread| thread.join().unwrap()).sum();
        assert_eq!(got, budget.used());
        assert!((8..=10).contains(&got), "{got} of 10");
        budget.release(got);
        assert_eq!(budget.used(), 0);
    });
}

/// The wake-up as tokio's `Notify` gives it: one permit, kept until it is taken.
struct Permit(AtomicBool);

#[test]
fn a_full_chunk_of_one_of_two_threads_is_never_left_without_a_wake_up() {
    model(|| full_chunks(2, 2));
}

#[test]
fn a_second_full_chunk_of_a_thread_is_never_left_without_a_wake_up() {
    model(|| full_chunks(1, 4));
}

fn full_chunks(owners: usize, appends: usize) {
    let intake = intake(limits());
    let permit = Arc::new(Permit(AtomicBool::new(false)));
    let start = || {
        let (intake, permit) = (Arc::clone(&intake), Arc::clone(&permit));
        let (slot, _) = intake.register();
        thread::spawn(move || {
            let scope = Arc::new(());
            for _ in 0..appends {
                if intake.append(&slot, &ITEM, &scope) {
                    permit.0.swap(true, Ordering::AcqRel);
                }
            }
            slot
        })
    };
    let running: Vec<_> = (0..owners).map(|_| start()).collect();
    // The worker comes for each permit that it finds, at any moment.
    let mut taken = 0;
    for _ in 0..2 {
        if permit.0.swap(false, Ordering::AcqRel) {
            taken += items(&take(&intake, Collect::Sealed));
        }
    }
    let slots: Vec<_> = running.into_iter().map(|owner| owner.join().unwrap()).collect();
    while permit.0.swap(false, Ordering::AcqRel) {
        taken += items(&take(&intake, Collect::Sealed));
    }
    // Two items make a chunk, which is worth a wake-up. Single ones, which a visitor has made fall
    // into both lanes, wait for the timer.
    let left = take(&intake, Collect::All);
    assert_eq!(taken + items(&left), (owners * appends) as u64);
    assert!(left.iter().all(|segment| segment.items == 1), "a chunk was left behind: {left:?}");
    drop(slots);
}

#[test]
fn the_end_of_a_hush_leaves_no_full_chunk_without_a_wake_up() {
    model(|| {
        let intake = intake(limits());
        intake.hush(true);
        let permit = Arc::new(Permit(AtomicBool::new(false)));
        let (slot, _) = intake.register();
        let owner = {
            let (intake, permit) = (Arc::clone(&intake), Arc::clone(&permit));
            thread::spawn(move || {
                let scope = Arc::new(());
                for _ in 0..4 {
                    if intake.append(&slot, &ITEM, &scope) {
                        permit.0.swap(true, Ordering::AcqRel);
                    }
                }
                slot
            })
        };
        // The worker has looked by itself and found little: from now on it wants to be woken.
        intake.hush(false);
        let mut taken = items(&take(&intake, Collect::Sealed));
        let slot = owner.join().unwrap();
        while permit.0.swap(false, Ordering::AcqRel) {
            taken += items(&take(&intake, Collect::Sealed));
        }
        let left = take(&intake, Collect::All);
        assert_eq!(taken + items(&left), 4);
        assert!(left.iter().all(|segment| segment.items == 1), "a chunk was left behind: {left:?}");
        drop(slot);
    });
}

#[test]
fn a_full_queue_asks_and_what_is_freed_is_asked_for_again() {
    model(|| {
        let intake = intake(Limits { bytes: room_for(1), ..limits() });
        let (slot, _) = intake.register();
        intake.append(&slot, &ITEM, &Arc::new(()));
        intake.take_pressure();
        let taken = take(&intake, Collect::All);
        let owner = {
            let intake = Arc::clone(&intake);
            thread::spawn(move || {
                let asked = intake.append(&slot, &ITEM, &Arc::new(()));
                (slot, asked)
            })
        };
        intake.delivered(1, reserved(&taken), 0);
        let (slot, _) = owner.join().unwrap();
        // Whether the item was refused or kept, the next that is refused is heard.
        intake.append(&slot, &ITEM, &Arc::new(()));
        intake.append(&slot, &ITEM, &Arc::new(()));
        assert!(intake.take_pressure(), "nobody listens to a full queue");
        balanced(&intake);
    });
}
