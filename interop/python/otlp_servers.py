"""An HTTP and a gRPC server that read OTLP of all signals with the official Python protobuf classes, a reader of
files with such lines, and what runs a client of ours against them once per scenario.
"""

import gzip
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

import grpc
import otlp_json
import zstandard
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

CLIENT_TIMEOUT_SECONDS = 60
MEDIA_JSON = "application/json"
BODY_LIMIT_BYTES = 64 * 1024 * 1024
MESSAGES_SHOWN = 20
USER_AGENT = re.compile(r"(^|\s)OTel-OTLP-Exporter-Rust/\d+\.\d+")


class Signal(NamedTuple):
    path: str
    request: Any
    response: Any
    rejected: str
    service: Any
    register: Any


SIGNALS = {
    "traces": Signal(
        "/v1/traces",
        trace_service_pb2.ExportTraceServiceRequest,
        trace_service_pb2.ExportTraceServiceResponse,
        "rejected_spans",
        trace_service_pb2_grpc.TraceServiceServicer,
        trace_service_pb2_grpc.add_TraceServiceServicer_to_server,
    ),
    "metrics": Signal(
        "/v1/metrics",
        metrics_service_pb2.ExportMetricsServiceRequest,
        metrics_service_pb2.ExportMetricsServiceResponse,
        "rejected_data_points",
        metrics_service_pb2_grpc.MetricsServiceServicer,
        metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server,
    ),
    "logs": Signal(
        "/v1/logs",
        logs_service_pb2.ExportLogsServiceRequest,
        logs_service_pb2.ExportLogsServiceResponse,
        "rejected_log_records",
        logs_service_pb2_grpc.LogsServiceServicer,
        logs_service_pb2_grpc.add_LogsServiceServicer_to_server,
    ),
}


class Scenario(NamedTuple):
    name: str
    signal: str
    # What the client is called with before transport, endpoint and compression.
    arguments: tuple
    transport: str
    compression: str
    # How the server treats the first request: "take", "refuse" for now, or "reject one" item.
    treat: str = "take"


class Received:
    """What the servers saw in one scenario."""

    def __init__(self, signal="traces", transport="http", compression="none", treat="take"):
        self.lock = threading.Lock()
        self.signal = SIGNALS[signal]
        self.media = MEDIA_JSON if transport == "json" else "application/x-protobuf"
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
        response = self.signal.response()
        if treat == "reject one":
            setattr(response.partial_success, self.signal.rejected, 1)
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
        received = self.server.owner.received
        try:
            request = self.decode(self.read_body(received), received)
        except Exception as error:  # whatever is wrong with the request, the report must name it
            received.complain(f"HTTP request: {type(error).__name__}: {error}")
            self.close_connection = True
            return self.answer(received, 400, b"")
        response = received.take(request)
        if response is None:
            return self.answer(received, 503, b"", {"Retry-After": "1"})
        if received.media == MEDIA_JSON:
            return self.answer(received, 200, json_format.MessageToJson(response).encode())
        return self.answer(received, 200, response.SerializeToString())

    def read_body(self, received):
        received.check_headers({name.lower(): value for name, value in self.headers.items()})
        if self.path != received.signal.path:
            raise ValueError(f"path {self.path!r}")
        if self.headers.get("Content-Type") != received.media:
            raise ValueError(f"content type {self.headers.get('Content-Type')!r}")
        length = int(self.headers["Content-Length"])
        if not 0 <= length <= BODY_LIMIT_BYTES:
            raise ValueError(f"content length {length}")
        return self.rfile.read(length)

    def decode(self, body, received):
        encoding = self.headers.get("Content-Encoding", "none")
        if encoding != received.compression:
            received.complain(f"content encoding {encoding!r}, expected {received.compression!r}")
        body = decompressed(body, encoding)
        if received.media == MEDIA_JSON:
            return otlp_json.parse(body, received.signal.request)
        return received.signal.request.FromString(body)

    def answer(self, received, status, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", received.media)
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def decompressed(body, encoding):
    if encoding == "gzip":
        return gzip.decompress(body)
    if encoding == "zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(body)
    return body


def grpc_service(owner, signal):
    """OTLP over gRPC: the official service of a signal on the C core."""

    class Service(signal.service):
        def Export(self, request, context):
            received = owner.received
            received.check_headers(dict(context.invocation_metadata()))
            if received.signal is not signal:
                received.complain(f"a request for {signal.path} over gRPC")
            response = received.take(request)
            if response is None:
                context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
            return response

    return Service()


class Servers:
    """Both servers, on loopback, on ports that the system picks. What arrives goes to `received`."""

    def __init__(self):
        self.received = Received()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Http)
        self.http.daemon_threads = True
        self.http.owner = self
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.grpc = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        for signal in SIGNALS.values():
            signal.register(grpc_service(self, signal), self.grpc)
        grpc_port = self.grpc.add_insecure_port("127.0.0.1:0")
        self.grpc.start()
        self.endpoints = {
            "http": f"http://127.0.0.1:{self.http.server_port}",
            "json": f"http://127.0.0.1:{self.http.server_port}",
            "grpc": f"http://127.0.0.1:{grpc_port}",
        }

    def run(self, client, scenario):
        """What the client says that it sent, and what was received."""
        received = Received(scenario.signal, scenario.transport, scenario.compression, scenario.treat)
        self.received = received
        try:
            if scenario.transport == "file":
                sent, lines = run_file_client(client, scenario)
                received.requests = [otlp_json.parse(line, received.signal.request) for line in lines]
                return sent, received
            return run_client(client, scenario, self.endpoints[scenario.transport]), received
        except Exception as error:  # what the servers did not like may be why
            raise RuntimeError("; ".join([repr(error), *received.problems])) from error

    def stop(self):
        self.http.shutdown()
        self.grpc.stop(None)


def environment():
    """For clients: what this machine's says about telemetry or proxies must not matter."""
    return {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("OTEL_") and not key.lower().endswith("_proxy")
    }


def run_client(client, scenario, endpoint):
    result = subprocess.run(
        [*client, *scenario.arguments, scenario.transport, endpoint, scenario.compression],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        timeout=CLIENT_TIMEOUT_SECONDS,
        env=environment(),
        check=False,
    )
    if result.returncode != 0:
        raise RuntimeError(f"the client ended with code {result.returncode}")
    return json.loads(result.stdout)


def run_file_client(client, scenario):
    """What the client says that it wrote, and the lines of the file."""
    with tempfile.TemporaryDirectory(prefix="interop-file-") as folder:
        path = os.path.join(folder, "lines.jsonl")
        sent = run_client(client, scenario, path)
        with open(path, "rb") as file:
            *lines, rest = file.read().split(b"\n")
    if rest:
        raise ValueError("the last line does not end")
    return sent, lines


def check_all(title, scenarios, check):
    """Runs `check` for each scenario, which returns a text and a list of problems; ends the process with an
    error when there are any."""
    failed = 0
    for scenario in scenarios:
        try:
            text, problems = check(scenario)
        except Exception as error:  # one broken scenario must not hide the others
            text, problems = "nothing to compare", [f"{type(error).__name__}: {error}"]
        print(f"{title}: {scenario.name}: {text}: {'FAILED' if problems else 'ok'}", flush=True)
        for problem in problems[:MESSAGES_SHOWN]:
            print(f"    {problem}")
        if len(problems) > MESSAGES_SHOWN:
            print(f"    and {len(problems) - MESSAGES_SHOWN} more")
        failed += bool(problems)
    if failed:
        sys.exit(f"{title}: {failed} of {len(scenarios)} scenarios failed")
    print(f"{title}: all {len(scenarios)} scenarios hold")
