"""What clients of a collector are told when the destination does not take everything."""

import base64
import json
import urllib.error
import urllib.request
from typing import NamedTuple

import grpc
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from otlp_servers import MEDIA_JSON, SIGNALS
from otlp_sink import MEDIA_PROTOBUF, MESSAGE, RETRY_SECONDS
from through_bench import ANSWERS, CALL_TIMEOUT_SECONDS, CODES, Bench, receiver_of
from through_compare import encoded, example

# SDKs try again what is refused for now, until this time is over.
REFUSED_TIMEOUT_SECONDS = 2

STUBS = {
    "traces": trace_service_pb2_grpc.TraceServiceStub,
    "metrics": metrics_service_pb2_grpc.MetricsServiceStub,
    "logs": logs_service_pb2_grpc.LogsServiceStub,
}


class Told(NamedTuple):
    """What a client is told when the destination does not take everything."""

    name: str
    bench: Bench
    destination: str
    exporter: str
    way_in: str

    def check(self):
        exit_name = f"{self.destination} {self.exporter}"
        expected = ANSWERS[self.destination]
        problems = []
        for signal in SIGNALS:
            port = self.bench.port(receiver_of(exit_name), self.way_in)
            call = call_grpc if self.way_in == "grpc" else call_http
            problems += call(port, signal, expected, self.way_in)
        exits, more = self.bench.sink.take()
        arrived = len(exits.get(exit_name, []))
        if arrived != len(SIGNALS):
            more.append(f"{arrived} requests arrived, expected {len(SIGNALS)}")
        return f"{arrived} requests", problems + more


def call_grpc(port, signal, expected, _):
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        try:
            response = STUBS[signal](channel).Export(example(signal), timeout=CALL_TIMEOUT_SECONDS)
        except grpc.RpcError as error:
            status = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
            yield from compare_status(signal, expected, error.code(), error.details(), status)
        else:
            if expected.code is not CODES.OK:
                yield f"{signal} were taken, expected {expected.code}"
            yield from compare_partial(signal, expected, response)


def compare_status(signal, expected, code, details, status):
    if code is not expected.code:
        yield f"{signal}: {code}: {details}, expected {expected.code}"
    if MESSAGE not in details:
        yield f"{signal}: {details!r} does not say {MESSAGE!r}"
    yield from compare_delay(signal, expected, status_pb2.Status.FromString(status))


def compare_delay(signal, expected, status):
    delays = [it for it in status.details if it.Is(error_details_pb2.RetryInfo.DESCRIPTOR)]
    seconds = []
    for it in delays:
        info = error_details_pb2.RetryInfo()
        it.Unpack(info)
        seconds.append(info.retry_delay.seconds)
    if seconds != [RETRY_SECONDS] * expected.has_delay:
        yield f"{signal}: RetryInfo of {seconds} seconds"


def compare_partial(signal, expected, response):
    partial = response.partial_success
    rejected = getattr(partial, SIGNALS[signal].rejected)
    if rejected != expected.rejected or (expected.rejected and MESSAGE not in partial.error_message):
        yield f"{signal}: {rejected} rejected: {partial.error_message!r}, expected {expected.rejected}"


def call_http(port, signal, expected, way_in):
    message, media = example(signal), MEDIA_JSON if way_in == "json" else MEDIA_PROTOBUF
    body = json_of(message) if way_in == "json" else encoded(message)
    url = f"http://127.0.0.1:{port}{SIGNALS[signal].path}"
    request = urllib.request.Request(url, body, {"Content-Type": media})
    # Whatever the environment says of proxies.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        answer = opener.open(request, timeout=CALL_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        content = answer.read()
    if answer.status != expected.status or answer.headers["Content-Type"] != media:
        yield f"{signal}: {answer.status} {answer.headers['Content-Type']}, expected {expected.status} {media}"
        return
    kind = SIGNALS[signal].response if expected.status == 200 else status_pb2.Status
    answered = json_format.Parse(content, kind()) if way_in == "json" else kind.FromString(content)
    if expected.status == 200:
        yield from compare_partial(signal, expected, answered)
        return
    if MESSAGE not in answered.message:
        yield f"{signal}: {answered.message!r} does not say {MESSAGE!r}"
    after = answer.headers["Retry-After"]
    if after != (str(RETRY_SECONDS) if expected.has_delay else None):
        yield f"{signal}: Retry-After: {after}"


def json_of(message):
    """An example as OTLP/JSON, whose ids are hexadecimal."""
    converted = json_format.MessageToDict(message)
    for group in converted.get("resourceSpans", ()):
        for span in (span for scope in group["scopeSpans"] for span in scope["spans"]):
            span.update({name: base64.b64decode(span[name]).hex() for name in ("traceId", "spanId")})
    return json.dumps(converted).encode()


class Refused(NamedTuple):
    """An SDK whose data the destination refuses."""

    name: str
    bench: Bench
    client: list
    transport: str

    def check(self):
        port = self.bench.port(receiver_of("unavailable otlp_grpc"), self.transport)
        said, _ = self.bench.send(self.client, self.transport, "none", port, REFUSED_TIMEOUT_SECONDS)
        _, problems = self.bench.sink.take()
        problems += [f"the SDK says that {signal} were taken" for signal, taken in said.items() if taken]
        return f"{len(said)} signals", problems
