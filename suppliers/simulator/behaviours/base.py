"""The moments at which a behaviour may act, and what all of them have in common."""

import fnmatch
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from suppliers.simulator.messages import ENDPOINTS, Call, Reply

JsonRow = dict[str, Any]


@dataclass(kw_only=True, eq=False)
class Behaviour:
    """p: share of the matching requests it strikes.  endpoints, skus (a glob): which match.  times: at most so often.

    A request that names no SKU (a page of the list) matches every glob; rows are matched one by one.
    """

    name: ClassVar[str]
    words: ClassVar[Mapping[str, Sequence[str]]] = {}  # parameter → what it may be
    p: float = 1.0
    endpoints: Sequence[str] = ENDPOINTS
    skus: str = "*"
    times: int | None = None
    _left: int | None = field(init=False, repr=False, default=None)
    _guard: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    def __post_init__(self) -> None:
        if not 0 <= self.p <= 1:
            raise ValueError(f"{self.name}.p is a share from 0 to 1")
        if unknown := set(self.endpoints) - set(ENDPOINTS):
            raise ValueError(f"{self.name}.endpoints: unknown {sorted(unknown)}")
        for parameter, words in self.words.items():
            if getattr(self, parameter) not in words:
                raise ValueError(f"{self.name}.{parameter} is one of {list(words)}")
        self._left = self.times

    def applies(self, call: Call) -> bool:
        return call.endpoint in self.endpoints and (not call.skus or any(map(self.covers, call.skus)))

    def covers(self, sku: str) -> bool:
        return self.skus == "*" or fnmatch.fnmatchcase(sku, self.skus)

    def strikes(self, call: Call) -> bool:
        """Whether it acts on this request; if so, the answer will say it did."""
        if not self.applies(call) or call.draw(self.name) >= self.p or not self._take():
            return False
        call.acted.append(self.name)
        return True

    def _take(self) -> bool:
        if self._left is None:
            return True
        with self._guard:
            self._left -= 1
            return self._left >= 0


class Fault(Behaviour):
    def before(self, call: Call) -> Reply | None:
        """Delay the request, or answer in its place: then it has no effect."""
        raise NotImplementedError


class Distortion(Behaviour):
    def age(self, uid: str, seed: int) -> float:  # noqa: ARG002 - what subclasses decide by
        """By how many seconds the report of this row lies behind."""
        return 0.0

    def number(self, units: int) -> int:
        """What is reported for this many units."""
        return units


class PageFault(Behaviour):
    def page(self, call: Call, rows: list[JsonRow]) -> list[JsonRow]:
        """The rows that a page shows instead of its own."""
        raise NotImplementedError


class Spoiler(Behaviour):
    def after(self, call: Call, reply: Reply) -> Reply:
        """What the client gets of an answer whose effect stands."""
        raise NotImplementedError


class Rule(Behaviour):
    """Asked about by the endpoint itself, which then acts accordingly."""
