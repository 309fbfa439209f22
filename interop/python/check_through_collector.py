"""Proves that what the official SDKs of Python and JavaScript send to our collector comes out as it was sent.

    check_through_collector.py COLLECTOR [NODE SCRIPT]

COLLECTOR is the binary; NODE SCRIPT runs interop/js/sdk/send.js. Each client sends the same data twice: directly
to a sink made of the official protobuf classes, and through the collector, which hands it on by all its ways out
at once. Every message must equal its twin, whichever way it came in and out. Then destinations that reject and
refuse, and what clients are told of it. With GO_COLLECTOR in the environment, the binary of a Go Collector stands
before ours and behind it; with TELEMETRYGEN, its load generator sends as well.

Exit code 0 when all scenarios hold. Listens on loopback, on ports that were free.
"""

import os
import sys
import tempfile
from typing import NamedTuple

from otlp_fields import unknown_fields
from otlp_servers import SIGNALS, check_all
from otlp_sink import DIRECT
from through_answers import Refused, Told
from through_bench import EDITED, EXITS, TREATMENTS, WAYS_IN, Bench
from through_compare import compare, compare_edited, items_of, self_test
from through_go import go_scenarios

# From a client's end until a queue has sent everything.
QUEUE_TIMEOUT_SECONDS = 15
# A compressed client sends less than this share of what an uncompressed one does.
COMPRESSED_SHARE = 0.6


class Passage(NamedTuple):
    """A client that sends through the collector."""

    name: str
    bench: Bench
    client: list
    language: str
    transport: str
    compression: str

    def check(self):
        said, sent_bytes = self.bench.send(
            self.client, self.transport, self.compression, self.bench.port("otlp", self.transport)
        )
        waited = self.bench.sink.wait_for(edited_is_complete, QUEUE_TIMEOUT_SECONDS)
        exits, problems = self.bench.sink.take()
        problems += [f"the SDK says that {signal} were not taken" for signal, taken in said.items() if not taken]
        if not waited:
            problems.append("not everything came out of the queue")
        problems += self.check_size(sent_bytes)
        direct = exits.pop(DIRECT, [])
        missing = SIGNALS.keys() - {it.signal for it in direct}
        problems += [f"no {signal} were sent" for signal in sorted(missing)]
        problems += [problem for it in direct for problem in unknown_fields(it.message, it.signal)]
        problems += compare_edited(direct, exits.pop(EDITED, []))
        for way in EXITS:
            problems += compare(way, direct, exits.pop(way.name(), []))
        problems += [f"something came by {name}" for name in exits]
        return f"{len(direct)} requests, {items_of(direct)} items, by {len(EXITS) + 1} ways out", problems

    def check_size(self, sent):
        """Whether it was compressed as it should be."""
        key = (self.language, self.transport)
        if self.compression == "none":
            self.bench.uncompressed[key] = sent
        elif sent > self.bench.uncompressed[key] * COMPRESSED_SHARE:
            yield f"{sent} bytes with {self.compression}, {self.bench.uncompressed[key]} without"


def edited_is_complete(exits):
    return items_of(exits.get(EDITED, [])) >= items_of(exits.get(DIRECT, []))


class Ended(NamedTuple):
    """The end of the collector, which says so by its code when its account does not add up."""

    name: str
    bench: Bench

    def check(self):
        return "the collector's account", self.bench.stop()


def scenarios(bench, ours, node, folder):
    python = [sys.executable, os.path.join(os.path.dirname(os.path.abspath(__file__)), "send_sdk.py")]
    clients = [("Python", python, ("grpc", "http"))]
    if node:
        clients.append(("JavaScript", node, WAYS_IN))
    for language, client, transports in clients:
        for transport in transports:
            for compression in ("none", "gzip"):
                name = f"{language}, {transport} {compression}"
                yield Passage(name, bench, client, language, transport, compression)
    for destination in TREATMENTS:
        for exporter in ("otlp_grpc", "otlp_http"):
            for way_in in WAYS_IN:
                name = f"{destination} behind {exporter}, told over {way_in}"
                yield Told(name, bench, destination, exporter, way_in)
    for language, client, transports in clients:
        for transport in transports:
            yield Refused(f"{language}, {transport}, refused", bench, client, transport)
    yield from go_scenarios(bench, [it[:2] for it in clients], ours, folder)
    yield Ended("the end", bench)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    self_test()
    with tempfile.TemporaryDirectory(prefix="through-collector-") as folder:
        bench = Bench(sys.argv[1], folder)
        all_of_them = list(scenarios(bench, sys.argv[1], sys.argv[2:], folder))
        try:
            check_all("through the collector", all_of_them, lambda it: it.check())
        finally:
            bench.collector.stop()


if __name__ == "__main__":
    main()
