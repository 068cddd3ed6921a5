"""Who works while the supplier misbehaves: buyers, and what workers and beat do, each a thread of production calls."""

import contextlib
import hashlib
import json
import random
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from django.db import DatabaseError, connection

from inventory import lanes, reconciliation, snapshots
from inventory.ledger import Origin
from inventory.locks import LockBusyError
from inventory.models import Effect, Snapshot
from orders import cancellation, placement
from orders.combiner import Combiner
from orders.intents import Intent, Outcome, Placed
from storefronts.models import Storefront

BUYER_PAUSE, WORKER_PAUSE, SNAPSHOT_PAUSE, LOOKUP_PAUSE = 0.1, 0.1, 0.7, 1.0  # seconds
CANCELLED_SHARE = 0.1
OF_SUPPLIER = (Effect.Kind.CONFIRM, Effect.Kind.CANCEL, Effect.Kind.SYNC, Effect.Kind.PUSH, Effect.Kind.RETRUST)


@dataclass
class Log:
    """What happened.  seconds: job → how long each time took.  answers: side → outcome → times."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    answers: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    snapshots: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    errors: list[str] = field(default_factory=list)

    @contextlib.contextmanager
    def timed(self, job: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[job].append(time.monotonic() - began)

    def longest(self, prefix: str) -> float:
        return max((each for job, times in self.seconds.items() if job.startswith(prefix) for each in times), default=0)


class Crew:
    """Threads that work until they are told to stop."""

    def __init__(self, storefront: Storefront, seed: int) -> None:
        self.log = Log()
        self.storefront = storefront
        self._seed = seed
        self._combiner = Combiner()
        self._stop_buying = threading.Event()
        self._stop = threading.Event()
        self._threads: list[tuple[threading.Thread, threading.Event]] = []

    def buy(self, side: str, skus: list[str], buyers: int) -> None:
        for buyer in range(buyers):
            chance = random.Random(f"{self._seed} {side} {buyer}")  # seeded: what is wanted must repeat
            order = self._buyer(side, skus, chance, f"{side}-{buyer}")
            self._start(order, BUYER_PAUSE, self._stop_buying)

    def serve(self, side: str, supplier_id: int, workers: int) -> None:
        """Do for this supplier what workers and beat would."""
        for _ in range(workers):
            self._start(lambda: self._drain(side, supplier_id), WORKER_PAUSE, self._stop)
        self._start(lambda: self._look_up(side, supplier_id), LOOKUP_PAUSE, self._stop)
        self._start(lambda: self._snapshot(side, supplier_id), SNAPSHOT_PAUSE, self._stop)

    def employ(self, job: Callable[[], None]) -> None:
        """Somebody more, until the end."""
        self._start(job, WORKER_PAUSE, self._stop)

    def stop_buying(self) -> None:
        self._end(self._stop_buying)

    def stop(self) -> None:
        self._stop_buying.set()
        self._end(self._stop)

    # --- Jobs ---------------------------------------------------------------------------------------------
    def _buyer(self, side: str, skus: list[str], chance: random.Random, name: str) -> Callable[[], None]:
        number = 0

        def order() -> None:
            nonlocal number
            number += 1
            wanted = {chance.choice(skus): chance.choice((1, 1, 2)) for _ in range(chance.choice((1, 1, 2)))}
            lines = sorted(wanted.items())
            key = f"{name}-{number}-{self._seed}-{self.storefront.pk}"
            fingerprint = hashlib.sha256(repr(lines).encode()).digest()
            intent = Intent(self.storefront.pk, "storefront:chaos", key, fingerprint, key, lines)
            with self.log.timed(f"order {side}"):
                outcome = self._answer(intent)
            self.log.answers[side][type(outcome).__name__ if outcome else "Undecided"] += 1
            if isinstance(outcome, Placed) and chance.random() < CANCELLED_SHARE:
                self._cancel(outcome)

        return order

    def _answer(self, intent: Intent) -> Outcome | None:
        """None: undecided."""
        try:
            return self._combiner.submit(intent)
        except (LockBusyError, DatabaseError, placement.KeyContendedError):
            return None

    def _cancel(self, placed: Placed) -> None:
        number = json.loads(placed.answer)["number"]
        origin = Origin(actor="storefront:chaos")
        cancellation.cancel_order(number, storefront_id=self.storefront.pk, origin=origin)

    def _drain(self, side: str, supplier_id: int) -> None:
        for kind in OF_SUPPLIER:
            with self.log.timed(f"task {side}"):
                lanes.drain(kind, supplier_id)

    def _look_up(self, side: str, supplier_id: int) -> None:
        with self.log.timed(f"task {side}"):
            reconciliation.resolve_expired_claims(supplier_id)
            reconciliation.recheck(supplier_id)

    def _snapshot(self, side: str, supplier_id: int) -> None:
        try:
            with self.log.timed(f"task {side}"):
                run: Snapshot = snapshots.run_full(supplier_id)
        except (snapshots.SnapshotUnavailable, snapshots.LeaseLost):
            return
        self.log.snapshots[side][f"{run.status}"] += 1

    # --- Threads -------------------------------------------------------------------------------------------
    def _start(self, job: Callable[[], None], pause: float, stop: threading.Event) -> None:
        def work() -> None:
            while not stop.is_set():
                try:
                    job()
                except Exception as error:  # noqa: BLE001 - it is a finding, and the others go on
                    self.log.errors.append(f"{type(error).__name__}: {error}"[:300])
                finally:
                    connection.close()
                stop.wait(pause)

        thread = threading.Thread(target=work, daemon=True)
        self._threads.append((thread, stop))
        thread.start()

    def _end(self, stop: threading.Event) -> None:
        stop.set()
        for thread, by in self._threads:
            if by is stop:
                thread.join(60)
