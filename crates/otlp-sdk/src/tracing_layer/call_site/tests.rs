use tracing::callsite::{Callsite, Identifier};
use tracing::field::FieldSet;
use tracing::metadata::Kind;
use tracing::subscriber::Interest;

use super::*;

struct Nowhere;

impl Callsite for Nowhere {
    fn set_interest(&self, _: Interest) {}

    fn metadata(&self) -> &Metadata<'_> {
        panic!("nobody asks")
    }
}

static NOWHERE: Nowhere = Nowhere;

/// Metadata that nobody else has.
fn metadata() -> &'static Metadata<'static> {
    let fields = FieldSet::new(&["one", "two"], Identifier(&NOWHERE));
    let (level, kind) = (Level::INFO, Kind::SPAN);
    let made = Metadata::new("name", "target", level, Some("file"), Some(7), None, fields, kind);
    Box::leak(Box::new(made))
}

fn make(metadata: &'static Metadata<'static>) -> CallSite {
    make_within(metadata, 128)
}

fn make_within(metadata: &'static Metadata<'static>, count: u32) -> CallSite {
    let limits = AttributeLimits { count, ..AttributeLimits::default() };
    let limits = Limits { span: limits, event: limits, log: limits };
    CallSite::new(metadata, &Options::default(), &limits)
}

#[test]
fn each_call_site_is_made_once() {
    let (sites, metadata) = (CallSites::new(), metadata());
    let first = sites.with(metadata, || make(metadata), |site| std::ptr::from_ref(site).addr());
    let again = || panic!("it is known");
    let second = sites.with(metadata, again, |site| std::ptr::from_ref(site).addr());
    assert_eq!(first, second);
    let attributes = sites.with(metadata, || panic!("it is known"), |site| site.attributes.len());
    assert_eq!(attributes, 3, "target, file and line");
}

#[test]
fn full_tables_are_followed_by_larger_ones() {
    let sites = CallSites::new();
    let all: Vec<_> = (0..3_000).map(|_| metadata()).collect();
    for metadata in &all {
        sites.with(
            metadata,
            || make(metadata),
            |site| {
                assert!(std::ptr::eq(site.metadata, *metadata));
            },
        );
    }
    assert!(sites.tables[1].get().is_some(), "the first table has 1024 places");
    for metadata in all {
        sites.with(
            metadata,
            || panic!("it is known"),
            |site| {
                assert!(std::ptr::eq(site.metadata, metadata));
            },
        );
    }
}

#[test]
fn threads_that_meet_at_a_call_site_agree_on_it() {
    let (sites, metadata) = (CallSites::new(), metadata());
    let addresses: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let address = |site: &CallSite| std::ptr::from_ref(site).addr();
                    (0..100)
                        .map(|_| sites.with(metadata, || make(metadata), address))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(addresses.iter().all(|address| *address == addresses[0]));
}

#[test]
fn what_a_call_site_says_of_itself_leaves_its_fields_their_room() {
    let metadata = metadata();
    let kept = |count| {
        let attributes = make_within(metadata, count).attributes;
        (attributes.len(), attributes.dropped())
    };
    // Two fields; target, file and line.
    assert_eq!(kept(5), (3, 0));
    assert_eq!(kept(4), (2, 1));
    assert_eq!(kept(2), (0, 3));
    assert_eq!(kept(0), (0, 3));
}
