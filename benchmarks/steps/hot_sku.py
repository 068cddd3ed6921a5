"""P1, P2, P3: orders of one SKU over HTTP, beside the same with batches of one, a plain view, and bare PostgreSQL."""

from collections.abc import Iterator
from functools import partial

from benchmarks import goods, pgbench, traffic
from benchmarks.registry import Figure, at_least, at_most, step
from benchmarks.run import Run
from benchmarks.web import Web

CLIENTS = 64
PGBENCH_CLIENTS = 32
ONE_BY_ONE = {"COMBINER_BATCH": "1"}
PLAIN = "benchmarks.plain.wsgi:application"


def orders(run: Run, web: Web, code: str, clients: int = CLIENTS) -> float:
    """Orders/s of a round."""
    result = run.load(web, clients, traffic.orders(run.key, [code]), expect=[201], sells=code)
    return result.rate


def bare(run: Run, code: str) -> float:
    """Orders/s that pgbench places."""
    rate, placed = pgbench.orders_per_second(code, PGBENCH_CLIENTS, run.seconds)
    run.sold[code] += placed
    return rate


@step("P1")
def hot_sku(run: Run) -> Iterator[Figure]:
    """All in turn, round by round, so that each sees the box in the same moods."""
    ours, single, plain, database = (goods.add(f"P1-{name}")[0] for name in ("OURS", "SINGLE", "PLAIN", "PGBENCH"))
    with (
        run.web(name="combining") as combining,
        run.web(name="one-by-one", environment=ONE_BY_ONE) as one_by_one,
        run.web(PLAIN, name="plain") as plain_web,
    ):
        rates = run.alternate(
            {
                "combining": partial(orders, run, combining, ours),
                "one by one": partial(orders, run, one_by_one, single),
                "plain view": partial(orders, run, plain_web, plain),
                "pgbench": partial(bare, run, database),
            }
        )
        alone = run.alternate(
            {
                "alone": partial(latency_alone, run, combining, ours),
                "alone, plain view": partial(latency_alone, run, plain_web, plain),
            }
        )
    ours_rate, single_rate = rates["combining"], rates["one by one"]
    yield Figure("P1", "orders/s on one SKU, against batches of 1", at_least(5), ours_rate, single_rate)
    yield Figure("P1 plain", "batches of 1 against a plain view", at_least(0.9), single_rate, rates["plain view"])
    yield Figure("P2", "orders/s on one SKU, against bare pgbench", at_least(1.5), ours_rate, rates["pgbench"])
    yield Figure(
        "P1 alone",
        "median latency of one client alone, against the plain view",
        at_most(1.15),
        alone["alone"],
        alone["alone, plain view"],
        unit=" ms",
    )


def latency_alone(run: Run, web: Web, code: str) -> float:
    """Milliseconds that half of one client's orders take at most."""
    result = run.load(web, 1, traffic.orders(run.key, [code]), expect=[201], sells=code)
    return 1e3 * result.percentile(0.5)
