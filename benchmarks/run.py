"""One run of the benchmarks: what steps share, and what they must answer for."""

import statistics
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

from benchmarks import load
from benchmarks.load import Result
from benchmarks.web import Web

Requests = Callable[[int], Iterator[bytes]]  # a client's number → what it sends


@dataclass
class Run:
    """small: a few seconds for each step.  key: an API key with every scope.  folder: for logs, kept after the run.

    sold: SKU → units that answers promised; the proof compares them with the books.  problems: wrong results.
    """

    small: bool
    key: str
    folder: Path
    sold: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        """How long one round of a comparison lasts."""
        return 0.5 if self.small else 4

    @property
    def rounds(self) -> int:
        """How often the sides of a comparison take turns; their medians count."""
        return 1 if self.small else 5

    def say(self, line: str) -> None:
        print(f"    {line}", flush=True)

    def wrong(self, problem: str) -> None:
        """Note a wrong result: the run fails."""
        self.problems.append(problem)
        self.say(f"WRONG: {problem}")

    @contextmanager
    def web(self, application: str = "inventory_project.wsgi:application", **options: object) -> Iterator[Web]:
        """A web server for the block.  options: see Web."""
        with Web(application, self.folder, **options) as web:  # type: ignore[arg-type]
            yield web

    def load(
        self,
        web: Web,
        clients: int,
        requests: Requests,
        *,
        expect: Collection[int] = (200, 201),
        sells: str = "",
        spread: Collection[str] = (),
        seconds: float | None = None,
    ) -> Result:
        """Let clients send requests for a round; a status that is not expected is a wrong result.

        sells: the SKU of which each 201 is one unit.  spread: the SKUs, where each answer has to tell.
        """
        watch = self._count_sold if spread else None
        result = load.run(
            web.port, clients, requests, seconds=self.seconds if seconds is None else seconds, watch=watch
        )
        if result.busy:
            self.say(f"{web.name}: {result.busy} answers were 503 and asked again")
        if odd := {status: count for status, count in result.statuses.items() if status not in expect}:
            self.wrong(f"{web.name} answered {odd}, expected {sorted(expect)}")
        if sells:
            self.sold[sells] += result.statuses[201]
        return result

    def _count_sold(self, status: int, answer: bytes) -> None:
        if status == HTTPStatus.CREATED:
            _, _, rest = answer.partition(b'"sku":"')
            self.sold[rest.partition(b'"')[0].decode()] += 1

    def alternate(self, sides: Mapping[str, Callable[[], float]], rounds: int | None = None) -> dict[str, float]:
        """Let the sides of a comparison take turns, for the box is not the same from minute to minute; their medians.

        Unless the run is small, each side is tried once beforehand, to have connections, statements and caches ready.
        """
        if not self.small:
            for side in sides.values():
                side()
        figures: dict[str, list[float]] = {name: [] for name in sides}
        for number in range(rounds or self.rounds):
            for name, side in sides.items():
                figures[name].append(side())
            self.say(
                f"round {number + 1}: " + ", ".join(f"{name} {values[-1]:,.0f}" for name, values in figures.items())
            )
        return {name: statistics.median(values) for name, values in figures.items()}
