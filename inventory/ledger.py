"""Row locks and ledger rows: the one place that locks stock and the one that appends movements."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection

from inventory import sql


@dataclass(frozen=True, slots=True)
class Origin:
    """Who moved stock, and in which request or task."""

    actor: str = ""
    request_id: str = ""


NOBODY = Origin()


@dataclass(frozen=True, slots=True)
class Movement:
    """One change of one level.  version: the level's after it.  origin: where it differs from its batch's."""

    level_id: int
    version: int
    cause: str
    reference: str
    sellable: tuple[int, int]  # before, after
    allocated: tuple[int, int]
    reported: int | None
    origin: Origin | None = None


# SKU rows first, all that share a level with the wanted ones, then levels: one order for everyone, no deadlock.
_LOCK_SKUS_BY_CODE = f"""
SELECT id FROM inventory_sku WHERE id IN (
    SELECT COALESCE(other.sku_id, sku.id) FROM inventory_sku sku
    LEFT JOIN inventory_offer mine ON mine.sku_id = sku.id
    LEFT JOIN inventory_offer other ON other.level_id = mine.level_id
    WHERE sku.code = ANY({sql.CODES}))
ORDER BY id FOR NO KEY UPDATE
"""
_LOCK_LEVELS_BY_CODE = f"""
SELECT id FROM inventory_stocklevel WHERE id IN (
    SELECT offer.level_id FROM inventory_sku sku JOIN inventory_offer offer ON offer.sku_id = sku.id
    WHERE sku.code = ANY({sql.CODES}))
ORDER BY id FOR NO KEY UPDATE
"""
# One statement, for it is most of a small transaction.  The levels' filter needs all of `busy`, so all of `skus` is
# locked before the first level is.
_LOCK_BY_LEVEL = """
WITH wanted AS MATERIALIZED (SELECT %s::bigint[] AS levels),
skus AS MATERIALIZED (
    SELECT id FROM inventory_sku WHERE id IN (
        SELECT sku_id FROM inventory_offer WHERE level_id = ANY((SELECT levels FROM wanted)::bigint[]))
    ORDER BY id FOR NO KEY UPDATE {suffix}
),
busy AS MATERIALIZED (
    SELECT level_id FROM inventory_offer
    WHERE level_id = ANY((SELECT levels FROM wanted)::bigint[]) AND sku_id NOT IN (SELECT id FROM skus)
)
SELECT id FROM inventory_stocklevel
WHERE id = ANY((SELECT levels FROM wanted)::bigint[]) AND id NOT IN (SELECT level_id FROM busy)
ORDER BY id FOR NO KEY UPDATE {suffix}
"""
_LOCK_LEVELS, _LOCK_FREE_LEVELS = (_LOCK_BY_LEVEL.format(suffix=suffix) for suffix in ("", "SKIP LOCKED"))
_BUMP = """
UPDATE inventory_sku SET version = version + 1
WHERE id IN (SELECT sku_id FROM inventory_offer WHERE level_id = ANY(%s::bigint[])) RETURNING code
"""


def lock_codes(codes: Sequence[str]) -> None:
    """Lock these SKUs, every SKU that shares a level with them, and their levels.

    Locks: Sku rows, then StockLevel rows, each in primary-key order.  Requires an open transaction.
    """
    sql.execute(_LOCK_SKUS_BY_CODE, [list(codes)])
    sql.execute(_LOCK_LEVELS_BY_CODE, [list(codes)])


def lock_levels(level_ids: Sequence[int], *, skip_locked: bool = False) -> set[int]:
    """Lock these levels and every SKU that is sold from them; the ids that are locked now.

    skip_locked: leave out a level that, or a SKU of which, another transaction holds.
    Locks: Sku rows, then StockLevel rows, each in primary-key order.  Requires an open transaction.
    """
    locked = sql.execute(_LOCK_FREE_LEVELS if skip_locked else _LOCK_LEVELS, [list(level_ids)])
    return {level_id for (level_id,) in sql.rows(locked)}


def bump_versions(bumps: Mapping[int, int]) -> None:
    """Raise Sku versions.  bumps: SKU id → by how much.  Requires: the rows are locked."""
    sql.execute(
        "UPDATE inventory_sku sku SET version = sku.version + bump.by"
        " FROM unnest(%s::bigint[], %s::bigint[]) AS bump(id, by) WHERE sku.id = bump.id",
        [list(bumps), list(bumps.values())],
    )


def bump_versions_of_levels(level_ids: Sequence[int]) -> list[str]:
    """Raise the version of every SKU sold from these levels by one; their codes.  Requires: the rows are locked."""
    return [code for (code,) in sql.rows(sql.execute(_BUMP, [list(level_ids)]))]


def append(movements: Sequence[Movement], origin: Origin = NOBODY) -> None:
    """Write movements.  Requires an open transaction in which their levels are locked.

    Raises: IntegrityError if one oversells, skips a version or repeats one.
    """
    columns: dict[str, tuple[str, list[Any]]] = {
        "level_id": ("bigint", [movement.level_id for movement in movements]),
        "version": ("bigint", [movement.version for movement in movements]),
        "cause": ("text", [movement.cause for movement in movements]),
        "reference": ("text", [movement.reference for movement in movements]),
        "sellable_before": ("int", [movement.sellable[0] for movement in movements]),
        "sellable_after": ("int", [movement.sellable[1] for movement in movements]),
        "allocated_before": ("int", [movement.allocated[0] for movement in movements]),
        "allocated_after": ("int", [movement.allocated[1] for movement in movements]),
        "reported_after": ("int", [movement.reported for movement in movements]),
        "actor": ("text", [(movement.origin or origin).actor for movement in movements]),
        "request_id": ("text", [(movement.origin or origin).request_id for movement in movements]),
    }
    casts = ", ".join(f"%s::{kind}[]" for kind, _ in columns.values())
    sql.execute(
        f"INSERT INTO inventory_stockmovement ({', '.join(columns)}, sellable_delta, allocated_delta)"
        " SELECT m.*, m.sellable_after - m.sellable_before, m.allocated_after - m.allocated_before"
        f" FROM unnest({casts}) AS m({', '.join(columns)})",
        [values for _, values in columns.values()],
    )


# The end of a statement that begins `WITH stored AS (UPDATE … RETURNING id, version, sellable_before, sellable,
# allocated, reported)`: where many readings are stored at once, their movements need not travel here and back.
APPEND_STORED = """
INSERT INTO inventory_stockmovement (level_id, version, cause, reference, actor, request_id,
    sellable_before, sellable_delta, sellable_after, allocated_before, allocated_delta, allocated_after, reported_after)
SELECT id, version, 'reading', '', %(actor)s, %(request_id)s,
       sellable_before, sellable - sellable_before, sellable, allocated, 0, allocated, reported
FROM stored RETURNING level_id
"""


def append_openings(level_ids: Sequence[int], origin: Origin) -> None:
    """Write the first movement of new levels: from nothing to what they are.

    Requires the transaction that inserted them, at version 1.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inventory_stockmovement (level_id, version, cause, reference, actor, request_id,"
            " sellable_before, sellable_delta, sellable_after, allocated_before, allocated_delta, allocated_after,"
            " reported_after)"
            " SELECT id, version, 'reading', '', %s, %s, 0, sellable, sellable, 0, allocated, allocated, reported"
            " FROM inventory_stocklevel WHERE id = ANY(%s)",
            [origin.actor, origin.request_id, list(level_ids)],
        )
