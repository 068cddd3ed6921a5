"""A supplier that pushes, in a process of its own: what it does must not hold up those who measure."""

import hmac
import json
import multiprocessing
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager

from benchmarks import load
from benchmarks.load import Result

HEADER = "X-Sign"
SLUG = "bench"
LEAST = 1_000  # units of a push; each says another number


@contextmanager
def burst(port: int, rows: Sequence[str], secret: str, size: tuple[int, int]) -> "Iterator[Future[Result]]":
    """Begin to push about these rows.  size: connections, and pushes over each."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as other:
        other.submit(time.monotonic).result()  # it takes a moment to start
        yield other.submit(_push, port, rows, secret, size)


def _push(port: int, rows: Sequence[str], secret: str, size: tuple[int, int]) -> Result:
    senders, each = size
    return load.run(port, senders, _pushes(rows, secret, each))


def _pushes(rows: Sequence[str], secret: str, each: int) -> Callable[[int], Iterator[bytes]]:
    """So many from every sender, no two alike."""
    name = secrets.token_hex(6)

    def of(sender: int) -> Iterator[bytes]:
        for number in range(each):
            row = rows[(sender * each + number) % len(rows)]
            at = int(time.time() * 1_000)
            event = {"id": row, "units": LEAST + number, "at": at, "event": f"{name}-{sender}-{number}"}
            body = json.dumps(event).encode()
            signature = hmac.digest(secret.encode(), body, "sha256").hex()
            yield (
                f"POST /hooks/suppliers/{SLUG}/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"{HEADER}: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode() + body

    return of
