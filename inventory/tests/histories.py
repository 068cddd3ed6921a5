"""Ledgers of suppliers whose error is known, written as the service would have written them."""

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from inventory import arrays
from inventory.models import Offer, Sku
from suppliers.models import Supplier

_LEVELS = """
INSERT INTO inventory_stocklevel (supplier_id, external_id, location, code, reported, components, flags, read_at,
                                  sellable, allocated, version, misses, rejections)
SELECT %s, code, '', code, 0, '{}', '[]', now(), 0, 0, 0, 0, 0
FROM (SELECT 'H-' || n AS code FROM generate_series(1, %s) n) made RETURNING id
"""
_MOVEMENTS = """
INSERT INTO inventory_stockmovement (level_id, version, cause, reference, actor, request_id, sellable_before,
    sellable_delta, sellable_after, allocated_before, allocated_delta, allocated_after, reported_after, at)
SELECT level_id, version, cause, reference, '', '', before, sellable - before, sellable, allocated - delta, delta,
       allocated, reported, at
FROM unnest(%s::bigint[], %s::bigint[], %s::text[], %s::text[], %s::int[], %s::int[], %s::int[], %s::int[], %s::int[],
            %s::timestamptz[])
    AS m(level_id, version, cause, reference, before, sellable, allocated, delta, reported, at)
"""
_LAST = """
UPDATE inventory_stocklevel level
SET version = last.version, reported = last.reported_after, sellable = last.sellable_after
FROM (SELECT DISTINCT ON (level_id) * FROM inventory_stockmovement ORDER BY level_id, version DESC) last
WHERE last.level_id = level.id AND level.supplier_id = %s
"""
_ALLOCATIONS = """
INSERT INTO inventory_allocation (level_id, sku_id, reference, quantity, state, upstream_order, detail, confirmed_at,
                                  created_at)
SELECT level_id, %s, reference, 1, state, '', '', at, at
FROM unnest(%s::bigint[], %s::text[], %s::text[], %s::timestamptz[]) AS a(level_id, reference, state, at)
"""


class History:
    """Levels of one supplier, and what happened to them in the last days.

    Each order is for one unit, and leaves a slack of 0 to `deepest` above the buffer, each as often: another order,
    of which no answer came, took the rest.  Upstream's number was too high by `error()`: what it had not, it refuses,
    and the next reading shows it.
    """

    def __init__(self, supplier: Supplier, levels: int, *, deepest: int = 20, buffer: int = 2, seed: int = 1) -> None:
        self.supplier, self.deepest, self.buffer = supplier, deepest, buffer
        self.chance = random.Random(seed)
        self.began = timezone.now() - timedelta(days=10)
        with connection.cursor() as cursor:
            cursor.execute(_LEVELS, [supplier.pk, levels])
            self.levels = [level_id for (level_id,) in cursor.fetchall()]
        self.sku = Sku.objects.create(code=f"HISTORY-{supplier.pk}")
        Offer.objects.create(sku=self.sku, level_id=self.levels[0])
        self._versions = dict.fromkeys(self.levels, 0)
        self._sellable = dict.fromkeys(self.levels, 0)
        self._movements: list[tuple[Any, ...]] = []
        self._allocations: list[tuple[Any, ...]] = []

    def orders(self, count: int, error: Callable[[random.Random], int], levels: Sequence[int] = ()) -> "History":
        for _ in range(count):
            level = self.chance.choice(levels or self.levels)
            at = self.began + timedelta(seconds=self.chance.uniform(0, 9 * 86_400))
            slack = self.buffer + self.chance.randint(0, self.deepest)
            self._order(level, slack, error(self.chance), at)
        return self

    def _order(self, level: int, slack: int, error: int, at: Any) -> None:
        reference = f"HF-{level}-{self._versions[level]}"
        full = self.buffer + self.deepest + 2
        others = full - slack - 1
        self._move(level, "reading", "", 0, 0, full, at)
        self._move(level, "allocate", "", others, others, full, at)
        self._move(level, "allocate", reference, others + 1, 1, full, at + timedelta(seconds=1))
        ours = others + 1
        if error > slack:
            self._move(level, "rejection", reference, others, -1, full, at + timedelta(seconds=2))
            ours = others
        self._move(level, "reading", "", 0, -ours, max(0, full - error - ours), at + timedelta(seconds=70))
        self._allocations.append((level, reference, "lost" if error > slack else "settled", at))

    def _move(self, level: int, cause: str, reference: str, allocated: int, delta: int, reported: int, at: Any) -> None:
        self._versions[level] += 1
        sellable = max(0, reported - self.buffer)
        before, self._sellable[level] = self._sellable[level], sellable
        version = self._versions[level]
        self._movements.append((level, version, cause, reference, before, sellable, allocated, delta, reported, at))

    def write(self) -> "History":
        """Into the database, all at once."""
        with connection.cursor() as cursor:
            cursor.execute(_MOVEMENTS, [_column(column) for column in zip(*self._movements, strict=True)])
            cursor.execute(_ALLOCATIONS, [self.sku.pk, *(map(_column, zip(*self._allocations, strict=True)))])
            cursor.execute(_LAST, [self.supplier.pk])
            self._movements, self._allocations = [], []
            cursor.execute("ANALYZE inventory_stockmovement, inventory_allocation, inventory_stocklevel")
        return self


def _column(values: Sequence[Any]) -> str:
    return arrays.literal(values)
