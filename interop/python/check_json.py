"""Proves that our JSON of all three signals is read by the official Python protobuf classes.

Builds requests in which every field of every message is set, each member of a oneof and the corners of every
type among them, hands their protobuf bytes to a client of ours, which sends them as OTLP/JSON, reads that with
`google.protobuf.json_format`, and compares with what was built. Then answers in JSON are tried.

    check_json.py CLIENT     CLIENT is called with: traces|metrics|logs ENDPOINT none|gzip|zstd

Exit code 0 when all of it holds. Listens on loopback, on a port that the system picks.
"""

import json
import math
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import otlp_json
from google.protobuf.descriptor import FieldDescriptor as Field
from otlp_servers import CLIENT_TIMEOUT_SECONDS, SIGNALS, decompressed, environment

# Levels of values inside values.
NESTING_MAX = 3

TEXTS = ["plain", "", "quote \" backslash \\ slash /", "\0\n\x1f\x7f\u2028", "größe 日本 \U0001f680"]
BYTES = [b"\0\xff\xfe\xfb", b"", b"a", b"ab", b"abc"]
DOUBLES = [1.5, math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 0.1, 1e21]
INTEGERS = {
    Field.TYPE_INT64: [-(2**63), 2**63 - 1, 2**53 + 1],
    Field.TYPE_SFIXED64: [-(2**63), 2**63 - 1, 2**53 + 1],
    Field.TYPE_UINT64: [2**64 - 1, 1, 2**53 + 1],
    Field.TYPE_FIXED64: [2**64 - 1, 1, 2**53 + 1],
    Field.TYPE_INT32: [-(2**31), 2**31 - 1, 1],
    Field.TYPE_SINT32: [-(2**31), 2**31 - 1, 1],
    Field.TYPE_UINT32: [2**32 - 1, 1],
    Field.TYPE_FIXED32: [2**32 - 1, 1],
}


def fill(message, variant, nesting=0):
    """Sets every field; of a oneof the member that `variant` picks."""
    for field in message.DESCRIPTOR.fields:
        if picked(field, variant, nesting):
            set_field(message, field, variant, nesting)


def picked(field, variant, nesting):
    oneof = field.containing_oneof
    # An optional field is a oneof of its own.
    if oneof is None or len(oneof.fields) == 1:
        return True
    members = oneof.fields
    if nesting >= NESTING_MAX:
        members = [member for member in members if member.type != Field.TYPE_MESSAGE]
    return members[variant % len(members)] is field


def set_field(message, field, variant, nesting):
    inner = nesting + (field.type == Field.TYPE_MESSAGE and field.containing_oneof is not None)
    if otlp_json.is_repeated(field):
        members = getattr(message, field.name)
        if field.type == Field.TYPE_MESSAGE:
            for number in range(variants(field.message_type)):
                fill(members.add(), number, inner)
            members.add()  # one in which nothing is set
        else:
            members.extend(scalar(field, number) for number in range(3))
    elif field.type == Field.TYPE_MESSAGE:
        content = getattr(message, field.name)
        content.SetInParent()
        fill(content, variant, inner)
    else:
        setattr(message, field.name, scalar(field, variant))


def variants(descriptor, outer=()):
    """How many messages it takes until each member of each oneof was set, and each corner of a type tried."""
    if descriptor.full_name in outer:
        return 1
    outer = (*outer, descriptor.full_name)
    counts = [len(oneof.fields) for oneof in descriptor.oneofs]
    # Twice where members are messages, so that no field in them has its default each time.
    for oneof in descriptor.oneofs:
        if all(field.type == Field.TYPE_MESSAGE for field in oneof.fields):
            counts.append(2 * len(oneof.fields))
    for field in descriptor.fields:
        if field.type == Field.TYPE_MESSAGE and not otlp_json.is_repeated(field):
            counts.append(variants(field.message_type, outer))
        elif field.type == Field.TYPE_DOUBLE and len(descriptor.fields) < 5:
            counts.append(len(DOUBLES))
    return max(counts, default=1)


def scalar(field, variant):
    if field.json_name in otlp_json.IDS:
        length = 16 if field.json_name == "traceId" else 8
        return bytes((0xA0 + variant + index) % 256 for index in range(length))
    if field.type == Field.TYPE_ENUM:
        values = [value.number for value in field.enum_type.values]
        return values[(variant + 1) % len(values)]
    if field.type == Field.TYPE_BOOL:
        return variant % 2 == 0
    corners = {Field.TYPE_STRING: TEXTS, Field.TYPE_BYTES: BYTES, Field.TYPE_DOUBLE: DOUBLES, **INTEGERS}
    values = corners[field.type]
    return values[variant % len(values)]


def unset_fields(message, seen):
    """Notes which fields are set somewhere below."""
    for field, value in message.ListFields():
        seen.add(field.full_name)
        if field.type == Field.TYPE_MESSAGE:
            for item in value if otlp_json.is_repeated(field) else [value]:
                unset_fields(item, seen)


def all_fields(descriptor, known):
    for field in descriptor.fields:
        if field.full_name not in known:
            known.add(field.full_name)
            if field.type == Field.TYPE_MESSAGE:
                all_fields(field.message_type, known)


class Server(BaseHTTPRequestHandler):
    """Keeps the last request and answers what it is told to."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        encoding = self.headers.get("Content-Encoding", "none")
        body = decompressed(body, encoding)
        media = self.headers.get("Content-Type")
        self.server.received = {"path": self.path, "encoding": encoding, "media": media, "body": body}
        status, headers, answer = self.server.reply
        answer = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def send(client, server, signal, compression, request, reply=(200, {}, {})):
    """What the server received, and what the client says became of it."""
    server.received, server.reply = None, reply
    endpoint = f"http://127.0.0.1:{server.server_port}"
    result = subprocess.run(
        [client, signal, endpoint, compression],
        input=request.SerializeToString(),
        stdout=subprocess.PIPE,
        timeout=CLIENT_TIMEOUT_SECONDS,
        env=environment(),
        check=True,
    )
    return server.received, json.loads(result.stdout)


def check_request(client, server, signal, compression):
    path, message_class = SIGNALS[signal].path, SIGNALS[signal].request
    request = message_class()
    fill(request, 0)
    seen, known = set(), set()
    unset_fields(request, seen)
    all_fields(message_class.DESCRIPTOR, known)
    assert seen == known, f"never set: {sorted(known - seen)}"

    received, said = send(client, server, signal, compression, request)
    expected = {"path": path, "encoding": compression, "media": "application/json"}
    for name, value in expected.items():
        assert received[name] == value, f"{name} is {received[name]!r}, expected {value!r}"
    assert said["outcome"] == {"delivered": None}, said
    parsed = otlp_json.parse(received["body"], message_class)
    # As bytes: one NaN equals another there, and 0 is not -0.
    sent, arrived = (message.SerializeToString(deterministic=True) for message in (request, parsed))
    assert arrived == sent, "what was read differs from what was sent"
    return f"{len(seen)} fields in {len(received['body'])} bytes"


def check_answers(client, server, signal, rejected_field):
    request = SIGNALS[signal].request()
    fill(request, 0)
    answer = {"partialSuccess": {rejected_field: "2", "errorMessage": "too old: ßø"}}
    _, said = send(client, server, signal, "none", request, (200, {}, answer))
    assert said["outcome"] == {"rejected": [2, "too old: ßø"]}, said
    status = {"code": 14, "message": "not now: ßø"}
    _, said = send(client, server, signal, "none", request, (503, {"Retry-After": "7"}, status))
    seconds, text = said["outcome"]["retryable"]
    assert seconds == 7 and "not now: ßø" in text, said
    return "a partial rejection and a refusal are understood"


def self_test():
    """The reader must refuse what is not OTLP/JSON, or a passing run means nothing."""
    request = SIGNALS["traces"].request
    span = '{"resourceSpans":[{"scopeSpans":[{"spans":[{%s}]}]}]}'
    parsed = otlp_json.parse((span % '"traceId":"0a0b"').encode(), request)
    assert parsed.resource_spans[0].scope_spans[0].spans[0].trace_id == b"\x0a\x0b"
    for wrong in (
        '"traceId":"CgsM"',
        '"traceId":"0A0B"',
        '"trace_id":"0a0b"',
        '"startTimeUnixNano":1',
        '"flags":"1"',
        '"kind":"SPAN_KIND_SERVER"',
        '"unknown":1',
        '"name":"a","name":"b"',
    ):
        try:
            otlp_json.parse((span % wrong).encode(), request)
        except ValueError:
            continue
        raise AssertionError(f"{wrong} was taken")


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    self_test()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = sys.argv[1]
    checks = [
        (f"{signal}, {compression}", check_request, (client, server, signal, compression))
        for signal in SIGNALS
        for compression in ("none", "gzip", "zstd")
    ]
    checks += [
        (f"{signal}, answers", check_answers, (client, server, signal, field))
        for signal, field in (
            ("traces", "rejectedSpans"),
            ("metrics", "rejectedDataPoints"),
            ("logs", "rejectedLogRecords"),
        )
    ]
    failed = 0
    for name, check, arguments in checks:
        try:
            outcome = check(*arguments)
        except Exception as error:  # one failure must not hide the others
            failed += 1
            outcome = f"FAILED\n    {type(error).__name__}: {str(error)[:500]}"
        print(f"interop python json: {name}: {outcome}")
    server.shutdown()
    if failed:
        sys.exit(f"interop python json: {failed} of {len(checks)} checks failed")
    print(f"interop python json: all {len(checks)} checks hold")


if __name__ == "__main__":
    main()
