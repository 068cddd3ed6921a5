"""Work on many locked rows in transactions so short that orders hardly wait."""

import time
from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")

LOCKED_SECONDS = 0.04  # aimed at per transaction; orders wait at most about this long
_SMALLEST, _LARGEST = 20, 5_000
_TRIES = 3  # of skipping what is locked, before waiting for it


class Pace:
    """How many rows fit into one transaction, learned from the last ones."""

    def __init__(self) -> None:
        self.size = 250

    def learn(self, done: int, seconds: float) -> None:
        """Aim the next batch at the time that locks may be held, by at most twice or half the present size."""
        if done:
            fitting = int(done * LOCKED_SECONDS / max(seconds, 1e-4))
            self.size = max(_SMALLEST, min(_LARGEST, fitting, self.size * 2))


def work_off(items: Sequence[Item], work: Callable[[Sequence[Item], bool], Sequence[Item]], pace: Pace) -> None:
    """Hand all items to `work`, batch by batch.

    work: one transaction over a batch; the items that it left out because somebody holds them.  Its second argument
    says whether it may leave out any: only the last few are waited for, and in the smallest batches.
    """
    left = list(items)
    for attempt in range(_TRIES + 1):
        waiting = attempt == _TRIES
        skipped: list[Item] = []
        start = 0
        while start < len(left):
            batch = left[start : start + (_SMALLEST if waiting else pace.size)]
            began = time.monotonic()
            skipped += work(batch, not waiting)
            if not waiting:
                pace.learn(len(batch), time.monotonic() - began)
            start += len(batch)
        if not skipped:
            return
        left = skipped
