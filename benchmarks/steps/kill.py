"""Web processes that are killed while a SKU sells out: no unit twice, no answer lost, no answer taken back."""

import json
import random
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from queue import Empty, SimpleQueue

from django.db import connection

from benchmarks import goods
from benchmarks.registry import Figure, at_most, step
from benchmarks.run import Run
from benchmarks.web import Web
from inventory_project.localstack.processes import free_port
from orders.models import Order

PROCESSES, BUYERS_AT_ONCE = 3, 48
KILL_SECONDS = 1.0
# Buyers come in waves as long as there is stock, so that the sale is long enough to be killed often.
WAVES, WAVE_SECONDS = 40, 0.25
PATIENCE_SECONDS = 120  # for one buyer; who is not told by then is a wrong result


@dataclass
class Ledger:
    """What buyers were told, by idempotency key.  lost: requests whose answer never came.  attempts: all requests."""

    placed: dict[str, bytes] = field(default_factory=dict)
    refused: set[str] = field(default_factory=set)
    odd: list[str] = field(default_factory=list)
    lost: set[str] = field(default_factory=set)
    attempts: int = 0
    busy: int = 0
    kills: int = 0
    kills_in_sale: int = 0


@dataclass
class Sale:
    """One SKU, its buyers, and the processes that they ask."""

    code: str
    key: str
    ports: Sequence[int]
    buyers: SimpleQueue[str] = field(default_factory=SimpleQueue)
    ledger: Ledger = field(default_factory=Ledger)
    over: threading.Event = field(default_factory=threading.Event)
    # Appending to the ledger from many threads is safe; counting up is not.
    mutex: threading.Lock = field(default_factory=threading.Lock)

    def serve(self) -> None:
        """Buy for one buyer after another, until none comes."""
        while True:
            try:
                buyer = self.buyers.get(timeout=0.05)
            except Empty:
                if self.over.is_set():
                    return
                continue
            self.buy(buyer)

    def buy(self, buyer: str) -> None:
        """Ask with the same key, of any process, until the answer is an order or a refusal."""
        chance, deadline = random.Random(buyer), time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            status, content = self.ask(buyer, chance.choice(self.ports))
            if status == HTTPStatus.CREATED:
                self.ledger.placed[buyer] = content
                return
            if status == HTTPStatus.CONFLICT and json.loads(content)["code"] == "insufficient_inventory":
                self.ledger.refused.add(buyer)
                return
            if status not in (0, HTTPStatus.SERVICE_UNAVAILABLE):
                self.ledger.odd.append(f"{buyer}: {status} {content[:200]!r}")
                return
            time.sleep(chance.uniform(0.02, 0.2))
        self.ledger.odd.append(f"{buyer}: never told")

    def ask(self, buyer: str, port: int) -> tuple[int, bytes]:
        """Status and body; 0 if no answer came."""
        body = json.dumps({"reference": buyer, "lines": [{"sku": self.code, "quantity": 1}]})
        headers = {"Authorization": f"Api-Key {self.key}", "Content-Type": "application/json", "Idempotency-Key": buyer}
        http, sent = HTTPConnection("127.0.0.1", port, timeout=10), False
        try:
            http.connect()
            sent = True
            http.request("POST", "/api/v1/orders", body, headers)
            answer = http.getresponse()
            status, content = answer.status, answer.read()
        except (OSError, HTTPException):
            status, content = 0, b""
        finally:
            http.close()
        with self.mutex:
            self.ledger.attempts += sent
            self.ledger.busy += status == HTTPStatus.SERVICE_UNAVAILABLE
        if sent and not status:
            self.ledger.lost.add(buyer)
        return status, content


@step("kill")
def kill(run: Run) -> Iterator[Figure]:
    """Ten buyers for each unit."""
    units = 100 if run.small else 1_000
    (code,) = goods.add("KILL", units=units)
    ports = [free_port() for _ in range(PROCESSES)]
    webs = [
        Web("inventory_project.wsgi:application", run.folder, workers=1, name=f"kill-{n}", port=port)
        for n, port in enumerate(ports)
    ]
    sale = Sale(code, run.key, ports)
    try:
        for web in webs:
            web.start()
        for web in webs:
            web.wait_ready()
        _sell(run, sale, webs, [f"buyer-{number}" for number in range(10 * units)], units)
    finally:
        for web in webs:
            web.stop()
    yield from _judge(run, sale, units)


def _sell(run: Run, sale: Sale, webs: Sequence[Web], buyers: Sequence[str], units: int) -> None:
    """Let the buyers come, and kill a process every second, until each buyer has been told."""
    threads = [threading.Thread(target=sale.serve) for _ in range(BUYERS_AT_ONCE)]
    for thread in threads:
        thread.start()
    coming, wave = list(buyers), units // WAVES
    chance, kill_at = random.Random(7), time.monotonic() + KILL_SECONDS / 2
    try:
        # From this thread alone: a server dies with the thread that started it.
        while any(thread.is_alive() for thread in threads):
            arriving, coming = (coming[:wave], coming[wave:]) if not sale.ledger.refused else (coming, [])
            for buyer in arriving:
                sale.buyers.put(buyer)
            if not coming:
                sale.over.set()
            if time.monotonic() >= kill_at:
                _kill_one(sale, [web for web in webs if web.answers()], chance)
                kill_at = time.monotonic() + KILL_SECONDS
                told = sale.ledger
                run.say(f"{len(told.placed):,} placed, {len(told.refused):,} refused, {told.kills} kills")
            time.sleep(WAVE_SECONDS)
    finally:
        sale.over.set()
    run.say(f"{sale.ledger.kills} kills, {sale.ledger.kills_in_sale} before the first refusal")


def _kill_one(sale: Sale, alive: Sequence[Web], chance: random.Random) -> None:
    """SIGKILL one that works, and start it again at the same port at once: buyers find it gone meanwhile.

    alive: the last of them is left to work until another has started, or the sale would not go on.
    """
    if len(alive) <= 1:
        return
    sale.ledger.kills += 1
    sale.ledger.kills_in_sale += not sale.ledger.refused
    victim = chance.choice(alive)
    victim.kill()
    victim.start()


def _judge(run: Run, sale: Sale, units: int) -> Iterator[Figure]:
    told = sale.ledger
    run.sold[sale.code] = len(told.placed)
    stored = {
        key: bytes(answer)
        for key, answer in Order.objects.filter(lines__sku__code=sale.code).values_list("idempotency_key", "answer")
    }
    connection.close()
    for problem in told.odd[:5]:
        run.wrong(f"kill: {problem}")
    if len(told.placed) != units or len(stored) != units:
        run.wrong(f"kill: {len(told.placed)} orders told, {len(stored)} stored, of {units} units")
    if differing := [key for key, answer in told.placed.items() if stored.get(key) != answer]:
        run.wrong(f"kill: {len(differing)} answers are not in the database with their bytes, {differing[0]} for one")
    if told.refused & set(stored):
        run.wrong(f"kill: {len(told.refused & set(stored))} buyers were refused who have an order")
    yield Figure(
        "kill",
        f"{10 * units:,} buyers, {units:,} units, a web process of {PROCESSES} killed every second: units sold wrongly",
        at_most(0, ""),
        abs(len(stored) - units),
        unit="",
        also=not run.problems,
        notes=[
            f"{told.kills} kills, {told.kills_in_sale} of them before the first refusal",
            f"{told.attempts:,} requests, {told.busy:,} of them answered 503",
            f"{len(told.lost):,} buyers lost an answer; {len(told.lost & set(told.placed)):,} of them have an order",
        ],
    )
