"""A web process must not grow with the orders that it places."""

from collections.abc import Iterator

from benchmarks import box, goods, traffic
from benchmarks.registry import Figure, at_most, step
from benchmarks.run import Run
from benchmarks.web import Web

CLIENTS = 64


@step("memory")
def memory(run: Run) -> Iterator[Figure]:
    """From the first tenth, when pools, prepared statements and caches are full, to the last order."""
    (code,) = goods.add("MEMORY")
    wanted = 2_000 if run.small else 200_000
    with run.web(name="memory") as web:
        measured = []
        for _ in range(11):
            _place(run, web, code, wanted // 10)
            measured.append(sum(map(box.resident_bytes, web.worker_ids())) / 2**20)
            run.say(f"{run.sold[code]:,} orders: {measured[-1]:.0f} MiB")
    yield Figure(
        "memory",
        f"memory of a web server's two processes over {wanted:,} orders, highest against lowest",
        at_most(1.05),
        max(measured),
        min(measured),
        unit=" MiB",
        notes=["after every tenth: " + ", ".join(f"{size:.0f}" for size in measured) + " MiB"],
    )


def _place(run: Run, web: Web, code: str, wanted: int) -> None:
    share = -(-wanted // CLIENTS)
    some = traffic.orders(run.key, [code])
    run.load(web, CLIENTS, lambda client: _first(share, some(client)), expect=[201], sells=code, seconds=600)


def _first(count: int, requests: Iterator[bytes]) -> Iterator[bytes]:
    for _ in range(count):
        yield next(requests)
