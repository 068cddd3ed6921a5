"""A burst of pushes from a supplier, while people order."""

import secrets
import time
from collections.abc import Callable, Iterator
from itertools import takewhile

from benchmarks import goods, pushing, traffic
from benchmarks.load import Result
from benchmarks.registry import Figure, at_most, step
from benchmarks.run import Run
from benchmarks.web import Web

CLIENTS, SENDERS = 8, 50
ACCEPTED, CREATED = 202, 201


def connect(secret: str) -> int:
    """The supplier that pushes, signed with an HMAC of the body; its id."""
    from suppliers import credentials  # noqa: PLC0415

    supplier = goods.supplier()
    supplier.config = {
        "base_url": "https://erp.example",
        "list": {"request": {"path": "/stock"}, "items": "items", "map": {"uid": "id", "available": "units"}},
        "push": {
            "scheme": "hmac",
            "header": pushing.HEADER,
            "secret": "$secret.push",
            "map": {"uid": "id", "available": "units", "updated_at": {"path": "at", "format": "epoch_ms"}},
            "id": "event",
            "clock_ahead_seconds": 0,
        },
    }
    supplier.credentials = credentials.seal({"push": secret})
    supplier.save()
    return int(supplier.pk)


def taken_in(supplier_id: int) -> float:
    """Seconds until all that was pushed is worked off."""
    from inventory import snapshots  # noqa: PLC0415

    began = time.monotonic()
    while snapshots.take_in_due(supplier_id):
        pass
    return time.monotonic() - began


@step("pushes")
def burst(run: Run) -> Iterator[Figure]:
    """Orders alone and with a thousand pushes at once, in turns.  The levels pushed are others than those sold."""
    codes, told = list(goods.add("ORDERED", 50)), list(goods.add("PUSHED", 50))
    secret = secrets.token_hex(16)
    supplier_id = connect(secret)
    count = 200 if run.small else 1_000
    with run.web(name="pushes") as web:
        sides = _Sides(run, web, codes)
        p99 = run.alternate({"alone ms": sides.alone, "pushed ms": lambda: sides.pushed(told, secret, count)})
    seconds = taken_in(supplier_id)
    yield Figure(
        "pushes",
        f"p99 of orders during a burst of {count:,} pushes over {SENDERS} connections, against without it",
        at_most(2),
        p99["pushed ms"],
        p99["alone ms"],
        unit=" ms",
        notes=[sides.told() + f"; worked off afterwards {len(sides.rates) * count / seconds:,.0f}/s"],
    )


class _Sides:
    """The two sides of the comparison.  rates: pushes/s of each burst.  busy: pushes that were answered 503 first."""

    def __init__(self, run: Run, web: Web, codes: list[str]) -> None:
        self._run, self._web, self._codes = run, web, codes
        self.rates: list[float] = []
        self.busy = 0

    def alone(self) -> float:
        until = time.monotonic() + self._run.seconds
        return self._orders(lambda: time.monotonic() < until)

    def pushed(self, told: list[str], secret: str, count: int) -> float:
        """Orders go on for as long as pushes come in."""
        with pushing.burst(self._web.port, told, secret, (SENDERS, count // SENDERS)) as coming:
            p99 = self._orders(lambda: not coming.done())
            result: Result = coming.result()
        if set(result.statuses) != {ACCEPTED} or len(result.latencies) != count:
            self._run.wrong(f"pushes: {dict(result.statuses)}")
        self.rates.append(result.rate)
        self.busy += result.busy
        return p99

    def told(self) -> str:
        """Of the pushes, for a reader."""
        rates = f"{min(self.rates):,.0f} to {max(self.rates):,.0f}/s stored in {len(self.rates)} bursts"
        return f"pushes: {rates}, {self.busy:,} told to come back"

    def _orders(self, going_on: Callable[[], bool]) -> float:
        """The 99th percentile, in ms."""
        send = traffic.orders(self._run.key, self._codes)
        result = self._run.load(
            self._web,
            CLIENTS,
            lambda client: takewhile(lambda _: going_on(), send(client)),
            expect=[CREATED],
            spread=self._codes,
            seconds=300,
        )
        return 1e3 * result.percentile(0.99)
