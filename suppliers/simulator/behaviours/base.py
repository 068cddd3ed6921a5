"""The moments at which a behaviour may act, and what all of them have in common."""

import fnmatch
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from suppliers.simulator.draws import draw
from suppliers.simulator.messages import ENDPOINTS, Call, Problem, Reply

JsonRow = dict[str, Any]
READS = ("list", "fetch")


@dataclass(frozen=True, slots=True)
class Window:
    """Rows `start` to `stop` of `total`, `size` asked for.

    issued_at: when the cursor for them was given out.  order: not as they are listed, but shuffled by this chance.
    """

    start: int
    stop: int
    total: int
    size: int
    issued_at: float | None = None
    order: float | None = None

    @property
    def indexes(self) -> Sequence[int]:
        """Which rows these are."""
        if self.order is None or not self.total:
            return range(self.start, self.stop)
        first, step = divmod(int(self.order * self.total**2), self.total)
        while math.gcd(step, self.total) != 1:
            step += 1
        return [(first + step * position) % self.total for position in range(self.start, self.stop)]


@dataclass(kw_only=True, eq=False)
class Behaviour:
    """p: share of the matching requests it strikes.  endpoints, skus (a glob): which match.  times: at most so often.

    A request that names no SKU (a page of the list) matches every glob; rows are matched one by one.
    """

    name: ClassVar[str]
    words: ClassVar[Mapping[str, Sequence[str]]] = {}  # parameter → what it, or each of its list, may be
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
            value = getattr(self, parameter)
            if not set([value] if isinstance(value, str) else value) <= set(words):
                raise ValueError(f"{self.name}.{parameter} is of {list(words)}")
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

    def one_of(self, words: Sequence[str], call: Call) -> str:
        """One of these, another for each request."""
        return words[int(call.draw(f"{self.name}.word") * len(words))]

    def _take(self) -> bool:
        if self._left is None:
            return True
        with self._guard:
            self._left -= 1
            return self._left >= 0


@dataclass(kw_only=True, eq=False)
class OfSomeRows(Behaviour):
    """share: of the rows, always the same ones."""

    endpoints: Sequence[str] = READS
    share: float = 1.0

    def chooses(self, uid: str, seed: int) -> bool:
        return self.share >= 1 or draw(seed, self.name, uid) < self.share


class Fault(Behaviour):
    def before(self, call: Call) -> Reply | Problem | None:
        """Delay the request, or answer in its place: then it has no effect."""
        raise NotImplementedError


class Distortion(Behaviour):
    """What is reported of a row, number by number."""

    def age(self, uid: str, call: Call) -> float:  # noqa: ARG002 - what subclasses decide by
        """By how many seconds the report of this row lies behind."""
        return 0.0

    def number(self, units: int, uid: str, call: Call) -> int:  # noqa: ARG002
        """What is reported for this many units."""
        return units

    @property
    def pool_size(self) -> int:
        """So many neighbouring rows report what all of them have together."""
        return 1


class RowFault(Behaviour):
    def rows(self, row: JsonRow, call: Call) -> list[JsonRow]:
        """What stands in the place of this row."""
        raise NotImplementedError


class PageFault(Behaviour):
    def window(self, window: Window, call: Call) -> Window:  # noqa: ARG002
        """The rows that are shown instead of those asked for.  Raises Problem."""
        return window

    def page(self, rows: list[JsonRow], call: Call) -> list[JsonRow]:  # noqa: ARG002
        """The rows that a page shows instead of its own."""
        return rows


class Spoiler(Behaviour):
    def after(self, call: Call, reply: Reply) -> Reply:
        """What the client gets of an answer whose effect stands."""
        raise NotImplementedError


class Rule(Behaviour):
    """Asked about by the endpoint itself, which then acts accordingly."""
