use otlp_testing::oracle::Message;

use super::super::testing::{resource, scope, segment};
use super::*;

const UNLIMITED: BatchLimit = BatchLimit { items: usize::MAX, bytes: usize::MAX };

fn queue(segments: impl IntoIterator<Item = Segment<ScopeHeader>>) -> Queue {
    let mut queue = Queue::default();
    queue.extend(segments);
    queue
}

fn payloads(queue: &mut Queue, limit: BatchLimit) -> Vec<Payload> {
    std::iter::from_fn(|| queue.take_batch(Signal::Traces, limit, &resource()))
        .map(|batch| batch.into_payload(Signal::Traces, &resource()))
        .collect()
}

/// `scope/name` of every span of a request, in its order.
fn spans(payload: &Payload) -> Vec<String> {
    let request = otlp_testing::oracle::decode_traces(payload.rope().clone()).unwrap();
    let scopes = request.resource_spans.into_iter().flat_map(|resource| resource.scope_spans);
    scopes
        .flat_map(|scope| {
            let name = scope.scope.unwrap_or_default().name;
            scope.spans.into_iter().map(move |span| format!("{name}/{}", span.name))
        })
        .collect()
}

fn numbers(range: std::ops::Range<u32>) -> impl Iterator<Item = String> {
    range.map(|number| number.to_string())
}

#[test]
fn a_batch_is_cut_at_its_item_limit_and_the_rest_comes_next() {
    let a = scope("a");
    let mut queue = queue([segment(&a, numbers(0..7)), segment(&a, numbers(7..10))]);
    let sent = payloads(&mut queue, BatchLimit { items: 4, ..UNLIMITED });
    assert_eq!(sent.iter().map(Payload::items).collect::<Vec<_>>(), [4, 4, 2]);
    let all: Vec<_> = sent.iter().flat_map(spans).collect();
    assert_eq!(all, numbers(0..10).map(|name| format!("a/{name}")).collect::<Vec<_>>());
    assert_eq!(queue.items(), 0);
}

#[test]
fn a_batch_is_cut_between_items_by_bytes_and_never_over_the_limit() {
    let a = scope("a");
    let names = || (0..40).map(|n| "x".repeat(n * 7 % 200));
    let whole = payloads(&mut queue([segment(&a, names())]), UNLIMITED);
    let longest = overhead(&resource(), &a) + 210;
    for bytes in [longest, longest + 1, 500, 1000, whole[0].len()] {
        let sent = payloads(&mut queue([segment(&a, names())]), BatchLimit { bytes, ..UNLIMITED });
        assert!(sent.iter().all(|payload| payload.len() <= bytes), "limit {bytes}");
        assert_eq!(sent.iter().flat_map(spans).collect::<Vec<_>>(), spans(&whole[0]));
        let small: usize =
            sent.windows(2).filter(|two| two[0].len() + two[1].len() < bytes / 2).count();
        assert_eq!(small, 0, "batches of {bytes} bytes are not filled");
    }
}

#[test]
fn the_headers_of_a_second_scope_count_towards_the_bytes() {
    let (a, b) = (scope("a"), scope(&"b".repeat(300)));
    let mut queue = queue([segment(&a, ["1"]), segment(&b, ["2"])]);
    let sent = payloads(&mut queue, BatchLimit { bytes: 300, ..UNLIMITED });
    assert_eq!(sent.iter().map(Payload::items).collect::<Vec<_>>(), [1, 1]);
}

#[test]
fn an_item_that_is_over_the_limit_alone_is_taken_alone() {
    let a = scope("a");
    let names = ["small".to_owned(), "x".repeat(5000), "next".to_owned()];
    let sent = payloads(&mut queue([segment(&a, names)]), BatchLimit { bytes: 200, ..UNLIMITED });
    assert_eq!(sent.iter().map(Payload::items).collect::<Vec<_>>(), [1, 1, 1]);
    let mut none = queue([segment(&a, ["1", "2"])]);
    assert_eq!(payloads(&mut none, BatchLimit { items: 0, bytes: 0 }).len(), 2);
}

#[test]
fn segments_of_one_scope_share_a_header_and_keep_their_order() {
    let (a, again, b) = (scope("a"), scope("a"), scope("b"));
    let mut queue =
        queue([segment(&a, ["1"]), segment(&b, ["2"]), segment(&again, ["3"]), segment(&a, ["4"])]);
    let [payload] = &payloads(&mut queue, UNLIMITED)[..] else { panic!("one request") };
    assert_eq!(spans(payload), ["a/1", "a/3", "a/4", "b/2"]);
    let request = otlp_testing::oracle::decode_traces(payload.rope().clone()).unwrap();
    assert_eq!(request.resource_spans.len(), 1);
    assert_eq!(request.resource_spans[0].scope_spans.len(), 2);
    assert_eq!(Message::of(payload).unwrap().items(), 4);
}

#[test]
fn items_are_not_copied_on_their_way_into_a_request() {
    let a = scope("a");
    let segment = segment(&a, numbers(0..10));
    let memory = segment.bytes.as_ptr_range();
    for payload in payloads(&mut queue([segment]), BatchLimit { items: 3, ..UNLIMITED }) {
        let inside = |part: &&Bytes| memory.contains(&part.as_ptr());
        let items: usize = payload.rope().parts().iter().filter(inside).map(Bytes::len).sum();
        assert!(items > 0, "the slice of the segment is in the rope");
    }
}

#[test]
fn what_is_reserved_for_a_segment_leaves_with_its_pieces_and_the_rest_with_the_last() {
    let a = scope("a");
    let segment = segment(&a, numbers(0..10));
    let (len, reserved) = (segment.bytes.len(), segment.reserved);
    assert!(reserved > len);
    let mut queue = queue([segment]);
    let taken =
        || queue.take_batch(Signal::Traces, BatchLimit { items: 3, ..UNLIMITED }, &resource());
    let sizes: Vec<_> =
        std::iter::from_fn(taken).map(|batch| (batch.items(), batch.reserved())).collect();
    assert_eq!(sizes.iter().map(|size| size.0).collect::<Vec<_>>(), [3, 3, 3, 1]);
    assert!(sizes[..3].iter().all(|size| size.1 < len / 2), "{sizes:?}");
    assert_eq!(sizes.iter().map(|size| size.1).sum::<usize>(), reserved);
}

#[test]
fn an_item_that_is_cut_off_alone_over_the_limit_takes_all_of_its_reserve() {
    let a = scope("a");
    let segment = segment(&a, ["x".repeat(500)]);
    let reserved = segment.reserved;
    let batch = queue([segment]).take_batch(
        Signal::Traces,
        BatchLimit { items: 9, bytes: 100 },
        &resource(),
    );
    assert_eq!(batch.map(|batch| batch.reserved()), Some(reserved));
}

#[test]
fn what_is_dropped_is_told_in_items_and_reserved_bytes() {
    let (a, b) = (scope("a"), scope("b"));
    let (first, second) = (segment(&a, numbers(0..3)), segment(&b, numbers(0..2)));
    let reserved = first.reserved + second.reserved;
    let mut queue = queue([first, second]);
    assert_eq!(queue.clear(), (5, reserved));
    assert_eq!((queue.items(), queue.clear()), (0, (0, 0)));
    assert!(queue.take_batch(Signal::Traces, UNLIMITED, &resource()).is_none());
}

#[test]
fn the_memory_of_a_long_queue_is_given_back_as_it_empties() {
    let a = scope("a");
    let one = segment(&a, ["1"]);
    let mut queue = queue((0..50_000).map(|_| one.clone()));
    while queue
        .take_batch(Signal::Traces, BatchLimit { items: 100, ..UNLIMITED }, &resource())
        .is_some()
    {
        let (len, capacity) = (queue.segments.len(), queue.segments.capacity());
        assert!(capacity <= (4 * len).max(KEPT_PLACES), "{capacity} places for {len}");
    }
}

/// A gauge with `points` points, as an item.
fn metric(name: &str, points: usize) -> Vec<u8> {
    use otlp_core::SplitLimit;
    use otlp_core::metric::{Gauge, MetricEncoder, MetricIdentity, NumberPoint};
    let (mut item, point) = (Vec::new(), NumberPoint { time_unix_nano: 1, ..Default::default() });
    MetricEncoder::new(SplitLimit::NONE).encode(
        &MetricIdentity { name, ..MetricIdentity::default() },
        Gauge,
        &mut |metric| metric.put_item(&mut item),
        |writer| (0..points).for_each(|_| writer.push(&point)),
    );
    item
}

#[test]
fn metrics_are_counted_by_their_points_wherever_a_batch_is_cut() {
    let a = scope("a");
    let points = [3, 1, 4, 1, 5, 9, 2];
    let whole: Vec<u8> =
        points.iter().flat_map(|points| metric(&"m".repeat(*points), *points)).collect();
    let segment = || Segment {
        scope: Arc::clone(&a),
        reserved: whole.len() + 100,
        bytes: whole.clone().into(),
        items: 25,
    };
    for limit in [
        BatchLimit { items: 5, ..UNLIMITED },
        BatchLimit { items: 1, ..UNLIMITED },
        BatchLimit { items: 24, ..UNLIMITED },
        BatchLimit { bytes: overhead(&resource(), &a) + 130, ..UNLIMITED },
        UNLIMITED,
    ] {
        let (mut queue, mut reserved, mut items) = (queue([segment()]), 0, Vec::new());
        while let Some(batch) = queue.take_batch(Signal::Metrics, limit, &resource()) {
            reserved += batch.reserved();
            let payload = batch.into_payload(Signal::Metrics, &resource());
            let counted = Payload::from_request(Signal::Metrics, payload.rope().clone()).unwrap();
            assert_eq!(payload.items(), counted.items());
            items.push(payload.items());
        }
        assert_eq!((queue.items(), reserved), (0, whole.len() + 100));
        assert_eq!(items.iter().sum::<usize>(), 25, "{items:?}");
        match limit.items {
            1 => assert_eq!(items, points, "a metric is not cut"),
            5 => assert_eq!(items, [4, 5, 5, 9, 2]),
            24 => assert_eq!(items, [23, 2]),
            _ => {}
        }
    }
}
