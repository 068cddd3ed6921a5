"""How many calls of one supplier are under way at the same time, over all processes."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from suppliers import importance
from suppliers.adapters.limits import Limits
from suppliers.errors import Throttled
from suppliers.places import Places
from suppliers.transport import Deadline

NAP = 0.05  # seconds between two looks for a free place
MARGIN = 1.0  # by which a lease outlasts the deadline of its call


class Concurrency:
    """As many calls at once as the supplier allows; any number if it does not say."""

    def __init__(self, name: str, limits: Limits) -> None:
        self._places = places_of(name, limits.concurrency) if limits.concurrency else None

    @contextmanager
    def one(self, deadline: Deadline) -> Iterator[None]:
        """One call, which cannot outlast its deadline: so the place of a process that died is free again after it.

        Raises: Throttled if no place is free before the deadline.
        """
        if self._places is None:
            yield
            return
        mark = self._wait(self._places, deadline)
        try:
            yield
        finally:
            self._places.give_back(mark)

    @staticmethod
    def _wait(places: Places, deadline: Deadline) -> str:
        while not (mark := places.take(deadline.remaining + MARGIN, first=importance.is_for_an_order())):
            if deadline.remaining <= NAP:
                raise Throttled("As many calls as this supplier takes at once are under way.", MARGIN)
            time.sleep(NAP)
        return mark


def places_of(name: str, most: int) -> Places:
    return Places(f"calls:{name}", most)
