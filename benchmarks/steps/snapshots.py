"""P8 and P9: a whole catalogue brought in, alone and while people order from it."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import takewhile
from typing import Any

from benchmarks import catalogue, goods, load, traffic
from benchmarks.load import Result
from benchmarks.registry import Figure, at_least, at_most, step
from benchmarks.run import Run
from benchmarks.upstream import Upstream

_SKU = b'"sku":"'
PERCENTS = {0: ("P8", 0.4), 1: ("P8 1 %", 0.4), 100: ("P8 100 %", 0.12)}
MOST_MEGABYTES, MOST_LOGGED = 300, 1_000_000
CLIENTS = 8
CREATED = 201


def rows_of(run: Run) -> int:
    return 20_000 if run.small else 1_000_000


def sync(run: Run, percent: int) -> dict[str, Any]:
    """One full snapshot of an upstream whose numbers differ by so many percent; what it took."""
    with Upstream(run.folder, rows_of(run), percent) as upstream:
        result = catalogue.finish(catalogue.start(catalogue.connect(upstream)))
    if (result["status"], result["seen"]) != ("applied", rows_of(run)):
        run.wrong(f"the snapshot: {result}")
    return result


def count(sold: Counter[str], status: int, answer: bytes) -> None:
    """Note the unit that a 201 promised."""
    if status == CREATED:
        sold[answer.partition(_SKU)[2].partition(b'"')[0].decode()] += 1


@step("P8")
def whole_catalogue(run: Run) -> Iterator[Figure]:
    """Unchanged, changed by 1 %, and changed in every row; one row in a hundred is sold as a SKU."""
    goods.add_skus([f"ROW-{row:08d}" for row in range(50, rows_of(run), 100)])
    first = sync(run, 0)
    run.say(f"all new: {rows_of(run) / first['seconds']:,.0f} rows/s, peak {first['peak_mb']:.0f} MB")
    changed = 0
    for percent, (name, target) in PERCENTS.items():
        catalogue.settle()
        before, position = catalogue.tuples(), catalogue.log_position()
        result = sync(run, percent)
        logged = catalogue.log_position() - position
        # Each differs from the last: 1 % back and 100 % on is 99 % again.
        expected = abs(percent - changed) * rows_of(run) // 100
        if result["changed"] != expected:
            run.wrong(f"{percent} %: {result['changed']} rows changed, expected {expected}")
        if not percent and catalogue.tuples() != before:
            run.wrong("an unchanged catalogue updated levels")
        changed = percent
        yield Figure(
            name,
            f"full snapshot of {rows_of(run):,} rows, {percent} % changed: rows/s against bare COPY",
            at_least(target),
            rows_of(run) / result["seconds"],
            catalogue.bare_rate(catalogue.supplier_id(), rows_of(run)),
            also=result["peak_mb"] <= MOST_MEGABYTES and (percent > 0 or logged <= MOST_LOGGED),
            notes=[f"{percent} %: peak {result['peak_mb']:.0f} MB, {logged / 1e6:.2f} MB of log"],
        )


def for_seconds(seconds: float) -> Callable[[], bool]:
    """True until then."""
    until = time.monotonic() + seconds
    return lambda: time.monotonic() < until


@step("P9")
def orders_meanwhile(run: Run) -> Iterator[Figure]:
    """Orders for SKUs of the catalogue, without a snapshot and while one changes every row."""
    codes = [f"ROW-{row:08d}" for row in range(950, rows_of(run), 1_000)][:1_000]
    if not goods.are_sold(codes):
        goods.add_skus(codes)
        sync(run, 0)
    run.sold.update(dict.fromkeys(codes, 0))
    with run.web() as web, Upstream(run.folder, rows_of(run), 50) as upstream:
        supplier_id = catalogue.connect(upstream)

        def orders(going_on: Callable[[], bool]) -> Result:
            sold: Counter[str] = Counter()

            def requests(client: int) -> Iterator[bytes]:
                return takewhile(lambda _: going_on(), traffic.orders(run.key, codes)(client))

            result = load.run(web.port, CLIENTS, requests, seconds=300, watch=lambda s, a: count(sold, s, a))
            run.sold.update(sold)
            if set(result.statuses) != {CREATED}:
                run.wrong(f"orders meanwhile: {dict(result.statuses)}")
            return result

        orders(for_seconds(run.seconds))
        alone = orders(for_seconds(2 * run.seconds))
        process = catalogue.start(supplier_id)
        during = orders(lambda: process.poll() is None)
        result = catalogue.finish(process)
    if result["status"] != "applied":
        run.wrong(f"the snapshot: {result}")
    yield Figure(
        "P9",
        f"p99 of orders while a snapshot changes {result['changed']:,} rows, against without it ({CLIENTS} clients)",
        at_most(2),
        1e3 * during.percentile(0.99),
        1e3 * alone.percentile(0.99),
        unit=" ms",
        notes=[
            f"alone: {_told(alone)}; meanwhile: {_told(during)}; the snapshot took {result['seconds']:.0f} s",
        ],
    )


def _told(result: Result) -> str:
    return f"{result.rate:,.0f} orders/s, p50 {1e3 * result.percentile(0.5):.1f} ms"
