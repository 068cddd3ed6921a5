"""G16: orders for one supplier's SKUs while another one is slow, or never answers."""

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.db import connection
from django.db.models.functions import Now

from benchmarks import catalogue, goods, load, traffic
from benchmarks.polling import wait_for
from benchmarks.registry import Figure, at_most, step
from benchmarks.run import Run
from benchmarks.steps.coalescing import READING, STOCK, worker
from benchmarks.web import Web
from inventory.models import Effect
from suppliers import credentials
from suppliers.models import Supplier
from suppliers.simulator.configuration import rest_config
from suppliers.simulator.ledger import Item
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

SKUS, CLIENTS = 50, 8
ORDERS = 20  # that the supplier in question is to be told of in each round
LIMITS = {"total_seconds": 2.0, "read_seconds": 2.0, "breaker_seconds": 1}
HEALED_SECONDS = 60  # longer than any back-off
HEAD_START_SECONDS = 1  # a supplier that is well has its orders by then, and costs nobody more
WELL = "well"
TEMPERS: dict[str, dict[str, Any] | None] = {
    WELL: None,
    "slow": {"median_ms": 1_500, "sigma": 0.1},
    "hanging": {"hang_p": 1},
}
TOLD = {"slow": "takes 1.5 s for each answer", "hanging": "never answers"}
_WAITED = """
SELECT COALESCE(max(extract(epoch FROM COALESCE(done_at, now()) - created_at)), 0)::float8
FROM inventory_effect WHERE kind = 'sync' AND supplier_id = %s
"""


@step("G16")
def neighbours(run: Run) -> Iterator[Figure]:
    """Everything is sold all the time; one worker of four threads, with a real beat, does what follows."""
    mine, theirs = ([f"{prefix}-{number}" for number in range(1, SKUS + 1)] for prefix in ("G16", "G16-OTHER"))
    goods.add_skus([*mine, *theirs])
    Effect.objects.all().delete()  # what earlier steps left undone is nobody's business here
    beat = ("--beat", "--schedule", str(run.folder / "beat"))
    with (
        # It is read only: what is sold of it stays subtracted, as the proof of the books wants it.
        _supplier("bench-well", mine, READING) as (well, _),
        _supplier("bench-other", theirs) as (another, other),
        worker(run.folder, *beat),
        run.web(name="neighbours") as web,
    ):
        rounds = _Rounds(run, web, (well.pk, mine), (another.pk, theirs), other)
        p99 = run.alternate({f"{temper} ms": partial(rounds.p99, temper) for temper in TEMPERS})
    for temper, what in TOLD.items():
        yield Figure(
            f"G16 {temper}",
            f"p99 of orders for others' SKUs while a supplier {what}, against while it is well ({CLIENTS} clients)",
            at_most(1.1),
            p99[f"{temper} ms"],
            p99[f"{WELL} ms"],
            unit=" ms",
            notes=[rounds.told(temper)],
        )


@dataclass
class _Rounds:
    """mine: the supplier that is well all the time, and its SKUs; theirs: of the other one.

    waited: temper → seconds that a level of mine waited to be read, at most.
    """

    run: Run
    web: Web
    mine: tuple[int, Sequence[str]]
    theirs: tuple[int, Sequence[str]]
    other: RunningChaosSupplier
    waited: dict[str, float] = field(default_factory=dict)

    def p99(self, temper: str) -> float:
        """Of orders for what is mine, in ms."""
        supplier_id, codes = self.mine
        self._heal()
        self.other.set(latency=TEMPERS[temper])
        there = traffic.orders(self.run.key, self.theirs[1])
        load.run(self.web.port, 1, lambda client: itertools.islice(there(client), ORDERS))
        time.sleep(HEAD_START_SECONDS)
        Effect.objects.filter(supplier_id=supplier_id).delete()
        orders = traffic.orders(self.run.key, codes)
        result = self.run.load(self.web, CLIENTS, orders, spread=codes, seconds=2 * self.run.seconds)
        self.waited[temper] = max(self.waited.get(temper, 0), self._waited())
        return 1e3 * result.percentile(0.99)

    def _heal(self) -> None:
        """What the last round left of the other supplier's work must not fall into this one."""
        self.other.set(latency=None)
        left = Effect.objects.filter(kind=Effect.Kind.CONFIRM, supplier_id=self.theirs[0], done_at=None)
        wait_for(lambda: not left.update(due_at=Now()), HEALED_SECONDS, "what the other supplier is to be told")

    def told(self, temper: str) -> str:
        """For a reader."""
        return (
            f"a level that was sold from waited {self.waited[temper]:.1f} s at most to be read at its own supplier,"
            f" {self.waited[WELL]:.1f} s while the other was well"
        )

    def _waited(self) -> float:
        with connection.cursor() as cursor:
            cursor.execute(_WAITED, [self.mine[0]])
            return float(cursor.fetchone()[0])


@contextmanager
def _supplier(
    slug: str, codes: Sequence[str], parts: Sequence[str] = ()
) -> Iterator[tuple[Supplier, RunningChaosSupplier]]:
    """One that has plenty of these and was read once.  parts: of its configuration; all unless given."""
    with running_chaos_supplier(items=[Item(code, code, "main", STOCK) for code in codes]) as chaos:
        config: Mapping[str, Any] = rest_config(chaos.url)
        config = {part: value for part, value in config.items() if part in (parts or config)}
        fields = {
            "name": slug,
            "config": {**config, "limits": {**config["limits"], **LIMITS}},
            "credentials": credentials.seal({"token": chaos.token}),
            "settlement_lag_seconds": 3,
        }
        supplier, _ = Supplier.objects.update_or_create(slug=slug, defaults=fields)
        catalogue.finish(catalogue.start(supplier.pk))
        yield supplier, chaos
