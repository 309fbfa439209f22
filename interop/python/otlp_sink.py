"""The other side of a collector: an HTTP and a gRPC server that keep what arrives by the header `x-exit`, read
with the official Python protobuf classes, and treat each exit as they are told; and a relay that counts bytes.
"""

import contextlib
import json
import socket
import threading
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import grpc
import otlp_json
from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2
from otlp_servers import BODY_LIMIT_BYTES, MEDIA_JSON, SIGNALS, decompressed

# What comes from a client without a collector between.
DIRECT = "direct"
MEDIA_PROTOBUF = "application/x-protobuf"
# Longer than any client of ours would wait.
RETRY_SECONDS = 30
MESSAGE = "no: ßø"


class Treatment(NamedTuple):
    """How requests of an exit are answered."""

    status: int = 200
    code: grpc.StatusCode = grpc.StatusCode.OK
    rejected: int = 0
    has_delay: bool = False


class Arrived(NamedTuple):
    signal: str
    message: object
    media: str
    encoding: str


class Sink:
    """Both servers, on loopback, on ports that the system picks."""

    def __init__(self, treatments):
        self.treatments = treatments
        self.changed = threading.Condition()
        self.exits = {}
        self.problems = []
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Http)
        self.http.daemon_threads = True
        self.http.sink = self
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        self.grpc = grpc.server(futures.ThreadPoolExecutor(max_workers=8))
        for name, signal in SIGNALS.items():
            signal.register(service(self, name), self.grpc)
        self.grpc_port = self.grpc.add_insecure_port("127.0.0.1:0")
        self.grpc.start()

    def url(self):
        return f"http://127.0.0.1:{self.http.server_port}"

    def keep(self, name, arrived):
        """The treatment that this exit gets."""
        with self.changed:
            if name is None:
                self.problems.append(f"a request for {arrived.signal} of no exit")
            self.exits.setdefault(name, []).append(arrived)
            self.changed.notify_all()
        return self.treatments.get(name, Treatment())

    def complain(self, problem):
        with self.changed:
            self.problems.append(problem)

    def take(self):
        """Everything that has arrived, and what was wrong with it; from then on anew."""
        with self.changed:
            taken = self.exits, self.problems
            self.exits, self.problems = {}, []
        return taken

    def wait_for(self, condition, timeout):
        """Whether `condition` holds, of what arrived by exits, before the time is over."""
        with self.changed:
            return self.changed.wait_for(lambda: condition(self.exits), timeout)

    def stop(self):
        self.http.shutdown()
        self.grpc.stop(None)


def response_of(signal, treatment):
    response = SIGNALS[signal].response()
    if treatment.rejected:
        setattr(response.partial_success, SIGNALS[signal].rejected, treatment.rejected)
        response.partial_success.error_message = MESSAGE
    return response


class Http(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        sink = self.server.sink
        media = self.headers.get("Content-Type")
        try:
            arrived = self.read(self.body(), media)
        except Exception as error:  # whatever is wrong with the request, the report must name it
            sink.complain(f"HTTP request: {type(error).__name__}: {error}")
            self.close_connection = True
            return self.answer(400, media, b"")
        treatment = sink.keep(self.headers.get("x-exit"), arrived)
        headers = {"Retry-After": str(RETRY_SECONDS)} if treatment.has_delay else {}
        if treatment.status != 200:
            content = self.encoded(media, status_pb2.Status(message=MESSAGE))
            return self.answer(treatment.status, media, content, headers)
        response = response_of(arrived.signal, treatment)
        return self.answer(200, media, self.encoded(media, response))

    def body(self):
        """Also in pieces, as clients send it that compress while they send."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.exactly(int(self.headers["Content-Length"]))
        pieces = []
        while length := int(self.rfile.readline().partition(b";")[0], 16):
            pieces.append(self.exactly(length))
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass
        return b"".join(pieces)

    def exactly(self, length):
        if not 0 <= length <= BODY_LIMIT_BYTES:
            raise ValueError(f"a length of {length}")
        data = self.rfile.read(length)
        if len(data) != length:
            raise ValueError(f"{len(data)} bytes instead of {length}")
        return data

    def read(self, body, media):
        names = {signal.path: name for name, signal in SIGNALS.items()}
        name = names[self.path]
        encoding = self.headers.get("Content-Encoding", "none")
        body = decompressed(body, encoding)
        message_class = SIGNALS[name].request
        if media == MEDIA_JSON:
            # Our own JSON is strict; that of others must be understood.
            is_ours = self.headers.get("x-exit") != DIRECT
            parse = otlp_json.parse if is_ours else otlp_json.parse_leniently
            return Arrived(name, parse(body, message_class), media, encoding)
        return Arrived(name, message_class.FromString(body), media, encoding)

    def encoded(self, media, message):
        if media == MEDIA_JSON:
            return json_format.MessageToJson(message).encode()
        return message.SerializeToString()

    def answer(self, status, media, body, headers=()):
        self.send_response(status)
        self.send_header("Content-Type", media or MEDIA_PROTOBUF)
        self.send_header("Content-Length", str(len(body)))
        for name, value in dict(headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def service(sink, name):
    """The official service of a signal on the C core."""

    class Service(SIGNALS[name].service):
        def Export(self, request, context):
            metadata = dict(context.invocation_metadata())
            treatment = sink.keep(metadata.get("x-exit"), Arrived(name, request, "grpc", None))
            if treatment.code is grpc.StatusCode.OK:
                return response_of(name, treatment)
            if treatment.has_delay:
                details = retry_details(treatment.code)
                context.set_trailing_metadata((("grpc-status-details-bin", details),))
            context.abort(treatment.code, MESSAGE)

    return Service()


def retry_details(code):
    delay = error_details_pb2.RetryInfo()
    delay.retry_delay.seconds = RETRY_SECONDS
    status = status_pb2.Status(code=code.value[0], message=MESSAGE)
    status.details.add().Pack(delay)
    return status.SerializeToString()


class Relay:
    """In front of a port: hands bytes on, and counts those that clients send."""

    def __init__(self, port):
        self.target = port
        self.sent = 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.target))
                threading.Thread(target=self.pump, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self.pump, args=(server, client, False), daemon=True).start()

    def pump(self, source, target, counts):
        # A reset ends it as an end does.
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                # One thread per connection counts, and connections follow each other.
                self.sent += len(data) if counts else 0
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.close()


def text_of(message):
    """A message as JSON-like values, for telling where two differ."""
    return json.loads(json_format.MessageToJson(message))
