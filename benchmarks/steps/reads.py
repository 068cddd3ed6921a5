"""P6 and P7: what reading stock costs, one SKU at a time and a hundred."""

import statistics
from collections.abc import Iterator
from functools import partial

from benchmarks import goods, traffic
from benchmarks.load import Result
from benchmarks.registry import Figure, at_least, at_most, step
from benchmarks.run import Run

APPLICATION = "benchmarks.empty.wsgi:application"
# Few enough that hardly a read meets an entry that has just expired: those are cached reads.
CLIENTS, SKUS, AT_ONCE = 32, 200, 100


@step("P6")
def single_reads(run: Run) -> Iterator[Figure]:
    """GET stock/{sku} from the cache against a view that answers nothing, on the same server."""
    codes = goods.add("P6", SKUS)
    results: dict[str, list[Result]] = {"reads": [], "empty": []}
    requests = {"reads": traffic.reads(run.key, codes), "empty": traffic.gets(run.key, ["/api/v1/empty"])}

    def measure(name: str) -> float:
        results[name].append(run.load(web, CLIENTS, requests[name]))
        return results[name][-1].rate

    with run.web(APPLICATION, name="empty") as web:
        run.load(web, CLIENTS, requests["reads"])
        rates = run.alternate({name: partial(measure, name) for name in requests})
    yield Figure(
        "P6",
        "cached single reads/s, against an empty view with the same authentication and throttle",
        at_least(0.6),
        rates["reads"],
        rates["empty"],
    )
    median = sorted(results["reads"], key=_spread)[len(results["reads"]) // 2]
    yield Figure(
        "P6 p99",
        f"p99 against p50 of cached single reads, {CLIENTS} clients",
        at_most(3),
        1e3 * median.percentile(0.99),
        1e3 * median.percentile(0.5),
        unit=" ms",
        notes=[f"of the empty view: {statistics.median(map(_spread, results['empty'])):.1f}×"],
    )


def _spread(result: Result) -> float:
    return result.percentile(0.99) / result.percentile(0.5)


@step("P7")
def batches(run: Run) -> Iterator[Figure]:
    """SKUs read a hundred at a time against one at a time."""
    codes = goods.add("P7", SKUS)
    batched = [
        "/api/v1/stock?" + "&".join(f"sku={code}" for code in codes[start : start + AT_ONCE])
        for start in range(0, SKUS, AT_ONCE)
    ]
    with run.web() as web:
        single, hundreds = traffic.reads(run.key, codes), traffic.gets(run.key, batched)
        run.load(web, CLIENTS, single)
        rates = run.alternate(
            {
                "batches": lambda: AT_ONCE * run.load(web, CLIENTS, hundreds).rate,
                "single": lambda: run.load(web, CLIENTS, single).rate,
            }
        )
    yield Figure(
        "P7",
        f"SKUs/s read in batches of {AT_ONCE}, against single reads/s",
        at_least(25),
        rates["batches"],
        rates["single"],
    )
