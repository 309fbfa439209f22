"""Runs the binary of a collector, ours or the Go Collector, on ports that were free."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

# Ports can be taken between finding and using them.
START_ATTEMPTS = 3
START_TIMEOUT_SECONDS = 30
STOP_TIMEOUT_SECONDS = 10
LOG_LINES_SHOWN = 20


class CollectorProcess:
    """A running collector. `config` makes its configuration from so many ports; all of them listen."""

    def __init__(self, binary, folder, count, config):
        self.binary = binary
        self.config = os.path.join(folder, "config.yaml")
        self.log = os.path.join(folder, "collector.log")
        for _ in range(START_ATTEMPTS):
            self.ports = free_ports(count)
            if self.start(config(self.ports)):
                return
        sys.exit(f"{binary} does not start; its last words:\n{self.last_words()}")

    def start(self, config):
        """Whether it listens."""
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(config)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [self.binary, "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline and self.is_running():
            if all(listens(port) for port in self.ports) and self.is_running():
                return True
            time.sleep(0.05)
        self.stop()
        return False

    def is_running(self):
        return self.process.poll() is None

    def stop(self):
        """The exit code; None when it had to be killed."""
        if self.is_running():
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(STOP_TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                return None
        return self.process.returncode

    def last_words(self):
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-LOG_LINES_SHOWN:])


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for it in sockets:
            it.bind(("127.0.0.1", 0))
        return [it.getsockname()[1] for it in sockets]


def listens(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
        return True
    except OSError:
        return False
