"""Proves that the Go Collector understands our clients: all three signals, over gRPC and over HTTP in protobuf
and JSON, under every compression; and each line of the file exporter, which is posted to it as it is.

    check_collector.py COLLECTOR SPANS SIGNALS

COLLECTOR is the binary of a Collector with the OTLP receiver and the file exporter; SPANS and SIGNALS are the
clients that check.py and check_signals.py run. The Collector writes what it has understood to files, as JSON
that is its own. That is read with the official protobuf classes, and each field compared as those do.

Exit code 0 when all scenarios hold. Listens on loopback, on ports that were free.
"""

import json
import os
import sys
import tempfile
import time
import urllib.request

import check
import check_signals
import otlp_json
from collector_process import CollectorProcess
from otlp_fields import with_bodies_unset
from otlp_servers import SIGNALS, Received, Scenario, check_all, run_client, run_file_client

POST_TIMEOUT_SECONDS = 30
# From the client's end until everything is in the file.
WRITE_TIMEOUT_SECONDS = 15
LARGEST_REQUEST_MIB = 16

CONFIG = """
receivers:
  otlp:
    protocols:
      grpc:
        endpoint: 127.0.0.1:{grpc}
        max_recv_msg_size_mib: {largest}
      http:
        endpoint: 127.0.0.1:{http}
exporters:
{exporters}
service:
  telemetry:
    metrics:
      level: none
  pipelines:
{pipelines}
"""
EXPORTER = """  file/{signal}:
    path: "{path}"
    flush_interval: 50ms
"""
PIPELINE = """    {signal}:
      receivers: [otlp]
      exporters: [file/{signal}]
"""


def scenarios():
    for what in ("traces", "logs", *check_signals.TEMPORALITIES):
        kind = what if what in SIGNALS else "metrics"
        arguments = () if what == "traces" else (what,)
        for transport in ("http", "json", "grpc"):
            for compression in ("none", "gzip", "zstd"):
                name = f"{what}, {transport} {compression}"
                yield Scenario(name, kind, arguments, transport, compression)
        yield Scenario(f"{what}, lines of a file", kind, arguments, "file", "none")


class Collector:
    """A running Collector that writes each signal to a file of its own."""

    def __init__(self, binary, folder):
        self.files = {signal: os.path.join(folder, f"{signal}.jsonl") for signal in SIGNALS}
        self.read = dict.fromkeys(SIGNALS, 0)
        self.process = CollectorProcess(binary, folder, 2, self.config)
        grpc, http = (f"http://127.0.0.1:{port}" for port in self.process.ports)
        self.endpoints = {"grpc": grpc, "http": http, "json": http}

    def config(self, ports):
        return CONFIG.format(
            grpc=ports[0],
            http=ports[1],
            largest=LARGEST_REQUEST_MIB,
            exporters="".join(EXPORTER.format(signal=it, path=self.files[it]) for it in SIGNALS),
            pipelines="".join(PIPELINE.format(signal=it) for it in SIGNALS),
        )

    def run(self, client, scenario):
        """What the client says that it sent, and what the Collector has written since."""
        if scenario.transport == "file":
            sent, lines = run_file_client(client, scenario)
            for line in lines:
                post(self.endpoints["json"] + SIGNALS[scenario.signal].path, line)
        else:
            sent = run_client(client, scenario, self.endpoints[scenario.transport])
        received = Received(scenario.signal, scenario.transport, scenario.compression)
        deadline = time.monotonic() + WRITE_TIMEOUT_SECONDS
        missing = sent["ledger"]["delivered"]
        while missing > 0 and time.monotonic() < deadline:
            for request in self.written(scenario.signal):
                received.requests.append(request)
                missing -= items(request)
            time.sleep(0.02)
        if not self.process.is_running():
            received.complain(f"the Collector has ended; its last words:\n{self.process.last_words()}")
        return sent, received

    def written(self, signal):
        """The requests that are whole in the signal's file and were not read before."""
        with open(self.files[signal], "rb") as file:
            file.seek(self.read[signal])
            whole, newline, _ = file.read().rpartition(b"\n")
        self.read[signal] += len(whole) + len(newline)
        for line in whole.splitlines():
            yield with_bodies_unset(otlp_json.parse(line, SIGNALS[signal].request))


def items(request):
    """How many spans, log records or data points there are."""
    if hasattr(request, "resource_spans"):
        return sum(1 for _ in check.spans_of(request))
    if hasattr(request, "resource_logs"):
        return sum(1 for _ in check_signals.records_of(request))
    return sum(len(points) for _, _, points in check_signals.metrics_of(request))


def post(url, line):
    request = urllib.request.Request(url, line, {"Content-Type": "application/json"})
    # Whatever the environment says of proxies.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=POST_TIMEOUT_SECONDS) as response:
        answer = json.load(response)
    if answer.get("partialSuccess"):
        raise ValueError(f"the answer to a line is {answer}")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    binary, spans, signals = sys.argv[1:]
    check.self_test()
    check_signals.self_test()
    with tempfile.TemporaryDirectory(prefix="interop-collector-") as folder:
        collector = Collector(binary, folder)

        def run(scenario):
            client, module = ([spans], check) if scenario.signal == "traces" else ([signals], check_signals)
            return module.check(scenario, lambda it: collector.run(client, it))

        try:
            check_all("interop collector", list(scenarios()), run)
        finally:
            collector.process.stop()


if __name__ == "__main__":
    main()
