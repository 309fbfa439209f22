"""Proves that log records and metrics of a client of ours are understood by software that is not ours, as
check.py does for spans.

    check_signals.py CLIENT     CLIENT is called with: logs|cumulative|delta|lowmemory http|json|grpc ENDPOINT
                                none|gzip|zstd, or … file PATH none, where a temporality means metrics

Exit code 0 when all scenarios hold. Listens on loopback, on ports that the system picks.
"""

import json
import sys

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.metrics.v1 import metrics_pb2
from otlp_fields import (
    attributes,
    compare_ledger,
    compare_resources,
    differences,
    double,
    identifier,
    resource_of,
    scope_of,
    unknown_fields,
    value_of,
)
from otlp_servers import Scenario, Servers, check_all

TEMPORALITIES = ("cumulative", "delta", "lowmemory")


def scenarios(what):
    """Every transport under every compression, and answers that are not the usual."""
    signal = "logs" if what == "logs" else "metrics"
    for transport in ("http", "json", "grpc"):
        # The C core does not know zstd; the Collector does, see check_collector.py.
        for compression in ("none", "gzip") if transport == "grpc" else ("none", "gzip", "zstd"):
            yield Scenario(f"{what}, {transport} {compression}", signal, (what,), transport, compression)
        refused, rejected = "first request refused for now", "one item rejected"
        yield Scenario(f"{what}, {transport}, {refused}", signal, (what,), transport, "gzip", "refuse")
        yield Scenario(f"{what}, {transport}, {rejected}", signal, (what,), transport, "none", "reject one")
    yield Scenario(f"{what}, file", signal, (what,), "file", "none")


SCENARIOS = [scenario for what in ("logs", *TEMPORALITIES) for scenario in scenarios(what)]


def records_of(request):
    """Every log record of a request in the shape of the client's report, resource and scope beside it."""
    for of_resource in request.resource_logs:
        resource = resource_of(of_resource)
        for of_scope in of_resource.scope_logs:
            scope = scope_of(of_scope)
            for record in of_scope.log_records:
                yield resource, {**record_fields(record), "scope": scope}


def record_fields(record):
    return {
        "time": str(record.time_unix_nano),
        "observed": str(record.observed_time_unix_nano),
        "severity_number": record.severity_number,
        "severity_text": record.severity_text,
        "body": value_of(record.body) if record.HasField("body") else None,
        "attributes": attributes(record.attributes),
        "dropped_attributes": record.dropped_attributes_count,
        "flags": record.flags,
        "trace_id": identifier(record.trace_id, 16) if record.trace_id else "",
        "span_id": identifier(record.span_id, 8) if record.span_id else "",
        "event_name": record.event_name,
    }


def compare_logs(sent, received, treat):
    """All that is wrong with one scenario. Records are told apart by their time."""
    arrived, resources = {}, []
    for request in received.requests:
        for resource, record in records_of(request):
            if record["time"] in arrived:
                yield f"the record of {record['time']} arrived twice"
            arrived[record["time"]] = record
            resources.append(resource)
    yield from compare_resources(sent["resource"], resources)
    for record in sent["records"]:
        name = f"record of {record['time']}"
        actual = arrived.pop(record["time"], None)
        if actual is None:
            yield f"{name} did not arrive"
            continue
        if record["observed"] == "now" and between(sent, actual["observed"]):
            actual["observed"] = "now"
        yield from differences(record, actual, name)
    for time in arrived:
        yield f"record of {time} was never sent"
    yield from compare_ledger(len(sent["records"]), sent, received, treat)


def between(sent, *times):
    """Whether times are in order, and within the client's life."""
    times = [int(sent["before"]), *map(int, times), int(sent["after"])]
    return times == sorted(times)


def metrics_of(request):
    """Every metric of a request without its points, these, resource and scope beside it."""
    for of_resource in request.resource_metrics:
        resource = resource_of(of_resource)
        for of_scope in of_resource.scope_metrics:
            scope = scope_of(of_scope)
            for metric in of_scope.metrics:
                fields, points = metric_fields(metric)
                yield resource, {**fields, "scope": scope}, points


def metric_fields(metric):
    kind = metric.WhichOneof("data")
    if kind not in POINTS:
        raise ValueError(f"data of kind {kind}")
    data = getattr(metric, kind)
    temporality = None
    if kind != "gauge":
        temporality = metrics_pb2.AggregationTemporality.Name(data.aggregation_temporality)
        temporality = temporality.removeprefix("AGGREGATION_TEMPORALITY_")
    if metric.metadata:
        raise ValueError("metadata, which no API of ours can set")
    fields = {
        "name": metric.name,
        "description": metric.description,
        "unit": metric.unit,
        "data": kind,
        "monotonic": data.is_monotonic if kind == "sum" else None,
        "temporality": temporality,
    }
    return fields, [(point, POINTS[kind](point)) for point in data.data_points]


def number_point(point):
    kind = point.WhichOneof("value")
    if kind == "as_int":
        return {**any_point(point), "value": {"int": point.as_int}}
    if kind == "as_double":
        return {**any_point(point), "value": {"double": double(point.as_double)}}
    raise ValueError(f"number of kind {kind}")


def histogram_point(point):
    return {
        **any_histogram_point(point),
        "bucket_counts": list(point.bucket_counts),
        "explicit_bounds": [double(bound) for bound in point.explicit_bounds],
    }


def exponential_histogram_point(point):
    return {
        **any_histogram_point(point),
        "scale": point.scale,
        "zero_count": point.zero_count,
        "zero_threshold": double(point.zero_threshold),
        "positive": buckets(point.positive),
        "negative": buckets(point.negative),
    }


def buckets(buckets):
    return {"offset": buckets.offset, "counts": list(buckets.bucket_counts)}


def any_histogram_point(point):
    optional = {
        name: double(getattr(point, name)) if point.HasField(name) else None
        for name in ("sum", "min", "max")
    }
    return {**any_point(point), "count": point.count, **optional}


def any_point(point):
    return {"flags": point.flags, "exemplars": len(point.exemplars)}


POINTS = {
    "gauge": number_point,
    "sum": number_point,
    "histogram": histogram_point,
    "exponential_histogram": exponential_histogram_point,
}


def compare_metrics(sent, received, treat):
    """All that is wrong with one scenario. A series is known by scope, name and attributes; a metric may come
    in pieces, which must agree."""
    arrived, resources = {}, []
    for request in received.requests:
        for resource, fields, points in metrics_of(request):
            resources.append(resource)
            known = arrived.setdefault(json.dumps([fields["scope"]["name"], fields["name"]]), (fields, {}))
            yield from differences(known[0], fields, f"pieces of {fields['name']}")
            for point, point_fields in points:
                own = json.dumps(attributes(point.attributes), sort_keys=True)
                known[1].setdefault(own, []).append((point, point_fields))
    yield from compare_resources(sent["resource"], resources)
    total = 0
    for metric in sent["metrics"]:
        all_series = metric.pop("series")
        fields, found = arrived.pop(json.dumps([metric["scope"]["name"], metric["name"]]), (None, {}))
        if fields is None:
            yield f"metric {metric['name']!r} did not arrive"
            continue
        yield from differences(metric, fields, metric["name"])
        for series in all_series:
            points = found.pop(json.dumps(series["attributes"], sort_keys=True), [])
            name = f"{metric['name']} {json.dumps(series['attributes'])[:80]}"
            yield from differences(series["points"], [fields for _, fields in points], name)
            yield from compare_times(sent, metric["temporality"], [point for point, _ in points], name)
            total += len(series["points"])
        for own in found:
            yield f"{metric['name']} {own[:80]} was never measured"
    for name in arrived:
        yield f"metric {name} was never sent"
    yield from compare_ledger(total, sent, received, treat)


def compare_times(sent, temporality, points, name):
    for point in points:
        times = (point.start_time_unix_nano, point.time_unix_nano)
        if not between(sent, *times):
            yield f"{name}: the times {times} are not in order within {sent['before']} and {sent['after']}"
    for before, after in zip(points, points[1:]):
        start = after.start_time_unix_nano
        if temporality == "CUMULATIVE" and start != before.start_time_unix_nano:
            yield f"{name}: cumulative points start at {before.start_time_unix_nano} and {start}"
        if temporality == "DELTA" and start != before.time_unix_nano:
            yield f"{name}: a delta point starts at {start}, the one before ends at {before.time_unix_nano}"
        if before.time_unix_nano >= after.time_unix_nano:
            yield f"{name}: points are not in the order of their times"


def check(scenario, run):
    """Runs a scenario: a text for people, and what is wrong."""
    sent, received = run(scenario)
    problems = list(received.problems)
    for request in received.requests:
        problems += unknown_fields(request, "request")
    compare = compare_logs if scenario.signal == "logs" else compare_metrics
    problems += compare(sent, received, scenario.treat)
    items = "records" if scenario.signal == "logs" else "data points"
    return f"{sent['ledger']['ended']} {items} in {len(received.requests)} requests", problems


def self_test():
    """The comparison must notice a difference in any field, or a passing run means nothing."""
    log = logs_service_pb2.ExportLogsServiceRequest()
    record = log.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=1)
    metrics = metrics_service_pb2.ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
    point = metric.exponential_histogram.data_points.add(count=1)
    changes = [
        (record, record_fields, "observed_time_unix_nano", 1),
        (record, record_fields, "severity_number", 9),
        (record, record_fields, "severity_text", "text"),
        (record, record_fields, "dropped_attributes_count", 1),
        (record, record_fields, "flags", 1),
        (record, record_fields, "trace_id", b"\1" * 16),
        (record, record_fields, "event_name", "name"),
        (record.body, lambda _: record_fields(record), "bytes_value", b""),
        (metric, lambda metric: metric_fields(metric)[0], "unit", "s"),
        (metric.exponential_histogram, lambda _: metric_fields(metric)[0], "aggregation_temporality", 1),
        (point, exponential_histogram_point, "sum", 0.0),
        (point, exponential_histogram_point, "min", -0.0),
        (point, exponential_histogram_point, "scale", -1),
        (point, exponential_histogram_point, "zero_count", 1),
        (point.positive, lambda _: exponential_histogram_point(point), "offset", 1),
    ]
    for message, fields, name, value in changes:
        before = fields(message)
        setattr(message, name, value)
        assert len(list(differences(before, fields(message), "it"))) == 1, name
    sent = {"before": "1", "after": "3"}
    assert between(sent, 1, 2) and not between(sent, 2, 1) and not between(sent, 4)
    points = [metrics_pb2.NumberDataPoint(start_time_unix_nano=1, time_unix_nano=2) for _ in range(2)]
    assert len(list(compare_times(sent, "DELTA", points, "it"))) == 2


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    self_test()
    servers = Servers()
    client = sys.argv[1:]
    check_all("interop python", SCENARIOS, lambda it: check(it, lambda it: servers.run(client, it)))
    servers.stop()


if __name__ == "__main__":
    main()
