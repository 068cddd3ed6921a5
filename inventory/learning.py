"""Buffers learned from what became of orders: weighed anew from time to time, kept with their reasons, and obeyed.

The estimate is `buffers`, what it is made of is `experience`.  Whether a supplier goes by it is its own switch; it is
learned in any case, so that a person sees what it would be.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from django.contrib.postgres.functions import TransactionNow
from django.db import connection, transaction

from inventory import buffers, effects, experience, policy, terms, trust
from inventory.buffers import Goal, Learned, Lesson
from inventory.effects import Due
from inventory.models import Effect, LearnedBuffer
from suppliers.models import Supplier

EVERY_SECONDS = 3_600  # what a buffer is learned from changes by a few orders in this time
_SINGLY = 100  # levels counted anew one by one; for more the whole supplier is

_DUE = """
SELECT id FROM suppliers_supplier supplier WHERE enabled
  AND NOT EXISTS (SELECT FROM inventory_learnedbuffer learned WHERE learned.supplier_id = supplier.id
                  AND level_id IS NULL AND until IS NULL AND looked_at > now() - %s * interval '1 second')
  AND NOT EXISTS (SELECT FROM inventory_effect due
                  WHERE due.kind = 'learn' AND due.supplier_id = supplier.id AND due.done_at IS NULL)
"""
# What all levels of a supplier come to under both buffers.  Levels that agree in everything that decides are one row.
_WORTH = f"""
SELECT {terms.FIXED}, {terms.LEARNED}, level.reported, level.rejection_cap, {terms.COLUMNS}, count(*)
FROM inventory_stocklevel level JOIN suppliers_supplier supplier ON supplier.id = level.supplier_id
{terms.JOINS}
WHERE level.supplier_id = %s AND level.reported > 0
GROUP BY {", ".join(map(str, range(1, 4 + terms.WIDTH + 1)))}
"""


@dataclass(frozen=True, slots=True)
class Worth:
    """Units that all levels of a supplier have to sell, under its fixed buffer and under the learned ones."""

    fixed: int
    learned: int


def ask(supplier_id: int) -> None:
    """Write down that this supplier's buffers are to be learned anew."""
    effects.record([Due(Effect.Kind.LEARN, "", supplier_id)])


def ask_where_due() -> int:
    """Ask for every supplier whose evidence was not weighed lately; how many."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(_DUE, [EVERY_SECONDS])
        due = [supplier_id for (supplier_id,) in cursor.fetchall()]
        for supplier_id in due:
            ask(supplier_id)
    return len(due)


def learn_due(supplier_id: int) -> int:
    """Learn the supplier's buffers if that is due; how many effects were closed."""
    claimed = effects.claim(Effect.Kind.LEARN, supplier_id)
    if claimed:
        lesson = lesson_of(Supplier.objects.get(pk=supplier_id))
        with transaction.atomic(durable=True):
            _keep(supplier_id, lesson)
            effects.close([effect.id for effect in claimed])
    return len(claimed)


def lesson_of(supplier: Supplier) -> Lesson:
    """What the supplier's history teaches now.  Changes nothing."""
    goal = Goal(
        target=float(supplier.buffer_target),
        cold_start=supplier.buffer_cold_start,
        at_least=supplier.buffer_at_least,
        at_most=supplier.buffer_at_most,
    )
    seen = experience.of(supplier.pk, at_most=goal.at_most)
    return buffers.learn(seen.promises, seen.comparisons, goal, now=seen.now)


def current(supplier_id: int) -> Mapping[int | None, LearnedBuffer]:
    """What was learned last, by level; None: of the supplier."""
    rows = LearnedBuffer.objects.filter(supplier_id=supplier_id, until=None)
    return {row.level_id: row for row in rows.select_related("level__supplier")}


def worth(supplier_id: int) -> Worth:
    """What its levels come to, with what was learned last."""
    fixed = learned = 0
    with connection.cursor() as cursor:
        cursor.execute(_WORTH, [supplier_id])
        for own, taught, reported, cap, *columns, count in cursor.fetchall():
            believed = terms.policy(columns)
            fixed += count * trust.sellable(reported, replace(believed, buffer=own), rejection_cap=cap).units
            learned += count * trust.sellable(reported, replace(believed, buffer=taught), rejection_cap=cap).units
    return Worth(fixed, learned)


def _keep(supplier_id: int, lesson: Lesson) -> None:
    """Store what was learned; where it is obeyed and changed, numbers are counted anew."""
    # Two that learn at once write one after the other, and an edit of the switch is seen or comes after us.
    supplier = Supplier.objects.select_for_update(no_key=True).get(pk=supplier_id)
    told: dict[int | None, Learned] = {None: lesson.supplier}
    told |= {int(sku): learned for sku, learned in lesson.skus.items() if sku != experience.OTHERS}
    before = current(supplier_id)
    changed = {scope for scope in {*told, *before} if _buffer(told.get(scope)) != _buffer(before.get(scope))}
    replaced = [row.pk for scope, row in before.items() if scope in changed]
    LearnedBuffer.objects.filter(pk__in=replaced).update(until=TransactionNow())
    LearnedBuffer.objects.bulk_create(_row(supplier, scope, told[scope]) for scope in changed if scope in told)
    _refresh({row.pk: told[scope] for scope, row in before.items() if scope not in changed})
    total = worth(supplier_id)
    mine = LearnedBuffer.objects.filter(supplier=supplier, level=None, until=None)
    mine.update(sellable_fixed=total.fixed, sellable_learned=total.learned)
    if supplier.buffer_is_learned:
        _obey(supplier_id, changed)


def _buffer(learned: Learned | LearnedBuffer | None) -> int | None:
    return None if learned is None else learned.buffer


def _row(supplier: Supplier, level_id: int | None, learned: Learned) -> LearnedBuffer:
    return LearnedBuffer(
        supplier=supplier,
        level_id=level_id,
        buffer=learned.buffer,
        proven=learned.proven,
        reason=learned.reason[:500],
    )


def _refresh(rows: Mapping[int, Learned]) -> None:
    """The same buffers with the reasons of today."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_learnedbuffer kept SET reason = told.reason, proven = told.proven, looked_at = now()"
            " FROM unnest(%s::bigint[], %s::text[], %s::boolean[]) AS told(id, reason, proven)"
            " WHERE kept.id = told.id",
            [list(rows), [one.reason[:500] for one in rows.values()], [one.proven for one in rows.values()]],
        )


def _obey(supplier_id: int, changed: Iterable[int | None]) -> None:
    scopes = set(changed)
    if None in scopes or len(scopes) > _SINGLY:
        policy.edited(supplier_id)
        return
    for level_id in scopes:
        policy.edited(supplier_id, level_id)
