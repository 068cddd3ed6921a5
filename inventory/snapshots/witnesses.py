"""Whether what a supplier says shows that it inflates its numbers, all of them at once.

Note [Witnesses]
One number that jumped and is said again may be a delivery.  A supplier that inflates everything says everything again
as well, so a repeat proves something only beside numbers that did not jump.  A whole snapshot has them.  A direct read
asks for some: levels near by of which nothing is promised, so that our own orders do not blur what they say.  A push,
or a file of changes, has none; what it says waits for one of the others.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connection

from inventory import discrepancies, terms, trust
from inventory.discrepancies import Finding
from inventory.models import Discrepancy, StockLevel
from inventory.snapshots.guards import Moves
from inventory.transitions import Proof
from suppliers.models import Supplier

MOST = 20  # asked for with one read
SHOWN = 5  # rises told to a person
_NEAR = 200  # rows looked at for them

_WITNESSES = """
SELECT id FROM (
    SELECT * FROM inventory_stocklevel
    WHERE supplier_id = %(supplier)s AND (external_id, location) > (%(uid)s, %(location)s)
    ORDER BY external_id, location LIMIT %(near)s
) level
WHERE allocated = 0 AND misses = 0 AND quarantined_at IS NULL AND id <> ALL(%(asked)s)
  AND reported * (%(jump_ratio)s::numeric - 1) >= %(jump_units)s AND reported > 0
ORDER BY external_id, location LIMIT %(wanted)s
"""


def wanted(supplier: Supplier, asked: Mapping[int, StockLevel]) -> dict[int, StockLevel]:
    """The levels to read beside those that are asked for, because some of these wait for a repeat."""
    waiting = [level for level in asked.values() if level.quarantined_at]
    if not waiting or supplier.jump_ratio is None or supplier.mass_jump_share is None:
        return {}
    wanted = min(len(waiting) + trust.BOAST, MOST)
    found: list[int] = []
    for uid, location in ((waiting[0].external_id, waiting[0].location), ("", "")):
        found += _near(supplier, (uid, location), [*asked, *found], wanted - len(found))
    return StockLevel.objects.in_bulk(found)


def _near(supplier: Supplier, after: tuple[str, str], asked: list[int], wanted: int) -> list[int]:
    where: dict[str, Any] = {"supplier": supplier.pk, "uid": after[0], "location": after[1], "near": _NEAR}
    policy = {"jump_ratio": supplier.jump_ratio, "jump_units": supplier.jump_units}
    with connection.cursor() as cursor:
        cursor.execute(_WITNESSES, {**where, **policy, "asked": asked, "wanted": wanted})
        return [level_id for (level_id,) in cursor.fetchall()]


def heard(supplier: Supplier, levels: Mapping[int, StockLevel], said: Mapping[int, int | None]) -> Proof:
    """What a direct read proves.  levels: as they were stored before it.  said: level id → units."""
    if not any(level.quarantined_at for level in levels.values()):
        return Proof.NONE  # there is nothing to prove
    policy = terms.of_supplier(supplier.pk)
    kept = sum(_kept(level, said.get(pk), policy) for pk, level in levels.items())
    jumps = [_rise(level, said.get(pk)) for pk, level in levels.items() if _jumped(level, said.get(pk), policy)]
    moves = Moves(in_stock=kept + len(jumps), zero=0, jumped=len(jumps))
    share = supplier.mass_jump_share
    if trust.boasts(moves.in_stock, moves.jumped, share):
        report(supplier, moves, jumps[:SHOWN])
    return Proof.OTHERS if trust.vouch(kept, moves.jumped, share) else Proof.NONE


def report(
    supplier: Supplier, moves: Moves, rises: Sequence[Mapping[str, Any]], snapshot_id: int | None = None
) -> None:
    """Open, or refresh, the discrepancy that keeps any repeat of this supplier from being believed."""
    evidence = {"in_stock": moves.in_stock, "jumped": moves.jumped, "rises": rises, "snapshot": snapshot_id}
    discrepancies.report([Finding(Discrepancy.Kind.INFLATION, supplier.pk, evidence=evidence)])


def _rise(level: StockLevel, units: int | None) -> dict[str, Any]:
    return {"uid": level.external_id, "code": level.code, "trusted": level.reported, "reported": units}


def _jumped(level: StockLevel, units: int | None, policy: trust.Policy) -> bool:
    # A rise from nothing is how a delivery looks, whoever else jumps.
    if units is None or not level.reported or units <= level.reported:
        return False
    return trust.rise(max(0, level.reported - level.allocated), units, policy) is not trust.Rise.PLAUSIBLE


def _kept(level: StockLevel, units: int | None, policy: trust.Policy) -> bool:
    """Whether a number that would have shown an inflation did not."""
    if not units or not level.reported or level.allocated or level.quarantined_at or policy.jump_ratio is None:
        return False
    tells = level.reported * (policy.jump_ratio - 1) >= policy.jump_units
    return tells and not _jumped(level, units, policy)
