"""P4: orders spread over many SKUs, where the lock helps nobody and must cost little."""

from collections.abc import Iterator
from functools import partial

from benchmarks import goods, traffic
from benchmarks.registry import Figure, at_least, step
from benchmarks.run import Run
from benchmarks.web import Web

SKUS, CLIENTS = 1_000, 32


def orders(run: Run, web: Web, codes: list[str]) -> float:
    """Orders/s of a round, client after client at another SKU."""
    result = run.load(web, CLIENTS, traffic.orders(run.key, codes), expect=[201], spread=codes)
    return result.rate


@step("P4")
def many_skus(run: Run) -> Iterator[Figure]:
    """The same view with its lock, and with every lock granted at once."""
    locked, unlocked = list(goods.add("P4-LOCKED", SKUS)), list(goods.add("P4-UNLOCKED", SKUS))
    with run.web(name="locked") as ours, run.web("benchmarks.unlocked.wsgi:application", name="unlocked") as theirs:
        rates = run.alternate(
            {"locked": partial(orders, run, ours, locked), "without lock": partial(orders, run, theirs, unlocked)}
        )
    what = f"orders/s over {SKUS:,} SKUs, against the same without the Redis lock"
    yield Figure("P4", what, at_least(0.8), rates["locked"], rates["without lock"])
