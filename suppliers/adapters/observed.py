"""A caller that watches how the supplier answers."""

import time
from collections.abc import Callable
from typing import TypeVar

from suppliers.adapters.answers import http_date
from suppliers.adapters.calls import Caller
from suppliers.transport import Deadline, Request, Response

Result = TypeVar("Result")


class Observed:
    """A caller that remembers how long the slowest answer took, and how far the supplier's clock is from ours."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.calls = 0
        self.slowest = 0.0  # seconds
        self.clock_offset: float | None = None  # seconds that the supplier's clock is ahead

    def __call__(
        self, request: Request, read: Callable[[Response], Result], *, safe: bool, deadline: Deadline
    ) -> Result:
        sent = time.time()

        def note(response: Response) -> Result:
            received = time.time()
            self.calls += 1
            self.slowest = max(self.slowest, received - sent)
            dated = http_date(response.headers.get("Date"))
            if dated is not None:  # a second is cut off below, half of one on average
                self.clock_offset = dated.timestamp() + 0.5 - (sent + received) / 2
            return read(response)

        return self._caller(request, note, safe=safe, deadline=deadline)
