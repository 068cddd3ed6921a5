"""One temper in one dialect: a calm start, faults under buyers, healing, and the verdict."""

import itertools
import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.db import connection

from benchmarks.polling import came_true
from inventory import snapshots
from inventory.models import Sku, Snapshot
from storefronts.models import Storefront

from .clerk import Clerk
from .crew import Crew, Log
from .dialects import pushing_to
from .receiver import receiving
from .tempers import SETTLEMENT_LAG, scenario
from .upstream import Upstream, running
from .verdict import Claim, Side, claims, differences

HEALING_SECONDS = 75.0  # the longest back-off, a lease, a lag and a snapshot
BUYERS, WORKERS = 4, 2
numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Result:
    """What one pair showed.  healed: seconds from the end of the faults until both sides agreed."""

    temper: str
    dialect: str
    seed: int
    healed: float
    answers: dict[str, dict[str, int]]
    acted: dict[str, int]
    slowest: dict[str, float]
    claims: list[Claim] = field(default_factory=list)

    @property
    def name(self) -> tuple[str, str]:
        return self.temper, self.dialect

    @property
    def broken(self) -> list[Claim]:
        return [claim for claim in self.claims if claim.wrong]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def run(temper: str, dialect: str, seed: int, seconds: float, log: Path) -> Result:
    """seconds: how long the supplier misbehaves.  log: what the simulators have to complain about."""
    name = f"{temper}-{dialect}-{next(numbers)}".replace("_", "-")
    with ExitStack() as stack:
        chaotic = stack.enter_context(running(dialect, "WILD-", seed, log))
        calm = stack.enter_context(running("rest_page", "CALM-", seed, log))
        address = stack.enter_context(receiving())
        sides = [_open(upstream, f"{kind}-{name}") for upstream, kind in ((chaotic, "wild"), (calm, "calm"))]
        pushed_to = f"{address}/hooks/suppliers/{sides[0].supplier.slug}/"
        storefront = Storefront.objects.create(slug=name[:50], name=name)
        crew = Crew(storefront, seed)
        try:
            return _play(temper, sides, crew, seconds, pushed_to)
        finally:
            crew.stop()
            connection.close()


def _open(upstream: Upstream, slug: str) -> Side:
    """Known to us, and read once while it behaves."""
    supplier = upstream.connect(slug)
    Sku.objects.bulk_create([Sku(code=code) for code in upstream.skus])
    first = snapshots.run_full(supplier.pk)
    if first.status != Snapshot.Status.APPLIED:
        raise RuntimeError(f"The first snapshot of {slug} was {first.status}: {first.reason}")
    return Side(upstream, supplier)


def _play(temper: str, sides: list[Side], crew: Crew, seconds: float, pushed_to: str) -> Result:
    chaotic, calm = sides
    chaotic.upstream.ask("chaos", scenario(temper, pushing_to(chaotic.upstream.dialect, pushed_to)))
    for side, name in ((chaotic, "wild"), (calm, "calm")):
        crew.buy(name, side.upstream.skus, BUYERS if side is chaotic else BUYERS // 2)
        crew.serve(name, side.supplier.pk, WORKERS if side is chaotic else 1)
    if chaotic.upstream.is_by_hand:
        crew.employ(Clerk(chaotic).work)
    time.sleep(seconds)  # how long the faults last
    told = chaotic.upstream.ask("chaos")
    acted = {**told["acted"], **{f"webhook {what}": times for what, times in told["webhooks"].items()}}
    chaotic.upstream.ask("chaos", {"profile": "calm"})
    crew.stop_buying()
    healed = _heal(sides)
    crew.stop()
    scene = chaotic.upstream
    seed = int(scene.ask("chaos")["scenario"]["seed"])
    return Result(
        temper, scene.dialect, seed, healed, {side: dict(found) for side, found in crew.log.answers.items()}, acted,
        _slowest(crew.log), claims(temper, chaotic, calm, crew.log),
    )  # fmt: skip


def _heal(sides: list[Side]) -> float:
    """Wait until both sides agree: seconds that took."""
    began = time.monotonic()

    def agree() -> bool:
        # What stands a moment before a late answer is no agreement yet.
        return time.monotonic() - began > SETTLEMENT_LAG and not any(map(differences, sides))

    came_true(agree, HEALING_SECONDS, pause=0.25)
    return time.monotonic() - began


def _slowest(log: Log) -> dict[str, float]:
    """The longest of each job, and the 99th percentile of the other supplier's orders, in seconds."""
    orders = sorted(log.seconds["order calm"])
    p99 = orders[int(len(orders) * 0.99)] if orders else 0.0
    return {**{job: round(max(times), 3) for job, times in log.seconds.items()}, "order calm p99": round(p99, 3)}
