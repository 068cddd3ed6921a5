"""P10: whether a large catalogue and a long past make orders and reads slower."""

import itertools
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial

from django.db import connection

from benchmarks import goods, history, load, traffic
from benchmarks.registry import Figure, at_most, step
from benchmarks.run import Run
from benchmarks.steps.snapshots import CREATED, count
from benchmarks.web import Web

CLIENTS, SMALLEST, HOT = 8, 1_000, 100


@step("P10")
def growth(run: Run) -> Iterator[Figure]:
    """The same orders and reads on two databases in turn: one stays small, the other grows."""
    sizes = [SMALLEST, 5_000, 20_000] if run.small else [SMALLEST, 100_000, 1_000_000]
    goods.supplier()
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's has it
    large = os.environ["DATABASE_URL"]
    small = history.twin(large, "small")
    history.clear(large)
    history.add_skus(small, "S", 1, SMALLEST)
    history.add_orders(small, "S", SMALLEST, SMALLEST)
    ratios: dict[str, dict[str, float]] = {}
    with (
        run.web(name="small", environment={"DATABASE_URL": small}) as small_web,
        run.web(name="large", environment={"DATABASE_URL": large}) as large_web,
    ):
        webs = {"small": small_web, "large": large_web}
        for before, size in itertools.pairwise([0, *sizes]):
            history.add_skus(large, "L", before + 1, size)
            ratios[f"{size:,} SKUs"] = _compare(run, webs, size)
        history.add_orders(large, "L", sizes[-1], sizes[-1])
        ratios["as many past orders"] = _compare(run, webs, sizes[-1])
    promised = sum(units for code, units in run.sold.items() if code in _spread("S", SMALLEST))
    if (booked := history.allocated(small)) != promised:
        run.wrong(f"the small database: {promised} units answered, {booked} allocated")
    for what in ("orders", "reads"):
        worst = max(ratios, key=lambda point: ratios[point][what])
        told = ", ".join(f"{point} {ratio[what]:.2f}×" for point, ratio in ratios.items())
        yield Figure(
            "P10" if what == "orders" else "P10 reads",
            f"median latency of {what}, where it is worst, against {SMALLEST:,} SKUs and {SMALLEST:,} past orders",
            at_most(1.2),
            ratios[worst][what],
            1.0,
            unit="×",
            notes=[f"{what}: {told}"],
        )


def _compare(run: Run, webs: Mapping[str, Web], size: int) -> dict[str, float]:
    """orders, reads → how many times the median latency of the small database the large one's is."""
    # As many SKUs on both sides, spread over all there are, and none with a past of its own.
    codes = {"small": _spread("S", SMALLEST), "large": _spread("L", size)}
    run.say(f"{size:,} SKUs, microseconds:")
    measured = run.alternate(
        {
            f"{what} {side}": partial(measure, run, web, codes[side])
            for what, measure in (("orders", _orders), ("reads", _reads))
            for side, web in webs.items()
        },
        rounds=1 if run.small else 3,
    )
    return {what: measured[f"{what} large"] / measured[f"{what} small"] for what in ("orders", "reads")}


def _spread(prefix: str, size: int) -> list[str]:
    return [f"{prefix}{number}" for number in range(size // HOT, size + 1, size // HOT)]


def _orders(run: Run, web: Web, codes: list[str]) -> float:
    """Microseconds."""
    sold: Counter[str] = Counter()
    requests = traffic.orders(run.key, codes)
    result = load.run(web.port, CLIENTS, requests, seconds=run.seconds / 2, watch=partial(count, sold))
    if set(result.statuses) != {CREATED}:
        run.wrong(f"orders answered {dict(result.statuses)}")
    run.sold.update(sold)
    return 1e6 * result.percentile(0.5)


def _reads(run: Run, web: Web, codes: list[str]) -> float:
    """Microseconds."""
    result = run.load(web, CLIENTS, traffic.reads(run.key, codes), seconds=run.seconds / 2)
    return 1e6 * result.percentile(0.5)
