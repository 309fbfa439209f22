"""The stage for checks of a collector: its configuration with all ways in and out, and a sink behind it."""

import json
import subprocess
from typing import NamedTuple

import grpc
from collector_process import CollectorProcess
from otlp_servers import CLIENT_TIMEOUT_SECONDS, MEDIA_JSON, SIGNALS, environment
from otlp_sink import MEDIA_PROTOBUF, Relay, Sink, Treatment

CALL_TIMEOUT_SECONDS = 20
WORDS_SHOWN = 2000
# An attribute that a processor inserts.
MARK = ("passed.through", "the collector")


class Exit(NamedTuple):
    """A way out of the collector that hands on what came in."""

    exporter: str
    compression: str
    encoding: str = "proto"

    def name(self):
        return f"{self.exporter} {self.encoding} {self.compression}"

    def media(self):
        if self.exporter == "otlp_grpc":
            return "grpc"
        return MEDIA_JSON if self.encoding == "json" else MEDIA_PROTOBUF


EXITS = [
    *(Exit("otlp_grpc", compression) for compression in ("none", "gzip")),
    *(Exit("otlp_http", compression) for compression in ("none", "gzip", "zstd")),
    *(Exit("otlp_http", compression, "json") for compression in ("none", "gzip", "zstd")),
]
# Without a queue the answer of the destination is that of the collector.
AT_ONCE = {"sending_queue": {"enabled": False}, "retry_on_failure": {"enabled": False}}
# Beside those, one behind processors and a queue.
EDITED = "edited"
CODES = grpc.StatusCode
TREATMENTS = {
    "unavailable": Treatment(503, CODES.UNAVAILABLE, has_delay=True),
    "throttled": Treatment(429, CODES.RESOURCE_EXHAUSTED, has_delay=True),
    "bad data": Treatment(400, CODES.INVALID_ARGUMENT),
    "forbidden": Treatment(403, CODES.PERMISSION_DENIED),
    "one rejected": Treatment(rejected=1),
}
# What the client is told then. That the collector itself is not let in is no matter of the client's.
ANSWERS = {
    **TREATMENTS,
    # One code for all that may succeed later: others are tried again by some clients only.
    "throttled": Treatment(429, CODES.UNAVAILABLE, has_delay=True),
    "forbidden": Treatment(500, CODES.INTERNAL),
}
WAYS_IN = ("grpc", "http", "json")


def treatments():
    """By the names of exits."""
    return {f"{name} {way}": it for name, it in TREATMENTS.items() for way in ("otlp_grpc", "otlp_http")}


def entrances():
    """The receivers, in the order of their ports: two each."""
    return ["otlp", *(receiver_of(name) for name in treatments())]


def receiver_of(exit_name):
    return f"otlp/{component(exit_name)}"


def component(exit_name):
    return exit_name.replace(" ", "_")


class Configuration:
    """What the collector reads: JSON, which is YAML."""

    def __init__(self, sink, ports):
        self.sink = sink
        self.receivers, self.exporters, self.pipelines = {}, {}, {}
        for number, name in enumerate(entrances()):
            self.receiver(name, *ports[2 * number : 2 * number + 2])
        self.pipeline("passed_on", "otlp", [], [self.exit(way) for way in EXITS])
        self.pipeline(EDITED, "otlp", ["resource", "batch"], [self.exporter("otlp_grpc", EDITED)])
        for name in treatments():
            kind = name.rpartition(" ")[2]
            self.pipeline(name, receiver_of(name), [], [self.exporter(kind, name, **AT_ONCE)])

    def text(self):
        insert = {"key": MARK[0], "value": MARK[1], "action": "insert"}
        settings = {
            "receivers": self.receivers,
            "processors": {"resource": {"attributes": [insert]}, "batch": {"timeout": "100ms"}},
            "exporters": self.exporters,
            "service": {"telemetry": {"metrics": {"level": "none"}}, "pipelines": self.pipelines},
        }
        return json.dumps(settings, indent=2)

    def receiver(self, name, grpc_port, http_port):
        ports = {"grpc": grpc_port, "http": http_port}
        protocols = {name: {"endpoint": f"127.0.0.1:{port}"} for name, port in ports.items()}
        self.receivers[name] = {"protocols": protocols}

    def exit(self, way):
        encoding = {"encoding": way.encoding} if way.exporter == "otlp_http" else {}
        return self.exporter(way.exporter, way.name(), compression=way.compression, **encoding, **AT_ONCE)

    def exporter(self, kind, exit_name, **settings):
        name = f"{kind}/{component(exit_name)}"
        target = f"127.0.0.1:{self.sink.grpc_port}" if kind == "otlp_grpc" else self.sink.url()
        common = {"endpoint": target, "headers": {"x-exit": exit_name}, "tls": {"insecure": True}}
        self.exporters[name] = {**common, **settings}
        return name

    def pipeline(self, name, receiver, processors, exporters):
        pipeline = {"receivers": [receiver], "processors": processors, "exporters": exporters}
        self.pipelines.update({f"{signal}/{component(name)}": pipeline for signal in SIGNALS})


class Bench:
    """The sink and the collector in front of it."""

    def __init__(self, binary, folder):
        self.sink = Sink(treatments())
        count = 2 * len(entrances())
        self.collector = CollectorProcess(binary, folder, count, self.config)
        # How much each client has sent without compression, by way in.
        self.uncompressed = {}

    def config(self, ports):
        return Configuration(self.sink, ports).text()

    def port(self, receiver, transport):
        number = 2 * entrances().index(receiver)
        return self.collector.ports[number + (transport != "grpc")]

    def send(self, client, transport, compression, port, seconds=CALL_TIMEOUT_SECONDS):
        return send(client, transport, compression, port, self.sink.url(), seconds)

    def stop(self):
        """What is wrong at the end."""
        code = self.collector.stop()
        self.sink.stop()
        # It says so by its code when its account does not add up.
        return [] if code == 0 else [f"the collector ended with code {code}: {self.collector.last_words()}"]


def send(client, transport, compression, port, direct, seconds):
    """What the client says of each signal, and how many bytes it sent to the port."""
    relay = Relay(port)
    try:
        result = subprocess.run(
            [*client, transport, compression, relay.url, direct, str(seconds)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            timeout=CLIENT_TIMEOUT_SECONDS,
            env=environment(),
            check=False,
        )
    finally:
        relay.close()
    if result.returncode != 0:
        words = result.stderr.decode(errors="replace")[-WORDS_SHOWN:]
        raise RuntimeError(f"the client ended with code {result.returncode}: {words}")
    return json.loads(result.stdout), relay.sent
