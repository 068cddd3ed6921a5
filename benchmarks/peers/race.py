"""One race: every buyer connected, all start at once, each presses until told yes or no."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.peers.scenarios import Scenario
from benchmarks.peers.seller import FAILED, REFUSED, SOLD, Answer, Buyer, Seller
from benchmarks.peers.verdict import Race
from benchmarks.peers.wire import Connection

PRESSES = 3  # who is told neither yes nor no presses again, at every shop alike
PAUSE_SECONDS = 1.0
PATIENCE_SECONDS = 300  # a slow shop is slow, not wrong


@dataclass(frozen=True, slots=True)
class Told:
    """One buyer's last answer, and the seconds until it came."""

    answer: Answer
    seconds: float


async def run(seller: Seller, scenario: Scenario, number: int) -> Race:
    """Let one scenario happen at one shop, on SKUs that nobody has bought before."""
    codes = scenario.codes(seller.name, number)
    baskets = scenario.baskets(codes)
    if scenario.replays:
        buyers = await seller.impatient(baskets[0], scenario.buyers)
    else:
        buyers = await seller.buyers(baskets)
    told, seconds = await _all_at_once(buyers, seller.port)
    seller.rest()
    outcomes = [one.answer.outcome for one in told]
    return Race(
        seller=seller.name,
        scenario=scenario.name,
        number=number,
        stock=scenario.stock,
        wanted=scenario.wanted,
        orders=len({one.answer.order for one in told if one.answer.outcome == SOLD}),
        told=outcomes.count(SOLD),
        refused=outcomes.count(REFUSED),
        failed=outcomes.count(FAILED),
        seconds=seconds,
        latencies=[one.seconds for one in told],
        books=seller.books(codes),
    )


async def _all_at_once(buyers: Sequence[Buyer], port: int) -> tuple[list[Told], float]:
    start = asyncio.Event()
    waiting = asyncio.Semaphore(0)

    async def one(buyer: Buyer) -> Told:
        async with Connection(port) as connection:
            waiting.release()
            await start.wait()
            return await _press(buyer, connection)

    crowd = [asyncio.create_task(one(buyer)) for buyer in buyers]
    for _ in crowd:
        await waiting.acquire()
    began = time.perf_counter()
    start.set()
    return list(await asyncio.gather(*crowd)), time.perf_counter() - began


async def _press(buyer: Buyer, connection: Connection) -> Told:
    began = time.perf_counter()
    for press in range(PRESSES):
        try:
            answer = await asyncio.wait_for(buyer(connection), PATIENCE_SECONDS)
        except (OSError, EOFError, ValueError):  # no whole answer, or one that is no JSON; TimeoutError is an OSError
            answer = Answer(FAILED, pause=PAUSE_SECONDS)
        if answer.outcome != FAILED:
            break
        # A server may serve only so many connections at once: who waits holds none.
        await connection.close()
        if press < PRESSES - 1:
            await asyncio.sleep(answer.pause)
    told = Told(answer, time.perf_counter() - began)
    await connection.close()  # the next in line may be waiting for it
    return told
