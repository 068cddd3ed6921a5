"""The requests that clients send, as bytes made beforehand."""

import itertools
import json
import secrets
from collections.abc import Callable, Iterator, Sequence


def orders(key: str, codes: Sequence[str], quantity: int = 1) -> Callable[[int], Iterator[bytes]]:
    """Orders of one line with a new idempotency key each; client n begins with the n-th SKU and goes through all."""
    run = secrets.token_hex(6)
    ready = []
    for code in codes:
        body = json.dumps({"reference": "bench", "lines": [{"sku": code, "quantity": quantity}]}).encode()
        head = (
            "POST /api/v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
            f"Authorization: Api-Key {key}\r\nContent-Length: {len(body)}\r\nIdempotency-Key: {run}-"
        )
        ready.append((head.encode(), b"\r\n\r\n" + body))

    def of(client: int) -> Iterator[bytes]:
        for number in itertools.count():
            head, tail = ready[(client * 31 + number) % len(ready)]
            yield head + b"%d-%d" % (client, number) + tail

    return of


def reads(key: str, codes: Sequence[str], path: str = "/api/v1/stock/") -> Callable[[int], Iterator[bytes]]:
    """Single reads, through all SKUs in turn."""
    return gets(key, [path + code for code in codes])


def gets(key: str, paths: Sequence[str]) -> Callable[[int], Iterator[bytes]]:
    """GETs of these paths in turn."""
    ready = [
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Api-Key {key}\r\n\r\n".encode() for path in paths
    ]
    return lambda client: itertools.cycle(ready[client * 31 % len(ready) :] + ready[: client * 31 % len(ready)])
