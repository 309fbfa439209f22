//! What becomes of data points on their way.

use std::collections::BTreeSet;
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider as _;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_sdk::metrics::{Instrument, SdkMeterProvider, Stream, Temporality};
use otlp_core::Signal;
use otlp_sdk::metrics::{MeterProvider, PeriodicReader, ReaderConfig};
use otlp_sdk::{DropReason, PipelineError};
use otlp_testing::{Reply, Script, Server};

use crate::support::{config, http, points, received, resource, values};

const PATIENCE: Duration = Duration::from_secs(30);

fn provider(server: &Server, config: ReaderConfig) -> (SdkMeterProvider, PeriodicReader) {
    let reader = PeriodicReader::builder(http(server)).with_config(config).build();
    let provider = SdkMeterProvider::builder()
        .with_resource(resource())
        .with_view(many)
        .with_reader(reader.clone())
        .build();
    (provider, reader)
}

/// Room for more attribute sets than the SDK keeps by default (row M5).
fn many(instrument: &Instrument) -> Option<Stream> {
    let stream = || Stream::builder().with_cardinality_limit(20_000).build().ok();
    instrument.name().starts_with("many").then(stream).flatten()
}

#[test]
fn cumulative_points_repeat_their_start_and_delta_points_continue_each_other() {
    // M6
    for (temporality, expected) in
        [(Temporality::Cumulative, [1, 3, 6]), (Temporality::Delta, [1, 2, 3])]
    {
        let server = Server::start();
        let (provider, reader) = provider(&server, config().with_temporality(temporality));
        let counter = provider.meter("test").u64_counter("counter").build();
        for n in 1..=3 {
            counter.add(n, &[]);
            reader.force_flush().unwrap();
        }
        assert_eq!(values(&server, "counter"), expected);
        let points = points(&server, "counter");
        for two in points.windows(2) {
            let expected = match temporality {
                Temporality::Delta => two[0].time_unix_nano,
                _ => two[0].start_time_unix_nano,
            };
            assert_eq!(two[1].start_time_unix_nano, expected, "{temporality:?}");
            assert!(two[0].time_unix_nano < two[1].time_unix_nano);
        }
    }
}

#[test]
fn delta_points_tell_only_of_what_was_measured_since_the_last_collection() {
    // M6
    let server = Server::start();
    let (provider, reader) = provider(&server, config().with_temporality(Temporality::Delta));
    provider.meter("test").u64_counter("counter").build().add(1, &[]);
    (0..3).for_each(|_| reader.force_flush().unwrap());
    assert_eq!(values(&server, "counter"), [1]);
    assert_eq!(server.counts().arrived, 1, "nothing measured is no request");
}

#[test]
fn a_metric_of_five_thousand_attribute_sets_is_cut_by_bytes_and_nothing_is_lost() {
    const LIMIT: usize = 64 * 1024;
    let server = Server::start();
    let (provider, reader) = provider(&server, config().with_max_request_bytes(LIMIT));
    let counter = provider.meter("test").u64_counter("many").build();
    for n in 0..5_000 {
        counter.add(1, &[KeyValue::new("n", n), KeyValue::new("route", format!("/path/{n}"))]);
    }
    reader.force_flush().unwrap();
    let points = points(&server, "many");
    let sets: BTreeSet<_> = points.iter().map(|point| format!("{:?}", point.attributes)).collect();
    assert_eq!((points.len(), sets.len()), (5_000, 5_000));
    let requests = server.requests();
    assert!(requests.len() > 5, "{} requests", requests.len());
    assert!(requests.iter().all(|request| request.wire.len() <= LIMIT));
    let ledger = reader.ledger();
    assert_eq!((ledger.ended, ledger.delivered), (5_000, 5_000), "{ledger}");
}

#[test]
fn ten_thousand_points_leave_in_one_request() {
    let server = Server::start();
    let (provider, reader) = provider(&server, config());
    let counter = provider.meter("test").u64_counter("many").build();
    (0..10_000).for_each(|n| counter.add(1, &[KeyValue::new("n", n)]));
    reader.force_flush().unwrap();
    assert_eq!((server.items(Signal::Metrics), server.counts().arrived), (10_000, 1));
}

#[test]
fn the_pieces_of_a_large_metric_have_one_identity_and_no_point_twice() {
    let server = Server::start();
    let (provider, reader) = provider(&server, config());
    let counter = provider.meter("test").u64_counter("many").with_unit("1").build();
    (0..5_000).for_each(|n| counter.add(1, &[KeyValue::new("n", n)]));
    reader.force_flush().unwrap();
    let requests = received(&server);
    let [resource] = &requests[0].resource_metrics[..] else { panic!("{requests:?}") };
    let [scope] = &resource.scope_metrics[..] else { panic!("{resource:?}") };
    let identities = scope.metrics.iter().cloned().map(|mut metric| {
        let Some(Data::Sum(sum)) = &mut metric.data else { panic!("{metric:?}") };
        assert!(!std::mem::take(&mut sum.data_points).is_empty());
        format!("{metric:?}")
    });
    let identities: BTreeSet<_> = identities.collect();
    assert!(requests.len() == 1 && scope.metrics.len() > 1, "{} pieces", scope.metrics.len());
    assert_eq!(identities.len(), 1, "{identities:#?}");
    let points = points(&server, "many");
    let sets: BTreeSet<_> = points.iter().map(|point| format!("{:?}", point.attributes)).collect();
    assert_eq!((points.len(), sets.len()), (5_000, 5_000));
}

#[test]
fn a_limit_in_points_cuts_requests_too() {
    // M9
    let server = Server::start();
    let (provider, reader) = provider(&server, config().with_max_export_batch_size(300));
    let counter = provider.meter("test").u64_counter("many").build();
    (0..1_000).for_each(|n| counter.add(1, &[KeyValue::new("n", n)]));
    reader.force_flush().unwrap();
    let sizes: Vec<_> = server.requests().iter().map(|request| request.items()).collect();
    assert_eq!(sizes, [300, 300, 300, 100]);
}

#[test]
fn a_request_that_a_server_calls_too_large_is_cut_between_points() {
    let server = Server::start();
    server.respond_with(Script::call(|request| match request.items() {
        0..=2_000 => Reply::ok(),
        _ => Reply::http(413),
    }));
    let (provider, reader) = provider(&server, config());
    let counter = provider.meter("test").u64_counter("many").build();
    (0..6_000).for_each(|n| counter.add(1, &[KeyValue::new("n", n)]));
    reader.force_flush().unwrap();
    assert_eq!(server.items(Signal::Metrics), 6_000);
    assert_eq!(reader.ledger().delivered, 6_000);
}

#[test]
fn a_point_that_no_request_can_hold_is_counted_and_the_others_arrive() {
    let server = Server::start();
    let (provider, reader) = provider(&server, config().with_max_request_bytes(10_000));
    let counter = provider.meter("test").u64_counter("counter").build();
    counter.add(1, &[KeyValue::new("long", "x".repeat(20_000))]);
    counter.add(2, &[KeyValue::new("short", "x")]);
    let error = reader.force_flush().unwrap_err();
    assert!(matches!(&error, PipelineError::Lost { lost: 1, .. }), "{error}");
    assert_eq!(values(&server, "counter"), [2]);
    let ledger = reader.ledger();
    assert_eq!((ledger.dropped(DropReason::TooLarge), ledger.delivered), (1, 1));
    assert_eq!(ledger.unaccounted(), 0);
}

#[test]
fn rejected_points_are_counted_and_not_sent_again() {
    let server = Server::start();
    server.respond_with(Reply::partial_success(2, "no room"));
    let (provider, reader) = provider(&server, config());
    let counter = provider.meter("test").u64_counter("counter").build();
    (0..5).for_each(|n| counter.add(1, &[KeyValue::new("n", n)]));
    let error = reader.force_flush().unwrap_err();
    assert!(matches!(&error, PipelineError::Lost { lost: 2, .. }), "{error}");
    let ledger = reader.ledger();
    assert_eq!((ledger.delivered, ledger.rejected, server.counts().arrived), (3, 2, 1));
}

#[test]
fn what_is_collected_while_a_server_is_away_arrives_when_it_is_back_and_in_order() {
    let server = Server::start();
    let interval = Duration::from_millis(20);
    let (provider, reader) = provider(&server, config().with_interval(interval));
    let counter = provider.meter("test").u64_counter("counter").build();
    counter.add(1, &[]);
    server.wait_for_items(Signal::Metrics, 1, PATIENCE).unwrap();
    server.stop();
    let held = reader.ledger().ended + 5;
    while reader.ledger().ended < held {
        counter.add(1, &[]);
        std::thread::yield_now();
    }
    server.restart().unwrap();
    reader.shutdown_with_timeout(PATIENCE).unwrap();
    let ledger = reader.ledger();
    assert_eq!((ledger.delivered, ledger.held), (ledger.ended, 0), "{ledger}");
    assert_eq!(ledger.unaccounted(), 0);
    let found = points(&server, "counter");
    // A request that was cut off may have arrived, be sent again, and be noted late.
    assert!(found.len() as u64 >= ledger.ended);
    let mut known = BTreeSet::new();
    let mut times: Vec<_> = found.iter().map(|point| point.time_unix_nano).collect();
    times.retain(|time| known.insert(*time));
    assert!(times.is_sorted(), "in the order of collection: {found:#?}");
}

#[test]
fn a_queue_that_is_full_drops_new_points_and_counts_them() {
    let server = Server::start();
    server.pause();
    let (provider, reader) = provider(&server, config().with_max_queue_bytes(100_000));
    let counter = provider.meter("test").u64_counter("many").build();
    (0..5_000).for_each(|n| counter.add(1, &[KeyValue::new("n", n)]));
    let timeout = Duration::from_millis(200);
    let error = reader.force_flush_with_timeout(timeout).unwrap_err();
    assert!(matches!(&error, PipelineError::Timeout { .. }), "{error}");
    let ledger = reader.ledger();
    assert!(ledger.dropped(DropReason::QueueFull) > 0 && ledger.held > 0, "{ledger}");
    assert_eq!((ledger.ended, ledger.unaccounted()), (5_000, 0), "{ledger}");
    server.resume();
    reader.shutdown_with_timeout(PATIENCE).unwrap_err();
    let ledger = reader.ledger();
    assert_eq!(server.items(Signal::Metrics), ledger.delivered);
    assert_eq!((ledger.held, ledger.unaccounted()), (0, 0), "{ledger}");
}

#[test]
fn two_readers_deliver_to_two_servers_each_with_its_own_account() {
    // M9
    let [first, second] = [Server::start(), Server::start()];
    let provider = MeterProvider::builder()
        .with_resource(resource())
        .with_exporter_config(http(&first), config())
        .with_exporter_config(http(&second), config().with_temporality(Temporality::Delta))
        .build();
    let counter = provider.meter("test").u64_counter("counter").build();
    for n in [1, 2] {
        counter.add(n, &[]);
        provider.force_flush().unwrap();
    }
    assert_eq!(values(&first, "counter"), [1, 3]);
    assert_eq!(values(&second, "counter"), [1, 2]);
    assert_eq!(provider.ledgers().iter().map(|it| it.delivered).collect::<Vec<_>>(), [2, 2]);
    assert_eq!(provider.ledger().delivered, 4);
    let resource = received(&first)[0].resource_metrics[0].resource.clone().unwrap();
    assert_eq!(resource.attributes[0].key, "service.name");
}
