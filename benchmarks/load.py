"""A closed-loop HTTP load generator: N connections, each with one request under way, in one process without threads.

The requests are bytes made beforehand and the answers are hardly looked at, so that it costs the box little.
"""

import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

BUSY, PATIENCE = 503, 20  # a 503 says "the same again": so often a client does it


@dataclass(slots=True)
class Result:
    """latencies: seconds, one for each answer.  statuses: of these.  busy: 503s before them.  cpu: seconds it cost."""

    seconds: float = 0.0
    cpu: float = 0.0
    latencies: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    busy: int = 0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.latencies) / self.seconds

    def percentile(self, share: float) -> float:
        """Seconds; share: 0.5 for the median."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


@dataclass(slots=True)
class _Connection:
    """One socket and the answer that is coming in on it."""

    socket: socket.socket
    requests: Iterator[bytes]
    asked: float = 0.0
    request: bytes = b""
    received: bytes = b""
    refusals: int = 0

    def send(self) -> bool:
        """Send the next request; False if there is none."""
        request = next(self.requests, None)
        if request is None:
            return False
        self.request, self.received, self.refusals = request, b"", 0
        self.asked = time.perf_counter()
        self.socket.sendall(request)
        return True

    def send_again(self) -> bool:
        """Ask the same again after a 503, with the same key; False if that was tried often enough."""
        self.refusals += 1
        if self.refusals > PATIENCE:
            return False
        self.received = b""
        self.socket.sendall(self.request)
        return True

    def receive(self) -> int | None:
        """The status once the answer is whole, else None."""
        chunk = self.socket.recv(65536)
        if not chunk:
            msg = "the server closed a connection"
            raise ConnectionError(msg)
        self.received += chunk
        head, separator, body = self.received.partition(b"\r\n\r\n")
        if not separator:
            return None
        return int(head[9:12]) if len(body) >= _length(head) else None


def _length(head: bytes) -> int:
    _, found, rest = head.lower().partition(b"\r\ncontent-length:")
    return int(rest.partition(b"\r\n")[0]) if found else 0


def run(
    port: int,
    clients: int,
    requests_of: Callable[[int], Iterator[bytes]],
    *,
    seconds: float = float("inf"),
    watch: Callable[[int, bytes], None] | None = None,
) -> Result:
    """Let `clients` connections send what `requests_of(number)` yields, until the time is over or all is sent.

    A 503 is asked again, and the waiting counts as one; so in the end every outcome is known.
    watch: called with each status and whole answer.
    """
    selector = selectors.DefaultSelector()
    connections = []
    for number in range(clients):
        opened = socket.create_connection(("127.0.0.1", port))
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection = _Connection(opened, requests_of(number))
        connections.append(connection)
        selector.register(opened, selectors.EVENT_READ, connection)
    result = Result()
    began, cpu = time.perf_counter(), time.process_time()
    active = sum(connection.send() for connection in connections)
    while active:
        for key, _ in selector.select(timeout=30):
            connection = key.data
            status = connection.receive()
            if status is None:
                continue
            if status == BUSY and connection.send_again():
                result.busy += 1
                continue
            now = time.perf_counter()
            result.latencies.append(now - connection.asked)
            result.statuses[status] += 1
            if watch:
                watch(status, connection.received)
            if now - began >= seconds or not connection.send():
                active -= 1
    result.seconds, result.cpu = time.perf_counter() - began, time.process_time() - cpu
    for connection in connections:
        connection.socket.close()
    return result
