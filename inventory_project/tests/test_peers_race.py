"""The buyers of `make bench-peers`, at small shops of our own that fail in known ways."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest

from benchmarks.peers import race
from benchmarks.peers.scenarios import Scenario
from benchmarks.peers.seller import FAILED, REFUSED, SOLD, Answer
from benchmarks.peers.verdict import Book
from benchmarks.peers.wire import Connection

FEW = Scenario("few", "few", buyers=6, stock=2)


def answer(status, body, *headers):
    content = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + content


@asynccontextmanager
async def serving(reply):
    """A server that answers the n-th request with `reply(n)`; an answer of None ends the connection."""
    asked = iter(range(1, 1_000))
    handlers: list[asyncio.Task[None]] = []

    async def serve(reader, writer):
        handlers.extend(filter(None, [asyncio.current_task()]))
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
                await reader.readexactly(int(length.split(b":")[1]))
                if (said := reply(next(asked))) is None:
                    break
                writer.write(said)
        except asyncio.IncompleteReadError:
            pass
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*handlers)


class Shop:
    """A seller whose answers are the server's: 200 sold, 409 refused, anything else neither."""

    name, title, how, sells_baskets = "shop", "Shop", "one call", True

    def __init__(self, port):
        self.port, self.sold = port, 0

    async def buyers(self, baskets):
        return [self.press for _ in baskets]

    async def impatient(self, basket, times):
        return [self.press] * times

    async def press(self, connection):
        reply = await connection.post("/buy", {}, {})
        self.sold += reply.status == 200
        outcome = {200: SOLD, 409: REFUSED}.get(reply.status, FAILED)
        return Answer(outcome, reply.json().get("order", ""), pause=0)

    def rest(self):
        pass

    def books(self, codes):
        return {code: Book(self.sold, self.sold) for code in codes}


def run(reply, scenario=FEW):
    async def all_of_it():
        async with serving(reply) as port:
            return await race.run(Shop(port), scenario, 1)

    return asyncio.run(all_of_it())


def two_orders(number):
    return answer(200, {"order": str(number)}) if number <= 2 else answer(409, {})


def test_every_buyer_is_counted_once():
    done = run(two_orders)
    assert (done.orders, done.told, done.refused, done.failed) == (2, 2, 4, 0)
    assert len(done.latencies) == 6
    assert done.books_right


def test_who_is_told_neither_yes_nor_no_presses_again():
    done = run(lambda number: answer(503, {}) if number <= 6 else two_orders(number - 6))
    assert (done.orders, done.refused, done.failed) == (2, 4, 0)


def test_who_never_gets_an_answer_is_counted_as_failed(monkeypatch):
    monkeypatch.setattr(race, "PAUSE_SECONDS", 0)
    done = run(lambda _: None)
    assert (done.orders, done.refused, done.failed) == (0, 0, 6)


def test_an_order_that_is_sent_again_counts_once():
    again = Scenario("again", "again", buyers=5, stock=5, replays=True)
    done = run(lambda _: answer(200, {"order": "1"}), again)
    assert (done.orders, done.told, done.wanted) == (1, 5, 1)
    assert not done.books_right  # the shop counted five


@pytest.mark.parametrize(
    "raw",
    [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n[1, 2\r\n3\r\n, 3\r\n1;x=y\r\n]\r\n0\r\n\r\n",
        answer(200, [1, 2, 3]),
        answer(200, [1, 2, 3], "Connection: close"),
    ],
)
def test_bodies_of_every_kind_are_read_whole_and_the_connection_goes_on(raw):
    async def twice():
        async with serving(lambda _: raw) as port, Connection(port) as connection:
            return [(await connection.post("/", {}, {})).json() for _ in range(2)]

    assert asyncio.run(twice()) == [[1, 2, 3], [1, 2, 3]]
