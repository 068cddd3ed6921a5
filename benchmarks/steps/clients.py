"""P3: one SKU with few and with many clients: throughput must rise with contention, and waiting must stay fair."""

from collections.abc import Iterator, Mapping
from typing import Any

from benchmarks import goods, plot, traffic
from benchmarks.registry import Figure, at_least, at_most, step
from benchmarks.run import Run
from benchmarks.steps.hot_sku import ONE_BY_ONE, PLAIN
from benchmarks.web import Web

CLIENTS = (1, 8, 32, 128, 256)
Curve = dict[int, dict[str, float]]  # clients → orders/s and milliseconds


def point(run: Run, web: Web, code: str, clients: int) -> dict[str, float]:
    """Orders/s and latencies of one round."""
    result = run.load(web, clients, traffic.orders(run.key, [code]), expect=[201], sells=code)
    return {"rate": result.rate, "p50": 1e3 * result.percentile(0.5), "p99": 1e3 * result.percentile(0.99)}


@step("P3")
def clients(run: Run) -> Iterator[Figure]:
    """The same numbers of clients in each round, ours and the baselines in turn."""
    sides: dict[str, dict[str, Any]] = {
        "combining": {},
        "one by one": {"environment": ONE_BY_ONE},
        "plain view": {"application": PLAIN},
    }
    curves: dict[str, Curve] = {}
    for name, options in sides.items():
        (code,) = goods.add(f"P3-{name.upper().replace(' ', '-')}")
        with run.web(name=name.replace(" ", "-"), **options) as web:
            if not run.small:
                point(run, web, code, 64)
            curves[name] = {}
            for number in CLIENTS:
                rounds = [point(run, web, code, number) for _ in range(1 if run.small else 3)]
                # The median round as a whole: its rate and its latencies belong together.
                curves[name][number] = sorted(rounds, key=lambda one: one["rate"])[len(rounds) // 2]
                run.say(
                    f"{name}, {number} clients: " + ", ".join(f"{k} {v:,.0f}" for k, v in curves[name][number].items())
                )
    if not run.small:
        plot.save(curves)
    yield from _figures(curves["combining"])


def _figures(ours: Mapping[int, Mapping[str, float]]) -> Iterator[Figure]:
    peak = max(ours, key=lambda number: ours[number]["rate"])
    after = min(ours[number]["rate"] for number in ours if number >= peak)
    curve = ", ".join(
        f"{number}: {one['rate']:,.0f}/s, {one['p50']:.0f}/{one['p99']:.0f} ms" for number, one in ours.items()
    )
    rising = [one["rate"] for number, one in ours.items() if number <= peak]
    yield Figure(
        "P3",
        f"orders/s after the peak (at {peak} clients), against the peak; rising before it",
        at_least(0.9),
        after,
        ours[peak]["rate"],
        also=rising == sorted(rising),
        notes=[f"clients: orders/s, p50/p99: {curve}"],
    )
    worst = max(ours, key=lambda number: ours[number]["p99"] / ours[number]["p50"])
    yield Figure(
        "P3 p99",
        f"p99 against p50, where it is worst ({worst} clients)",
        at_most(5),
        ours[worst]["p99"],
        ours[worst]["p50"],
        unit=" ms",
    )
