"""P5: what a sold-out SKU costs."""

from collections.abc import Iterator

from benchmarks import goods, traffic
from benchmarks.registry import Figure, at_least, step
from benchmarks.run import Run


@step("P5")
def refusals(run: Run) -> Iterator[Figure]:
    """Refused orders of one sold-out SKU against cached reads of one SKU."""
    sold_out, in_stock = *goods.add("P5-SOLD-OUT", units=0), *goods.add("P5-IN-STOCK")
    with run.web() as web:
        asking, reading = traffic.orders(run.key, [sold_out]), traffic.reads(run.key, [in_stock])
        rates = run.alternate(
            {
                "refusals": lambda: run.load(web, 64, asking, expect=[409]).rate,
                "reads": lambda: run.load(web, 64, reading, expect=[200]).rate,
            }
        )
    run.sold[sold_out] += 0  # the proof looks at it, too
    yield Figure(
        "P5",
        "refusals/s once sold out, against cached single reads/s",
        at_least(0.7),
        rates["refusals"],
        rates["reads"],
    )
