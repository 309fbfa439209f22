"""Proves that spans of a client of ours are understood by software that is not ours.

Starts an HTTP and a gRPC server that read OTLP with the official Python protobuf classes, runs the
client against them once per scenario, and compares every field of every span that arrived with what
the client says that it meant to send. The lines of its file exporter are read the same way.

    check.py CLIENT [ARG…]     CLIENT is called with: http|json|grpc ENDPOINT none|gzip|zstd, or file PATH none

Exit code 0 when all scenarios hold. Listens on loopback, on ports that the system picks.
"""

import sys

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from otlp_fields import (
    attributes,
    compare_ledger,
    compare_resources,
    differences,
    identifier,
    resource_of,
    scope_of,
    unknown_fields,
)
from otlp_servers import Scenario, Servers, check_all


def scenario(name, transport, compression, treat="take"):
    return Scenario(name, "traces", (), transport, compression, treat)


SCENARIOS = [
    scenario("http", "http", "none"),
    scenario("http gzip", "http", "gzip"),
    scenario("http zstd", "http", "zstd"),
    scenario("http, first request refused for now", "http", "gzip", "refuse"),
    scenario("http, one span rejected", "http", "none", "reject one"),
    scenario("json", "json", "none"),
    scenario("json gzip", "json", "gzip"),
    scenario("json, first request refused for now", "json", "gzip", "refuse"),
    scenario("json, one span rejected", "json", "none", "reject one"),
    scenario("grpc", "grpc", "none"),
    scenario("grpc gzip", "grpc", "gzip"),
    scenario("grpc, first request refused for now", "grpc", "gzip", "refuse"),
    scenario("grpc, one span rejected", "grpc", "none", "reject one"),
    scenario("file", "file", "none"),
]


def spans_of(request):
    """Every span of a request in the shape of the client's report, resource and scope beside it."""
    for of_resource in request.resource_spans:
        resource = resource_of(of_resource)
        for of_scope in of_resource.scope_spans:
            scope = scope_of(of_scope)
            for span in of_scope.spans:
                yield resource, {**span_fields(span), "scope": scope}


def span_fields(span):
    return {
        "trace_id": identifier(span.trace_id, 16),
        "span_id": identifier(span.span_id, 8),
        "parent_span_id": identifier(span.parent_span_id, 8) if span.parent_span_id else "",
        "trace_state": span.trace_state,
        "flags": span.flags,
        "name": span.name,
        "kind": trace_pb2.Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        "start": str(span.start_time_unix_nano),
        "end": str(span.end_time_unix_nano),
        "attributes": attributes(span.attributes),
        "dropped_attributes": span.dropped_attributes_count,
        "events": [
            {
                "name": event.name,
                "time": str(event.time_unix_nano),
                "attributes": attributes(event.attributes),
                "dropped_attributes": event.dropped_attributes_count,
            }
            for event in span.events
        ],
        "dropped_events": span.dropped_events_count,
        "links": [
            {
                "trace_id": identifier(link.trace_id, 16),
                "span_id": identifier(link.span_id, 8),
                "trace_state": link.trace_state,
                "flags": link.flags,
                "attributes": attributes(link.attributes),
                "dropped_attributes": link.dropped_attributes_count,
            }
            for link in span.links
        ],
        "dropped_links": span.dropped_links_count,
        "status": {
            "code": trace_pb2.Status.StatusCode.Name(span.status.code).removeprefix("STATUS_CODE_"),
            "message": span.status.message,
        },
    }


def compare(sent, received, treat):
    """All that is wrong with one scenario."""
    yield from received.problems
    arrived = {}
    resources = []
    for request in received.requests:
        yield from unknown_fields(request, "request")
        for resource, span in spans_of(request):
            if span["span_id"] in arrived:
                yield f"span {span['name']!r} arrived twice"
            arrived[span["span_id"]] = span
            resources.append(resource)
    yield from compare_resources(sent["resource"], resources)
    for span in sent["spans"]:
        actual = arrived.pop(span["span_id"], None)
        if actual is None:
            yield f"span {span['name']!r} did not arrive"
        else:
            yield from differences(span, actual, repr(span["name"]))
    for span in arrived.values():
        yield f"span {span['name']!r} was never sent"
    yield from compare_ledger(len(sent["spans"]), sent, received, treat)


def check(scenario, run):
    """Runs a scenario: a text for people, and what is wrong."""
    sent, received = run(scenario)
    problems = list(compare(sent, received, scenario.treat))
    return f"{len(sent['spans'])} spans in {len(received.requests)} requests", problems


def self_test():
    """The comparison must notice a difference in any field, or a passing run means nothing."""
    span = trace_pb2.Span(
        trace_id=b"\1" * 16,
        span_id=b"\2" * 8,
        name="self test",
        kind=trace_pb2.Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=1,
        end_time_unix_nano=2,
    )
    attribute = span.attributes.add(key="k")
    attribute.value.bool_value = True
    expected = span_fields(span)
    assert not list(differences(expected, span_fields(span), "span"))
    for change in ("name", "trace_state", "dropped_attributes", "status", "kind", "attributes"):
        changed = {**expected, change: None}
        assert len(list(differences(expected, changed, "span"))) == 1, change
    assert list(differences({"int": 1}, {"int": True}, "value")), "a bool is not an integer"
    request = trace_service_pb2.ExportTraceServiceRequest.FromString(b"\x9a\x06\x00")
    assert list(unknown_fields(request, "request")), "field 99 is unknown"


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    self_test()
    servers = Servers()
    client = sys.argv[1:]
    check_all("interop python", SCENARIOS, lambda it: check(it, lambda it: servers.run(client, it)))
    servers.stop()


if __name__ == "__main__":
    main()
