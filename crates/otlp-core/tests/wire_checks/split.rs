//! A split request says the same as the whole one.

use bytes::Bytes;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use otlp_core::wire::request::{count_items, split};
use otlp_core::{Payload, Rope, Signal, SplitLimit};
use prost::Message;

use super::scan::points;

/// Splits under a limit and with rope borders that the first bytes choose.
pub(crate) fn from_bytes(data: &[u8]) {
    let Some((&[bytes, items, border], request)) = data.split_first_chunk() else {
        return;
    };
    let limit = SplitLimit { bytes: usize::from(bytes) * 8, items: usize::from(items) };
    for signal in Signal::ALL {
        says_the_same(signal, &in_parts(request, usize::from(border)), limit);
    }
}

/// A rope of `data` in parts of `size` bytes; 0 is one part.
pub(crate) fn in_parts(data: &[u8], size: usize) -> Rope {
    if size == 0 {
        return Bytes::copy_from_slice(data).into();
    }
    data.chunks(size).map(Bytes::copy_from_slice).collect()
}

/// Splits a request and checks the parts against the whole.
pub(crate) fn says_the_same(signal: Signal, request: &Rope, limit: SplitLimit) {
    let whole = request.to_bytes();
    let in_one = count_items(signal, &whole.clone().into());
    assert_eq!(in_one, count_items(signal, request), "the rope's borders change the count");
    let parts = split(signal, request, limit);
    let of_one = split(signal, &whole.clone().into(), limit);
    let bytes = |parts: &Vec<Payload>| parts.iter().map(|p| p.rope().clone()).collect::<Vec<_>>();
    assert_eq!(
        parts.as_ref().map(bytes),
        of_one.as_ref().map(bytes),
        "the rope's borders change the parts"
    );
    let (Ok(items), Ok(parts)) = (&in_one, &parts) else {
        assert_eq!(
            in_one.is_ok(),
            parts.is_ok(),
            "count and split disagree: {in_one:?}, {parts:?}"
        );
        return;
    };
    assert_eq!(*items, parts.iter().map(Payload::items).sum::<usize>());
    for part in parts {
        assert_eq!(count_items(signal, part.rope()), Ok(part.items()));
        assert!(part.items() > 0, "an empty part (W3)");
    }
    match signal {
        Signal::Traces => same_items(&whole, parts, limit, spans),
        Signal::Logs => same_items(&whole, parts, limit, log_records),
        Signal::Metrics => same_items(&whole, parts, limit, metrics),
        other => panic!("no oracle for {other}"),
    }
}

/// All items of a request, each with everything that its envelopes say about it; and the number of
/// envelopes without items.
type Flat = (Vec<String>, usize);

fn same_items<M: Message + Default>(
    whole: &[u8],
    parts: &[Payload],
    limit: SplitLimit,
    flatten: fn(M) -> Flat,
) {
    // Items are not looked into, so a request with malformed items is split all the same.
    let Ok(whole) = M::decode(whole) else { return };
    let mut items = Vec::new();
    for part in parts {
        let (part_items, empty) = flatten(M::decode(part.rope().to_bytes()).unwrap());
        assert_eq!(empty, 0, "an empty envelope (W3)");
        let over = part.len() > limit.bytes || part.items() > limit.items.max(1);
        assert!(!over || part_items.len() == 1, "{} bytes, {} items", part.len(), part.items());
        items.extend(part_items);
    }
    assert_eq!(items, flatten(whole).0);
}

fn spans(request: ExportTraceServiceRequest) -> Flat {
    let (mut items, mut empty) = (Vec::new(), 0);
    for resource in request.resource_spans {
        empty += usize::from(resource.scope_spans.is_empty());
        for scope in resource.scope_spans {
            empty += usize::from(scope.spans.is_empty());
            let above = (&resource.resource, &resource.schema_url, &scope.scope, &scope.schema_url);
            items.extend(scope.spans.iter().map(|span| format!("{above:?} {span:?}")));
        }
    }
    (items, empty)
}

fn log_records(request: ExportLogsServiceRequest) -> Flat {
    let (mut items, mut empty) = (Vec::new(), 0);
    for resource in request.resource_logs {
        empty += usize::from(resource.scope_logs.is_empty());
        for scope in resource.scope_logs {
            empty += usize::from(scope.log_records.is_empty());
            let above = (&resource.resource, &resource.schema_url, &scope.scope, &scope.schema_url);
            items.extend(scope.log_records.iter().map(|record| format!("{above:?} {record:?}")));
        }
    }
    (items, empty)
}

/// Metrics without data points are envelopes without items.
fn metrics(request: ExportMetricsServiceRequest) -> Flat {
    let (mut items, mut empty) = (Vec::new(), 0);
    for resource in request.resource_metrics {
        empty += usize::from(resource.scope_metrics.is_empty());
        for scope in resource.scope_metrics {
            let above = (&resource.resource, &resource.schema_url, &scope.scope, &scope.schema_url);
            let (full, without): (Vec<_>, Vec<_>) =
                scope.metrics.iter().partition(|metric| points(metric) > 0);
            empty += without.len() + usize::from(full.is_empty());
            items.extend(full.iter().map(|metric| format!("{above:?} {metric:?}")));
        }
    }
    (items, empty)
}
