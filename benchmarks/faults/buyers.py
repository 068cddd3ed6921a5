"""Buyers that write down every answer: what it was, when it was asked for, and from whom."""

import asyncio
import json
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.proxy import Loop

PLACED, REFUSED, REUSED, UNDECIDED, NO_ANSWER = 201, 409, 422, 503, 0
TIMEOUT = 25.0  # seconds; far beyond the limit that is to be measured
PATIENCE = 90.0  # seconds of asking again with one key, the longest fault included


@dataclass(slots=True)
class Attempt:
    """One request with its answer.  asked, answered: `time.time()`.  status: 0 for no answer."""

    key: str
    web: int
    lines: dict[str, int]
    asked: float
    answered: float = 0.0
    status: int = NO_ANSWER
    body: bytes = b""
    error: str = ""

    @property
    def seconds(self) -> float:
        return self.answered - self.asked


@dataclass(slots=True)
class Record:
    """Every attempt of every buyer, and the keys that are still not decided."""

    attempts: list[Attempt] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    undecided: set[str] = field(default_factory=set)
    last_placed: dict[int, float] = field(default_factory=dict)  # web → `asked` of the newest order it placed

    def note(self, attempt: Attempt) -> None:
        self.attempts.append(attempt)
        self.statuses[attempt.status] += 1
        if attempt.status == PLACED:
            self.last_placed[attempt.web] = max(attempt.asked, self.last_placed.get(attempt.web, 0.0))


class Client:
    """One keep-alive connection to each web process."""

    def __init__(self, ports: Sequence[int], api_key: str) -> None:
        self.ports = ports
        self.api_key = api_key
        self._open: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def post(self, web: int, key: str, body: bytes) -> tuple[int, bytes]:
        """Status and body.  Raises OSError, EOFError, TimeoutError, ValueError."""
        fresh = web not in self._open
        try:
            return await asyncio.wait_for(self._exchange(web, key, body), TIMEOUT)
        except (ConnectionError, EOFError):
            self.drop(web)
            if fresh:
                raise
        except BaseException:
            self.drop(web)
            raise
        # A kept connection may have died while nobody looked; the key makes it safe to repeat.
        try:
            return await asyncio.wait_for(self._exchange(web, key, body), TIMEOUT)
        except BaseException:
            self.drop(web)
            raise

    async def _exchange(self, web: int, key: str, body: bytes) -> tuple[int, bytes]:
        if web not in self._open:
            self._open[web] = await asyncio.open_connection("127.0.0.1", self.ports[web])
        reader, writer = self._open[web]
        head = (
            f"POST /api/v1/orders HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Api-Key {self.api_key}\r\n"
            f"Content-Type: application/json\r\nIdempotency-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        writer.write(head.encode() + body)
        answer = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(answer.partition(b"content-length:")[2].partition(b"\r\n")[0])
        return int(answer[9:12]), await reader.readexactly(length)

    def drop(self, web: int) -> None:
        """Close the connection to one web process."""
        if pair := self._open.pop(web, None):
            pair[1].close()

    def close(self) -> None:
        for web in list(self._open):
            self.drop(web)


class Crowd:
    """Buyers at work in the loop from `start` to `stop`; what they are told is in `record`."""

    def __init__(self, wire: Loop, ports: Sequence[int], api_key: str, seed: int) -> None:
        self.wire = wire
        self.ports = ports
        self.api_key = api_key
        self.record = Record()
        self.random = random.Random(seed)
        self._going = True
        self._tasks: list[asyncio.Task[None]] = []

    def start(self, buyers: int, choose: Callable[[random.Random], dict[str, int]], pause: float) -> None:
        """pause: mean seconds between two orders of a buyer.  choose: what the next order is."""

        async def begin() -> None:
            for _ in range(buyers):
                chance = random.Random(self.random.random())
                self._tasks.append(asyncio.create_task(self._buy_on(chance, choose, pause)))

        self.wire.run(begin())

    def stop(self) -> None:
        """Return when every buyer has the answer to its last order."""

        async def end() -> None:
            self._going = False
            await asyncio.gather(*self._tasks)

        self.wire.run(end(), timeout=PATIENCE + TIMEOUT + 30)

    def rush(self, orders: Sequence[tuple[str, dict[str, int]]]) -> list[int]:
        """These (key, lines) all at once, spread over the web processes, each until decided; their statuses."""

        async def run() -> list[int]:
            return await asyncio.gather(*(self._one(at, *order) for at, order in enumerate(orders)))

        return self.wire.run(run(), timeout=PATIENCE + TIMEOUT + 30)

    async def _one(self, at: int, key: str, lines: dict[str, int]) -> int:
        client = Client(self.ports, self.api_key)
        try:
            return await self._order(client, random.Random(at), key, lines, first=at)
        finally:
            client.close()

    async def _buy_on(
        self, chance: random.Random, choose: Callable[[random.Random], dict[str, int]], pause: float
    ) -> None:
        client = Client(self.ports, self.api_key)
        while self._going:
            await self._order(client, chance, uuid.UUID(int=chance.getrandbits(128)).hex, choose(chance))
            await asyncio.sleep(chance.expovariate(1 / pause))
        client.close()

    async def _order(
        self, client: Client, chance: random.Random, key: str, lines: dict[str, int], first: int | None = None
    ) -> int:
        """Ask until it is decided, each time a web process by chance: a retry may come to another one."""
        deadline = time.monotonic() + PATIENCE
        web = chance.randrange(len(self.ports)) if first is None else first % len(self.ports)
        body = order_body(key, lines)
        while True:
            attempt = await self._attempt(client, web, key, lines, body)
            if attempt.status not in (NO_ANSWER, UNDECIDED):
                self.record.undecided.discard(key)
                return attempt.status
            self.record.undecided.add(key)
            if time.monotonic() > deadline:
                return attempt.status
            await asyncio.sleep(chance.uniform(0.1, 0.6))
            web = chance.randrange(len(self.ports))

    async def _attempt(self, client: Client, web: int, key: str, lines: dict[str, int], body: bytes) -> Attempt:
        attempt = Attempt(key, web, lines, time.time())
        try:
            attempt.status, attempt.body = await client.post(web, key, body)
        except (OSError, EOFError, TimeoutError, ValueError) as error:
            attempt.error = type(error).__name__
        attempt.answered = time.time()
        self.record.note(attempt)
        return attempt


def order_body(key: str, lines: dict[str, int]) -> bytes:
    document: dict[str, Any] = {
        "reference": key[:12],
        "lines": [{"sku": sku, "quantity": units} for sku, units in lines.items()],
    }
    return json.dumps(document).encode()
