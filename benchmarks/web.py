"""Web servers under test: granian as the demo runs it, with as many processes and threads as a step wants."""

import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks import box
from inventory_project.localstack.processes import free_port, spawn, stop_group, wait_until

WORKERS, THREADS = 2, 64
# More connections than clients: one that waits to be accepted would wait for another to be closed.
BACKPRESSURE = 512
# What is measured is not how fast requests are turned away, nor how fast they are logged.
ENVIRONMENT = {"API_THROTTLE": "1000000000/minute", "LOG_LEVEL": "WARNING", "DATABASE_POOL_MAX": "32"}


class Web:
    """One web server, while the block lasts.

    application: module:name of the WSGI application.  environment: beside that of the run.  name: for logs.
    """

    def __init__(
        self,
        application: str,
        folder: Path,
        *,
        workers: int = WORKERS,
        threads: int = THREADS,
        environment: Mapping[str, str] | None = None,
        name: str = "",
        port: int = 0,
    ) -> None:
        self.application, self.workers, self.threads = application, workers, threads
        self.environment = {**os.environ, **ENVIRONMENT, **(environment or {})}
        self.name = name or application.partition(":")[0]
        self.log = folder / f"web-{self.name}.log"
        self.port = port or free_port()

    def __enter__(self) -> Self:
        self.start()
        try:
            self.wait_ready()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it without waiting.  From the main thread: it dies when the thread that started it does."""
        size = {"--workers": self.workers, "--blocking-threads": self.threads, "--backpressure": BACKPRESSURE}
        options = [str(part) for pair in size.items() for part in pair]
        command = [sys.executable, "-m", "granian", "--interface", "wsgi", "--port", str(self.port), *options]
        with self.log.open("ab") as log:
            self.process = spawn([*command, self.application], env=self.environment, stdout=log, stderr=log)

    def wait_ready(self) -> None:
        """Return when every worker takes requests."""
        wait_until(self._has_started, self.process, self.name, self.log)

    def stop(self) -> None:
        """Stop it and wait until it is gone."""
        stop_group(self.process, signal.SIGTERM, patience=10)

    def kill(self) -> None:
        """End it as a crash would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def worker_ids(self) -> list[int]:
        """The process ids of its workers."""
        return box.children_of(self.process.pid)

    def answers(self) -> bool:
        """Whether it takes requests."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
                return client.recv(12) == b"HTTP/1.1 200"
        except OSError:
            return False

    def _has_started(self) -> bool:
        """Whether several connections in a row are answered: the kernel spreads them over the workers."""
        return all(self.answers() for _ in range(4 * self.workers))
