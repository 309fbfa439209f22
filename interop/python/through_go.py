"""The Go Collector before ours and behind it, and its load generator in front of ours."""

import json
import math
import os
import subprocess
from typing import NamedTuple

from collector_process import CollectorProcess
from otlp_fields import with_bodies_unset
from otlp_servers import CLIENT_TIMEOUT_SECONDS, SIGNALS, environment
from otlp_sink import DIRECT
from through_bench import CALL_TIMEOUT_SECONDS, EDITED, EXITS, Bench, Exit, send
from through_compare import compare, copies, items_of

# From one collector to the other, one after the other.
LINKS = [Exit("otlp_grpc", "gzip"), Exit("otlp_http", "zstd"), Exit("otlp_http", "gzip", "json")]
END = Exit("otlp_grpc", "gzip")
GENERATED = 250


class Chain(NamedTuple):
    """Two collectors, one behind the other; the second hands on to the sink."""

    name: str
    bench: Bench
    client: list
    transport: str
    first: str
    second: str
    folder: str

    def check(self):
        sink = self.bench.sink
        codes = []
        second = self.start(self.second, "second", [END], f"127.0.0.1:{sink.grpc_port}", None)
        try:
            grpc_port, http_port = second.ports
            url = f"http://127.0.0.1:{http_port}"
            first = self.start(self.first, "first", LINKS, f"127.0.0.1:{grpc_port}", url)
            try:
                port = first.ports[self.transport != "grpc"]
                said, _ = send(self.client, self.transport, "none", port, sink.url(), CALL_TIMEOUT_SECONDS)
            finally:
                codes = [first.stop()]
        finally:
            codes = [*codes, second.stop()]
        exits, problems = sink.take()
        problems += [f"a collector ended with code {code}" for code in codes if code != 0]
        problems += [f"the SDK says that {signal} were not taken" for signal, taken in said.items() if not taken]
        direct = exits.pop(DIRECT, [])
        # It came by each link.
        expected = [it for it in copies(direct) for _ in LINKS]
        arrived = exits.pop(END.name(), [])
        for it in expected + arrived:
            with_one_nan(with_bodies_unset(it.message))
        problems += compare(END, expected, arrived)
        return f"{len(direct)} requests, {items_of(direct)} items, by {len(LINKS)} links", problems

    def start(self, binary, place, exits, grpc_target, url):
        folder = os.path.join(self.folder, f"{place} of {self.name}")
        os.mkdir(folder)
        return CollectorProcess(binary, folder, 2, lambda ports: chain_config(ports, exits, grpc_target, url))


def chain_config(ports, exits, grpc_target, url):
    endpoints = dict(zip(("grpc", "http"), (f"127.0.0.1:{port}" for port in ports)))
    exporters = {f"{way.exporter}/{number}": link(way, grpc_target, url) for number, way in enumerate(exits)}
    pipeline = {"receivers": ["otlp"], "exporters": list(exporters)}
    settings = {
        "receivers": {"otlp": {"protocols": {name: {"endpoint": it} for name, it in endpoints.items()}}},
        "exporters": exporters,
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {signal: pipeline for signal in SIGNALS},
        },
    }
    return json.dumps(settings)


def link(way, grpc_target, url):
    settings = {
        "endpoint": grpc_target if way.exporter == "otlp_grpc" else url,
        "compression": way.compression,
        "headers": {"x-exit": way.name()},
        "tls": {"insecure": True},
        "sending_queue": {"enabled": False},
        "retry_on_failure": {"enabled": False},
    }
    return {**settings, "encoding": way.encoding} if way.exporter == "otlp_http" else settings


def with_one_nan(message):
    """JSON has one NaN, of which Go and others make different bits."""
    for field, value in message.ListFields():
        if field.message_type is not None:
            for item in [value] if hasattr(value, "ListFields") else value:
                with_one_nan(item)
        elif isinstance(value, float) and math.isnan(value):
            setattr(message, field.name, math.nan)


class Generated(NamedTuple):
    """Items of the load generator, which cannot send the same twice: all ways out must agree."""

    name: str
    bench: Bench
    binary: str
    signal: str
    transport: str

    def check(self):
        port = self.bench.port("otlp", self.transport)
        arguments = ["--otlp-insecure", "--otlp-endpoint", f"127.0.0.1:{port}", "--rate", "0"]
        arguments += [f"--{self.signal}", str(GENERATED)]
        arguments += [] if self.transport == "grpc" else ["--otlp-http"]
        subprocess.run(
            [self.binary, self.signal, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=CLIENT_TIMEOUT_SECONDS,
            env=environment(),
            check=True,
        )
        # A trace is a span and its child.
        expected = GENERATED * (2 if self.signal == "traces" else 1)
        waited = self.bench.sink.wait_for(lambda exits: items_of(exits.get(EDITED, [])) >= expected, 15)
        exits, problems = self.bench.sink.take()
        first = exits.get(EXITS[0].name(), [])
        if not waited or items_of(first) != expected:
            problems.append(f"{items_of(first)} items came, expected {expected}")
        for way in EXITS:
            problems += compare(way, first, exits.get(way.name(), []))
        return f"{items_of(first)} items in {len(first)} requests", problems


def go_scenarios(bench, clients, ours, folder):
    """Those for which the environment names binaries."""
    if go := os.environ.get("GO_COLLECTOR"):
        for language, client in clients:
            for order, first, second in (("Go before ours", go, ours), ("ours before Go", ours, go)):
                for transport in ("grpc", "http"):
                    name = f"{language}, {transport}, {order}"
                    yield Chain(name, bench, client, transport, first, second, folder)
    if telemetrygen := os.environ.get("TELEMETRYGEN"):
        for signal in SIGNALS:
            for transport in ("grpc", "http"):
                yield Generated(f"telemetrygen, {signal}, {transport}", bench, telemetrygen, signal, transport)
