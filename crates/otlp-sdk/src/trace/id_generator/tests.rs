use std::collections::HashSet;
use std::sync::mpsc;
use std::thread;

use super::*;

/// Answers with whatever it was told to.
#[derive(Debug)]
struct Fixed(u128, u64);

impl IdGenerator for Fixed {
    fn new_trace_id(&self) -> TraceId {
        TraceId::from(self.0)
    }

    fn new_span_id(&self) -> SpanId {
        SpanId::from(self.1)
    }
}

#[derive(Debug)]
struct Panicking;

impl IdGenerator for Panicking {
    fn new_trace_id(&self) -> TraceId {
        panic!("no trace id today")
    }

    fn new_span_id(&self) -> SpanId {
        panic!("no span id today")
    }
}

// I1
#[test]
fn ids_are_unique_and_never_zero_across_threads() {
    const THREADS: usize = 8;
    const IDS: usize = 20_000;

    let made: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..THREADS)
            .map(|_| {
                scope.spawn(|| {
                    let ids = IdSource::Random;
                    (0..IDS).map(|_| (ids.new_trace_id(), ids.new_span_id())).collect::<Vec<_>>()
                })
            })
            .collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });

    let traces: HashSet<_> = made.iter().map(|(trace, _)| *trace).collect();
    let spans: HashSet<_> = made.iter().map(|(_, span)| *span).collect();
    assert_eq!(traces.len(), THREADS * IDS);
    assert_eq!(spans.len(), THREADS * IDS);
    assert!(!traces.contains(&TraceId::INVALID));
    assert!(!spans.contains(&SpanId::INVALID));
}

// I2: each of the low 56 bits (and of the others) is set in about half of the ids.
#[test]
fn every_bit_of_a_trace_id_is_random() {
    const IDS: u32 = 20_000;
    let mut set = [0_u32; 128];
    for _ in 0..IDS {
        let id = u128::from_be_bytes(RandomIdGenerator.new_trace_id().to_bytes());
        for (bit, count) in set.iter_mut().enumerate() {
            *count += u32::from(id >> bit & 1 == 1);
        }
    }
    // Ten standard deviations (sqrt(20000) / 2 = 71) around the mean: cannot fail by chance.
    for (bit, count) in set.iter().enumerate() {
        assert!((9_290..=10_710).contains(count), "bit {bit} was set {count} times of {IDS}");
    }
}

fn plant(rng: &SmallRng) {
    SEEDED.set(Some(rng.clone()));
}

#[test]
fn a_seed_is_replaced_after_some_65_536_ids() {
    let mut planted = SmallRng::seed_from_u64(1);
    plant(&planted);
    let mut ids = 0;
    while SEEDED.with_borrow(Option::is_some) {
        assert_eq!(RandomIdGenerator.new_span_id(), SpanId::from(planted.next_u64()));
        ids += 1;
        assert!(ids < 1 << 20, "a seed is used up after 65,536 ids on average");
    }
    assert_ne!(RandomIdGenerator.new_span_id(), SpanId::from(planted.next_u64()));
}

#[test]
fn the_last_id_of_a_seed_is_never_zero() {
    plant(&SmallRng::seed_from_u64(7));
    assert_eq!(last_of_seed(0), 1);
    assert_eq!(last_of_seed(1 << 16), 1 << 16);
    assert!(SEEDED.with_borrow(Option::is_none));
}

#[test]
fn reseed_separates_a_forked_child_from_its_parent() {
    let before_the_fork = SmallRng::seed_from_u64(7);
    plant(&before_the_fork);
    let parent = RandomIdGenerator.new_span_id();
    plant(&before_the_fork);
    assert_eq!(RandomIdGenerator.new_span_id(), parent, "the copy repeats its parent");
    plant(&before_the_fork);
    RandomIdGenerator::reseed();
    assert_ne!(RandomIdGenerator.new_span_id(), parent);
}

#[test]
fn ids_can_be_drawn_while_the_generator_is_busy() {
    SEEDED.with(|cell| {
        let _busy = cell.borrow_mut();
        assert_ne!(RandomIdGenerator.new_trace_id(), RandomIdGenerator.new_trace_id());
    });
}

#[test]
fn ids_can_be_drawn_while_thread_locals_are_destroyed() {
    struct Late(mpsc::Sender<(TraceId, SpanId)>);
    impl Drop for Late {
        fn drop(&mut self) {
            let made = (RandomIdGenerator.new_trace_id(), RandomIdGenerator.new_span_id());
            self.0.send(made).unwrap();
        }
    }
    thread_local!(static LATE: RefCell<Option<Late>> = const { RefCell::new(None) });

    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        LATE.set(Some(Late(sender)));
        let _ = RandomIdGenerator.new_trace_id();
    })
    .join()
    .unwrap();

    let (trace_id, span_id) = receiver.recv().unwrap();
    assert_ne!(trace_id, TraceId::INVALID);
    assert_ne!(span_id, SpanId::INVALID);
}

#[test]
fn seeds_made_without_the_system_random_source_differ() {
    let seeds: HashSet<_> = (0..1_000).map(|_| weak_seed()).collect();
    assert_eq!(seeds.len(), 1_000);
}

#[test]
fn a_custom_generator_is_used() {
    let ids = IdSource::custom(Fixed(42, 7), false);
    assert_eq!(ids.new_trace_id(), TraceId::from(42));
    assert_eq!(ids.new_span_id(), SpanId::from(7));
}

// I2: the custom generator declares whether its ids qualify.
#[test]
fn a_custom_generator_declares_whether_its_ids_are_random() {
    assert!(IdSource::default().ids_are_random());
    assert!(IdSource::from(RandomIdGenerator::new()).ids_are_random());
    assert!(IdSource::custom(Fixed(1, 1), true).ids_are_random());
    assert!(!IdSource::custom(Fixed(1, 1), false).ids_are_random());
}

#[test]
fn zero_ids_of_a_custom_generator_are_replaced() {
    let ids = IdSource::custom(Fixed(0, 0), false);
    assert_ne!(ids.new_trace_id(), TraceId::INVALID);
    assert_ne!(ids.new_span_id(), SpanId::INVALID);
    assert_ne!(ids.new_trace_id(), ids.new_trace_id());
}

#[test]
fn a_panic_in_a_custom_generator_does_not_reach_the_application() {
    let ids = IdSource::custom(Panicking, true);
    assert_ne!(ids.new_trace_id(), TraceId::INVALID);
    assert_ne!(ids.new_span_id(), SpanId::INVALID);
}

#[test]
fn the_official_sdk_accepts_our_generator() {
    let generator: &dyn IdGenerator = &RandomIdGenerator;
    assert_ne!(generator.new_trace_id(), TraceId::INVALID);
    assert_ne!(generator.new_span_id(), SpanId::INVALID);
}
