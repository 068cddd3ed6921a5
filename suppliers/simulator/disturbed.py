"""What every disturbed server has: a scenario that can change, counts, and behaviours around a reply."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from .behaviours import Fault, Spoiler
from .messages import Call, Problem, Reply, Request
from .scenario import Scenario


class Disturbed:
    """pause: waits for so many seconds, or says true at once when the server stops."""

    def __init__(self, scenario: Scenario, pause: Callable[[float], bool]) -> None:
        self.scenario = scenario
        self._pause = pause
        self._guard = threading.Lock()
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._requests: Counter[str] = Counter()
        self._acted: Counter[str] = Counter()
        self._longest = 0.0

    def change(self, change: Mapping[str, Any]) -> Scenario:
        """Merge a change into the scenario.  Raises ValueError, and then nothing has changed."""
        with self._guard:
            self.scenario = self.scenario.merged(change)
            return self.scenario

    def counts(self) -> dict[str, Any]:
        """How many requests came per endpoint, how often each behaviour acted, how long a client stayed at most."""
        with self._guard:
            return {
                "requests": dict(self._requests),
                "acted": dict(self._acted),
                "longest_seconds": round(self._longest, 3),
            }

    def note_stay(self, seconds: float) -> None:
        """A client was answered, or had enough, after so long."""
        with self._guard:
            self._longest = max(self._longest, seconds)

    def _called(
        self, asked: tuple[str, str], skus: Sequence[str], scenario: Scenario, times: tuple[float, float]
    ) -> Call:
        """asked: endpoint and identity.  times: now and the seconds since the opening."""
        with self._guard:
            self._requests[asked[0]] += 1
            self._numbers[asked] += 1
            number = self._numbers[asked]
        return Call(*asked, number, tuple(skus), scenario.seed, self._pause, *times)

    @staticmethod
    def _around(call: Call, scenario: Scenario, act: Callable[[], Reply]) -> Reply | Problem:
        """What the client gets: a fault instead of the answer, or the answer as it was spoiled."""
        for fault in scenario.of_kind(Fault):
            if instead := fault.before(call):
                return instead
        try:
            reply = act()
        except Problem as problem:
            return problem
        for spoiler in scenario.of_kind(Spoiler):
            reply = spoiler.after(call, reply)
        return reply

    def _told(self, call: Call, reply: Reply) -> Reply:
        """With X-Chaos naming what was done to it."""
        reply.headers["X-Chaos"] = ", ".join(call.acted) or "none"
        with self._guard:
            self._acted.update(name.partition("=")[0] for name in call.acted)
        return reply


class Served(Protocol):
    """What a server serves."""

    def answer(self, request: Request) -> Reply: ...
