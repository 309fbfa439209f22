"""Our propagators and the official Python ones read each other's headers.

What Python sends must be read as it was meant, and what we send on must be read by Python as the same.
Usage: propagators.py <the example interop_propagators>
"""

import itertools
import json
import random
import subprocess
import sys

from opentelemetry import baggage, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.b3 import B3MultiFormat, B3SingleFormat
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.jaeger import JaegerPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

SEED = 20261121
CASES = 200

JAEGER_BAGGAGE = [{}, {"tenant": "42"}, {"a": "one, two; three = 3%", "b": "größe"}]
# No spaces: Python writes them as "+", which in W3C's text is a plus.
W3C_BAGGAGE = [{}, {"tenant": "42"}, {"a": "one,two;three=3%", "b": "größe"}]

# Our name, theirs, and the baggage that goes along in turn.
FORMATS = [
    ("b3", B3SingleFormat(), [{}]),
    ("b3multi", B3MultiFormat(), [{}]),
    ("jaeger", JaegerPropagator(), JAEGER_BAGGAGE),
    (
        "tracecontext,baggage",
        CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()]),
        W3C_BAGGAGE,
    ),
]

# What each format's text allows, whether or not Python sends it: name, headers, trace id, span id, sampled.
TRACE = 0x80F198EE56343BA864FE8B2A57D3EFF7
SPAN = 0xE457B5A2E4D86BD1
FOREIGN = [
    ("b3", {"b3": f"{TRACE:032x}-{SPAN:016x}-d"}, TRACE, SPAN, True),
    ("b3", {"b3": f"{TRACE:032x}-{SPAN:016x}-0-05e3ac9a4f6e3b90"}, TRACE, SPAN, False),
    ("b3", {"b3": f"00000000deadbeef-{SPAN:016x}-1"}, 0xDEADBEEF, SPAN, True),
    (
        "b3multi",
        {"X-B3-TraceId": f"{TRACE:032x}", "X-B3-SpanId": f"{SPAN:016x}", "X-B3-Flags": "1"},
        TRACE,
        SPAN,
        True,
    ),
    ("jaeger", {"uber-trace-id": f"deadbeef:{SPAN:x}:0:1"}, 0xDEADBEEF, SPAN, True),
    ("jaeger", {"uber-trace-id": f"{TRACE:x}:{SPAN:x}:0:3"}, TRACE, SPAN, True),
]


class Ours:
    """The example, behind a pipe."""

    def __init__(self, path):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([path], stdin=pipe, stdout=pipe, text=True)

    def ask(self, name, headers):
        question = json.dumps({"propagators": name, "headers": headers})
        self.process.stdin.write(question + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit(f"no answer to {question}")
        return json.loads(answer)


def context(trace_id, span_id, sampled, entries):
    flags = trace.TraceFlags(trace.TraceFlags.SAMPLED if sampled else 0)
    span_context = trace.SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)
    cx = trace.set_span_in_context(trace.NonRecordingSpan(span_context), Context())
    for name, value in entries.items():
        cx = baggage.set_baggage(name, value, cx)
    return cx


def told(answer):
    """What our answer says, in Python's terms."""
    ids = (int(answer["trace_id"], 16), int(answer["span_id"], 16))
    return (*ids, answer["sampled"], answer["baggage"])


def read(theirs, headers):
    """What Python reads from headers."""
    cx = theirs.extract(headers, Context())
    span_context = trace.get_current_span(cx).get_span_context()
    entries = dict(baggage.get_all(cx))
    return (span_context.trace_id, span_context.span_id, span_context.trace_flags.sampled, entries)


def expect(what, got, wanted):
    if got != wanted:
        raise SystemExit(f"{what}: got {got}, wanted {wanted}")


def main():
    ours = Ours(sys.argv[1])
    randoms = random.Random(SEED)
    checked = 0
    for (name, theirs, baggages), case in itertools.product(FORMATS, range(CASES)):
        ids = (randoms.getrandbits(128) or 1, randoms.getrandbits(64) or 1)
        entries = baggages[case % len(baggages)]
        wanted = (*ids, bool(case % 2), entries)
        headers = {}
        theirs.inject(headers, context(*wanted))
        answer = ours.ask(name, headers)
        expect(f"{name}: we read {headers}", told(answer), wanted)
        expect(f"{name}: Python reads {answer['sent']}", read(theirs, answer["sent"]), wanted)
        checked += 1
    by_name = {name: theirs for name, theirs, _ in FORMATS}
    for name, headers, trace_id, span_id, sampled in FOREIGN:
        wanted = (trace_id, span_id, sampled, {})
        answer = ours.ask(name, headers)
        expect(f"{name}: we read {headers}", told(answer), wanted)
        expect(f"{name}: Python reads {answer['sent']}", read(by_name[name], answer["sent"]), wanted)
        checked += 1
    print(f"{checked} contexts went both ways through {len(FORMATS)} formats")


main()
