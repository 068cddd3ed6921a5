"""What buyers were refused: the only trace of demand for what is sold out.

Refusals write nothing, and a sold-out SKU may get thousands a second.  So a process adds them up and hands them on to a
worker once a second; what it had not handed on is lost with it, which only makes a read come later.
"""

import threading
import time
from collections import Counter
from collections.abc import Iterable

from django.db import connection

PAUSE_SECONDS = 1.0
MOST = 200  # SKUs in one message

_ADD = """
INSERT INTO inventory_wanted AS known (sku_id, refused, noted_at)
SELECT sku.id, given.refused, clock_timestamp() FROM unnest(%s::text[], %s::int[]) AS given(code, refused)
JOIN inventory_sku sku ON sku.code = given.code AND sku.active
ORDER BY sku.id
ON CONFLICT (sku_id) DO UPDATE SET noted_at = excluded.noted_at, refused = LEAST(1000000000, excluded.refused
    + known.refused * GREATEST(0, 1 - extract(epoch FROM excluded.noted_at - known.noted_at) / 3600))
"""


class Refusals:
    """Those of one process that no worker was told of yet."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._told_at = float("-inf")
        self._mutex = threading.Lock()

    def add(self, codes: Iterable[str]) -> list[tuple[str, int]]:
        """Count one refusal each; what a worker is to be told now, or nothing if it was told just before."""
        with self._mutex:
            self._counts.update(codes)
            now = time.monotonic()
            if now - self._told_at < PAUSE_SECONDS:
                return []
            told = self._counts.most_common(MOST)
            self._counts.clear()
            self._told_at = now
        return sorted(told)


refusals = Refusals()


def note(refused: Iterable[tuple[str, int]]) -> None:
    """Store refusals by SKU; older ones count for less, and after an hour for nothing."""
    counts = dict(refused)
    with connection.cursor() as cursor:
        cursor.execute(_ADD, [list(counts), list(counts.values())])
