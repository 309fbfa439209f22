"""Sends traces, metrics and logs with the official Python SDK: the same data first to DIRECT, then to VIA.

    send_sdk.py http|grpc none|gzip VIA DIRECT SECONDS

DIRECT takes OTLP over HTTP in protobuf; VIA takes what the first two arguments say. An export may take so many
SECONDS, the SDK's own retries included. Prints, as JSON, for each signal whether all exports to VIA were a success
by the SDK's word.
"""

import json
import math
import sys

import grpc
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogs
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter as HttpLogs
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.metrics import Observation
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace.status import Status, StatusCode

# An encoding that a client gives up on after its first answer shows only then.
TIMES = 3
TEXT = "größe 日本 🚀 \0 \x1f \u2028 \"quoted\" \\ /"
VALUES = {
    "string": TEXT,
    "string.empty": "",
    "string.long": "lorem ipsum " * 200,
    "bool": True,
    "bool.false": False,
    "int": -(2**63),
    "int.max": 2**63 - 1,
    "int.odd": 2**53 + 1,
    "int.zero": 0,
    "double": 0.1,
    "double.whole": 1.0,
    "double.tiny": 5e-324,
    "double.negative.zero": -0.0,
    "double.nan": math.nan,
    "double.infinity": math.inf,
    "double.minus.infinity": -math.inf,
    "bytes": b"\x00\xff\xfe text",
    "bytes.empty": b"",
    "strings": ("", TEXT),
    "bools": (True, False),
    "ints": (-1, 0, 2**62),
    "doubles": (0.5, -0.0, 1e300),
    "array.empty": (),
    "array.mixed": ("text", 1, 2.5, True, None, (b"deep",)),
    "map": {"inner": {"deeper": [1, "two"]}, "none": None},
    "map.empty": {},
    "none": None,
    "größe": "a key that is not ASCII",
}
RESOURCE = Resource(
    {"service.name": "sends from Python", **VALUES}, schema_url="https://opentelemetry.io/schemas/1.37.0"
)


def spans():
    """Finished spans of two scopes, one of them with all that a span can have."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer(
        "first.scope", "1.2.3", "https://example.com/schema", attributes={"scope.attribute": 1}
    )
    other = trace.SpanContext(
        0x0102030405060708090A0B0C0D0E0F10,
        0x1112131415161718,
        is_remote=True,
        trace_flags=trace.TraceFlags(1),
        trace_state=trace.TraceState([("vendor", "x:1"), ("other", "y")]),
    )
    parent = trace.set_span_in_context(trace.NonRecordingSpan(other))
    start = 1_700_000_000_123_456_789
    for kind in trace.SpanKind:
        span = tracer.start_span(f"span {kind.name}", parent, kind, start_time=start)
        span.end(end_time=start + 987_654_321)
    links = [trace.Link(other, VALUES), trace.Link(other)]
    span = tracer.start_span(TEXT, parent, trace.SpanKind.SERVER, VALUES, links, start)
    span.add_event("event", VALUES, start + 1)
    span.add_event("", None, start + 2)
    span.record_exception(ValueError("größe"))
    span.set_status(Status(StatusCode.ERROR, "no: ßø"))
    span.end(end_time=2**63 - 1)
    with provider.get_tracer("").start_as_current_span("root of another scope") as root:
        root.set_status(Status(StatusCode.OK))
        with provider.get_tracer("").start_as_current_span(""):
            pass
    return exporter.get_finished_spans()


def metrics(temporality):
    """What a collection brings: every kind of metric, with exemplars."""
    delta = {Counter: temporality, Histogram: temporality}
    reader = InMemoryMetricReader(preferred_temporality=delta)
    views = [View(instrument_name="exponential*", aggregation=ExponentialBucketHistogramAggregation())]
    provider = MeterProvider([reader], RESOURCE, views=views)
    meter = provider.get_meter("first.scope", "1.2.3", "https://example.com/schema", {"scope.attribute": True})
    with TracerProvider().get_tracer("exemplars").start_as_current_span("current"):
        counter = meter.create_counter("counter", "By", TEXT)
        counter.add(2**62, VALUES)
        counter.add(1)
        meter.create_counter("counter.double").add(0.1, {"größe": "1"})
        meter.create_up_down_counter("up.down").add(-5, {"key": "value"})
        meter.create_up_down_counter("up.down.double").add(-0.5)
        meter.create_gauge("gauge").set(-1e300, {"key": "value"})
        meter.create_gauge("gauge.int").set(0)
        histogram = meter.create_histogram("histogram", explicit_bucket_boundaries_advisory=[0.0, 0.5, 1e3])
        exponential = meter.create_histogram("exponential", "s")
        for value in (0.0, 0.1, 0.7, 5e-300, 1e9, 3.5):
            histogram.record(value, {"key": 1})
            exponential.record(value, {"key": 2})
        exponential.record(1, {"key": 3})
        meter.create_histogram("histogram.without.buckets", explicit_bucket_boundaries_advisory=[]).record(3)
    observe = [lambda _: [Observation(7, {"observed": True}), Observation(-7, {"observed": False})]]
    corners = (math.nan, math.inf, -math.inf, -0.0)
    observe_corners = [lambda _: [Observation(value, {"of": str(value)}) for value in corners]]
    meter = provider.get_meter("second.scope")
    meter.create_observable_gauge("observed", observe_corners)
    meter.create_observable_counter("observed.counter", observe)
    meter.create_observable_up_down_counter("observed.up.down", observe)
    return reader.get_metrics_data()


def logs():
    """Log records with a body of every kind."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    first = provider.get_logger("first.scope", "1.2.3", "https://example.com/schema", {"scope.attribute": 0.5})
    time = 1_700_000_000_000_000_001
    for body in VALUES.values():
        first.emit(LogRecord(timestamp=time, observed_timestamp=time + 1, body=body, attributes=VALUES))
    with TracerProvider().get_tracer("context").start_as_current_span("current"):
        for severity in SeverityNumber:
            record = LogRecord(severity_number=severity, severity_text=severity.name, body="in a span")
            provider.get_logger("second.scope").emit(record)
    provider.get_logger("").emit(LogRecord(event_name="an.event", observed_timestamp=time))
    return exporter.get_finished_logs()


def exporters(transport, compression, endpoint, timeout, headers):
    """For each signal one, of the same settings."""
    if transport == "grpc":
        kind = grpc.Compression.Gzip if compression == "gzip" else grpc.Compression.NoCompression
        settings = {"insecure": True, "compression": kind, "timeout": timeout}
        classes = {"traces": GrpcSpans, "metrics": GrpcMetrics, "logs": GrpcLogs}
        return {signal: make(endpoint=endpoint, **settings) for signal, make in classes.items()}
    kind = Compression.Gzip if compression == "gzip" else Compression.NoCompression
    settings = {"headers": headers, "compression": kind, "timeout": timeout}
    classes = {"traces": HttpSpans, "metrics": HttpMetrics, "logs": HttpLogs}
    return {signal: make(endpoint=f"{endpoint}/v1/{signal}", **settings) for signal, make in classes.items()}


def batches(signal):
    """What is exported, one request each."""
    if signal == "traces":
        return [spans() for _ in range(TIMES)]
    if signal == "logs":
        return [logs() for _ in range(TIMES)]
    kinds = (AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA)
    return [metrics(kinds[number % len(kinds)]) for number in range(TIMES)]


def main():
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    transport, compression, via, direct, seconds = sys.argv[1:]
    to_direct = exporters("http", "none", direct, float(seconds), {"x-exit": "direct"})
    to_via = exporters(transport, compression, via, float(seconds), {})
    results = {}
    for signal, exporter in to_via.items():
        results[signal] = True
        for batch in batches(signal):
            if to_direct[signal].export(batch).name != "SUCCESS":
                sys.exit(f"{signal} were not taken at {direct}")
            results[signal] = exporter.export(batch).name == "SUCCESS"
            if not results[signal]:
                break
        exporter.shutdown()
        to_direct[signal].shutdown()
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    main()
