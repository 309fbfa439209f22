"""Proves that a client of ours is understood by software that is not ours.

Starts an HTTP and a gRPC server that read OTLP with the official Python protobuf classes, runs the
client against them once per scenario, and compares every field of every span that arrived with what
the client says that it meant to send.

    check.py CLIENT [ARG…]     CLIENT is called with: http|json|grpc ENDPOINT none|gzip|zstd

Exit code 0 when all scenarios hold. Listens on loopback, on ports that the system picks.
"""

import gzip
import json
import os
import re
import struct
import subprocess
import sys
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import otlp_json
import zstandard
from google.protobuf import json_format
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.trace.v1 import trace_pb2

CLIENT_TIMEOUT_SECONDS = 60
MEDIA_JSON = "application/json"
BODY_LIMIT_BYTES = 64 * 1024 * 1024
USER_AGENT = re.compile(r"(^|\s)OTel-OTLP-Exporter-Rust/\d+\.\d+")

# name, transport, compression, how the server treats the first request
SCENARIOS = [
    ("http", "http", "none", "take"),
    ("http gzip", "http", "gzip", "take"),
    ("http zstd", "http", "zstd", "take"),
    ("http, first request refused for now", "http", "gzip", "refuse"),
    ("http, one span rejected", "http", "none", "reject one"),
    ("json", "json", "none", "take"),
    ("json gzip", "json", "gzip", "take"),
    ("json, first request refused for now", "json", "gzip", "refuse"),
    ("json, one span rejected", "json", "none", "reject one"),
    ("grpc", "grpc", "none", "take"),
    ("grpc gzip", "grpc", "gzip", "take"),
    ("grpc, first request refused for now", "grpc", "gzip", "refuse"),
    ("grpc, one span rejected", "grpc", "none", "reject one"),
]


class Received:
    """What the servers saw in one scenario."""

    def __init__(self, compression="none", treat="take", media="application/x-protobuf"):
        self.lock = threading.Lock()
        self.media = media
        self.compression = compression
        self.treat = treat
        self.requests = []
        self.refused = 0
        self.problems = []

    def complain(self, problem):
        with self.lock:
            self.problems.append(problem)

    def take(self, request):
        """Returns the response, or None when this request is refused for now."""
        with self.lock:
            treat, self.treat = self.treat, "take"
            if treat == "refuse":
                self.refused += 1
                return None
            self.requests.append(request)
        response = trace_service_pb2.ExportTraceServiceResponse()
        if treat == "reject one":
            response.partial_success.rejected_spans = 1
            response.partial_success.error_message = "one too many: ßø"
        return response

    def check_headers(self, headers):
        if headers.get("x-interop") != "1":
            self.complain(f"header x-interop is {headers.get('x-interop')!r}, expected '1'")
        if not USER_AGENT.search(headers.get("user-agent", "")):
            self.complain(f"user agent {headers.get('user-agent')!r} does not match the specification")


class Http(BaseHTTPRequestHandler):
    """OTLP over HTTP, in protobuf or JSON."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        received = self.server.received
        try:
            request = self.decode(self.read_body())
        except Exception as error:  # whatever is wrong with the request, the report must name it
            received.complain(f"HTTP request: {type(error).__name__}: {error}")
            self.close_connection = True
            return self.answer(400, b"")
        response = received.take(request)
        if response is None:
            return self.answer(503, b"", {"Retry-After": "1"})
        if received.media == MEDIA_JSON:
            return self.answer(200, json_format.MessageToJson(response).encode())
        return self.answer(200, response.SerializeToString())

    def read_body(self):
        received = self.server.received
        received.check_headers({name.lower(): value for name, value in self.headers.items()})
        if self.path != "/v1/traces":
            raise ValueError(f"path {self.path!r}")
        if self.headers.get("Content-Type") != received.media:
            raise ValueError(f"content type {self.headers.get('Content-Type')!r}")
        length = int(self.headers["Content-Length"])
        if not 0 <= length <= BODY_LIMIT_BYTES:
            raise ValueError(f"content length {length}")
        return self.rfile.read(length)

    def decode(self, body):
        received = self.server.received
        encoding = self.headers.get("Content-Encoding", "none")
        if encoding != received.compression:
            received.complain(f"content encoding {encoding!r}, expected {received.compression!r}")
        if encoding == "gzip":
            body = gzip.decompress(body)
        elif encoding == "zstd":
            body = zstandard.ZstdDecompressor().decompressobj().decompress(body)
        if received.media == MEDIA_JSON:
            return otlp_json.parse(body, trace_service_pb2.ExportTraceServiceRequest)
        return trace_service_pb2.ExportTraceServiceRequest.FromString(body)

    def answer(self, status, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", self.server.received.media)
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Grpc(trace_service_pb2_grpc.TraceServiceServicer):
    """OTLP over gRPC: the official service on the C core."""

    received = Received()

    def Export(self, request, context):
        self.received.check_headers(dict(context.invocation_metadata()))
        response = self.received.take(request)
        if response is None:
            context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        return response


def spans_of(request):
    """Every span of a request in the shape of the client's report, resource and scope beside it."""
    for of_resource in request.resource_spans:
        resource = {
            "schema_url": of_resource.schema_url,
            "attributes": attributes(of_resource.resource.attributes),
        }
        for of_scope in of_resource.scope_spans:
            scope = {
                "name": of_scope.scope.name,
                "version": of_scope.scope.version,
                "schema_url": of_scope.schema_url,
                "attributes": attributes(of_scope.scope.attributes),
            }
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


def identifier(value, length):
    if len(value) != length or not any(value):
        raise ValueError(f"identifier {value.hex()!r} is not {length} bytes with one that is not 0")
    return value.hex()


def attributes(pairs):
    result = {}
    for pair in pairs:
        if pair.key in result:
            raise ValueError(f"attribute {pair.key!r} stands twice in one collection")
        result[pair.key] = value_of(pair.value)
    return result


def value_of(value):
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return {"string": value.string_value}
    if kind == "bool_value":
        return {"bool": value.bool_value}
    if kind == "int_value":
        return {"int": value.int_value}
    if kind == "double_value":
        return {"double": struct.pack(">d", value.double_value).hex()}
    if kind == "array_value":
        return {"array": [value_of(item) for item in value.array_value.values]}
    raise ValueError(f"value of kind {kind}")


def unknown_fields(message, path):
    """The paths of all fields that the official classes do not know."""
    for field in UnknownFieldSet(message):
        yield f"{path}: unknown field {field.field_number}"
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        items = [value] if hasattr(value, "ListFields") else value
        for item in items:
            yield from unknown_fields(item, f"{path}.{field.name}")


def differences(expected, actual, path):
    """Where two JSON-like values differ, one line each."""
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted(expected.keys() | actual.keys()):
            if key not in actual:
                yield f"{path}.{key} is missing"
            elif key not in expected:
                yield f"{path}.{key} was not expected: {short(actual[key])}"
            else:
                yield from differences(expected[key], actual[key], f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(actual, list) and len(expected) == len(actual):
        for index, (left, right) in enumerate(zip(expected, actual)):
            yield from differences(left, right, f"{path}[{index}]")
    # `True == 1` in Python, so the types must agree as well.
    elif type(expected) is not type(actual) or expected != actual:
        yield f"{path}: sent {short(expected)}, received {short(actual)}"


def short(value):
    text = json.dumps(value, ensure_ascii=True)
    return text if len(text) <= 120 else text[:117] + "..."


def compare(sent, received, treat):
    """All that is wrong with one scenario."""
    yield from received.problems
    arrived = {}
    resources = {}
    for request in received.requests:
        yield from unknown_fields(request, "request")
        for resource, span in spans_of(request):
            if span["span_id"] in arrived:
                yield f"span {span['name']!r} arrived twice"
            arrived[span["span_id"]] = span
            resources[json.dumps(resource, sort_keys=True)] = resource
    yield from compare_resources(sent["resource"], list(resources.values()))
    for span in sent["spans"]:
        actual = arrived.pop(span["span_id"], None)
        if actual is None:
            yield f"span {span['name']!r} did not arrive"
        else:
            yield from differences(span, actual, repr(span["name"]))
    for span in arrived.values():
        yield f"span {span['name']!r} was never sent"
    yield from compare_ledger(sent, received, treat)


def compare_resources(expected, resources):
    if len(resources) != 1:
        yield f"{len(resources)} different resources arrived, expected 1"
    for resource in resources:
        own = resource["attributes"]
        for key in ("telemetry.sdk.name", "telemetry.sdk.version"):
            if "string" not in own.get(key, {}):
                yield f"resource attribute {key} is missing"
        # The SDK may add more; what was asked for must be there.
        kept = {key: value for key, value in own.items() if key in expected["attributes"]}
        yield from differences(expected, {**resource, "attributes": kept}, "resource")


def compare_ledger(sent, received, treat):
    rejected = 1 if treat == "reject one" else 0
    total = len(sent["spans"])
    expected = {
        "ended": total,
        "delivered": total - rejected,
        "rejected": rejected,
        "dropped": 0,
        "held": 0,
    }
    yield from differences(expected, sent["ledger"], "ledger")
    if treat == "refuse" and received.refused != 1:
        yield f"{received.refused} requests were refused, expected 1"
    if len(received.requests) < 2:
        yield f"{len(received.requests)} requests, expected more than one batch"


def run_client(command, transport, endpoint, compression):
    # What the environment of this machine says about telemetry or proxies must not matter.
    env = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("OTEL_") and not key.lower().endswith("_proxy")
    }
    result = subprocess.run(
        [*command, transport, endpoint, compression],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=CLIENT_TIMEOUT_SECONDS,
        env=env,
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(f"the client ended with code {result.returncode}")
    return json.loads(result.stdout)


def start_servers():
    http_server = ThreadingHTTPServer(("127.0.0.1", 0), Http)
    http_server.daemon_threads = True
    http_server.received = Received()
    threading.Thread(target=http_server.serve_forever, daemon=True).start()

    grpc_service = Grpc()
    grpc_server = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(grpc_service, grpc_server)
    grpc_port = grpc_server.add_insecure_port("127.0.0.1:0")
    grpc_server.start()
    endpoints = {
        "http": f"http://127.0.0.1:{http_server.server_port}",
        "json": f"http://127.0.0.1:{http_server.server_port}",
        "grpc": f"http://127.0.0.1:{grpc_port}",
    }
    return http_server, grpc_service, grpc_server, endpoints


def run_scenario(command, scenario, servers):
    _, transport, compression, treat = scenario
    http_server, grpc_service, _, endpoints = servers
    media = MEDIA_JSON if transport == "json" else "application/x-protobuf"
    received = Received(compression, treat, media)
    http_server.received = grpc_service.received = received
    try:
        sent = run_client(command, transport, endpoints[transport], compression)
        return sent, received, list(compare(sent, received, treat))
    except Exception as error:  # one broken scenario must not hide the others
        return None, received, [*received.problems, f"{type(error).__name__}: {error}"]


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
    servers = start_servers()
    failed = 0
    for scenario in SCENARIOS:
        sent, received, problems = run_scenario(sys.argv[1:], scenario, servers)
        spans = len(sent["spans"]) if sent else 0
        outcome = "FAILED" if problems else "ok"
        print(f"interop python: {scenario[0]}: {spans} spans in {len(received.requests)} requests: {outcome}")
        for problem in problems[:20]:
            print(f"    {problem}")
        if len(problems) > 20:
            print(f"    and {len(problems) - 20} more")
        failed += bool(problems)
    servers[0].shutdown()
    servers[2].stop(None)
    if failed:
        sys.exit(f"interop python: {failed} of {len(SCENARIOS)} scenarios failed")
    print(f"interop python: all {len(SCENARIOS)} scenarios hold")


if __name__ == "__main__":
    main()
