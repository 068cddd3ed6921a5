"""Where we and upstream disagree: opened once, refreshed while it lasts, resolved when it ends."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.db import connection, transaction

from inventory import arrays
from inventory.models import Discrepancy
from inventory.signals import discrepancies_opened

_OPEN = """
INSERT INTO inventory_discrepancy (kind, state, supplier_id, level_id, reference, evidence, times, resolution)
SELECT kind, 'open', supplier_id, level_id, reference, evidence::jsonb, 1, ''
FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::text[], %s::text[])
    AS found(kind, supplier_id, level_id, reference, evidence)
ON CONFLICT (kind, supplier_id, level_id, reference) WHERE state = 'open'
DO UPDATE SET seen_at = now(), times = inventory_discrepancy.times + 1, evidence = EXCLUDED.evidence
RETURNING times = 1
"""
# Holds give way before orders, and the newest first: who waited longest keeps his unit.
_PROMISES = """
SELECT level_id, reference, state, quantity FROM inventory_allocation
WHERE level_id = ANY(%s) AND state IN ('held', 'committed', 'sending')
ORDER BY level_id, state <> 'held', id DESC
"""
_TAKEN = """
SELECT level_id, sum(quantity) FROM inventory_allocation
WHERE level_id = ANY(%s) AND state = 'confirmed' GROUP BY level_id
"""
_RESOLVE_SHORTFALLS = """
UPDATE inventory_discrepancy SET state = 'resolved', resolved_at = now(), resolution = 'the stock suffices again'
WHERE kind = 'shortfall' AND state = 'open' AND supplier_id = ANY(%s) AND level_id = ANY(%s::bigint[])
"""


# How many numbers of a supplier wait for a person just now; a column of whoever selects from suppliers.
HARD_JUMPS = """(
    SELECT count(*) FROM inventory_discrepancy jump
    WHERE jump.kind = 'quarantine' AND jump.state = 'open' AND jump.supplier_id = supplier.id
      AND (jump.evidence->>'hard')::boolean)"""
# Whether so many of a supplier's numbers jumped at once that it may be inflating all of them.
INFLATES = """EXISTS (
    SELECT 1 FROM inventory_discrepancy inflation
    WHERE inflation.kind = 'inflation' AND inflation.state = 'open' AND inflation.supplier_id = supplier.id)"""
_RESOLVE_QUARANTINE = """
UPDATE inventory_discrepancy discrepancy
SET state = 'resolved', resolved_at = now(), resolution = ended.resolution
FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) AS ended(supplier_id, level_id, resolution)
WHERE discrepancy.kind = 'quarantine' AND discrepancy.state = 'open'
  AND discrepancy.supplier_id = ended.supplier_id AND discrepancy.level_id = ended.level_id
"""


_OF_REFUSAL = "kind IN ('rejected', 'lost') AND state = 'open' AND reference = %s AND level_id = %s"


@dataclass(frozen=True, slots=True)
class Finding:
    """One disagreement.  evidence: JSON, for a person."""

    kind: Discrepancy.Kind
    supplier_id: int
    level_id: int | None = None
    reference: str = ""
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Balance:
    """What is sellable of a level and what is promised of it, in whole units."""

    supplier_id: int
    level_id: int
    sellable: int
    allocated: int


@dataclass(frozen=True, slots=True)
class Doubt:
    """A level whose number is or was in quarantine.  trusted, waiting: whole units; waiting None: no more.

    hard: only a person lets it pass.
    """

    supplier_id: int
    level_id: int
    trusted: int | None
    waiting: int | None
    since: datetime | None
    hard: bool = False


def report(findings: Sequence[Finding]) -> None:
    """Open discrepancies, or refresh those that are open already."""
    if not findings:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _OPEN,
            [
                [str(finding.kind) for finding in findings],
                [finding.supplier_id for finding in findings],
                [finding.level_id for finding in findings],
                [finding.reference for finding in findings],
                [json.dumps(finding.evidence) for finding in findings],
            ],
        )
        news = any(new for (new,) in cursor.fetchall())
    if news:
        transaction.on_commit(partial(discrepancies_opened.send_robust, sender=Discrepancy))


def resolve(kind: Discrepancy.Kind, supplier_id: int, reference: str, *, resolution: str) -> None:
    """Close what is open of one kind about one order at one supplier."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_discrepancy SET state = 'resolved', resolved_at = now(), resolution = %s"
            " WHERE kind = %s AND state = 'open' AND supplier_id = %s AND reference = %s",
            [resolution, str(kind), supplier_id, reference],
        )


def resolve_refusal(told: str, level_id: int, *, resolution: str) -> None:
    """Close what is open of an order that the level's supplier refused or called off.  told: the name it knows."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_discrepancy SET state = 'resolved', resolved_at = now(), resolution = %s"
            f" WHERE {_OF_REFUSAL}",
            [resolution, told, level_id],
        )


def amend_refusal(told: str, level_id: int, evidence: Mapping[str, Any]) -> None:
    """Add to the evidence of what is open of such an order."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE inventory_discrepancy SET evidence = evidence || %s::jsonb WHERE {_OF_REFUSAL}",
            [json.dumps(evidence), told, level_id],
        )


def review_shortfalls(balances: Sequence[Balance]) -> None:
    """Report the levels with more promised than sellable and resolve the others'.  Requires: the levels are locked.

    What upstream has accepted it delivers, and its number may count it already: that is no shortfall.
    """
    short = _without_taken([balance for balance in balances if balance.allocated > balance.sellable])
    enough = [balance for balance in balances if balance.level_id not in {one.level_id for one in short}]
    if short:
        _report_shortfalls(short)
    if enough:
        with connection.cursor() as cursor:
            suppliers = {balance.supplier_id for balance in enough}
            cursor.execute(
                _RESOLVE_SHORTFALLS, [list(suppliers), arrays.literal(balance.level_id for balance in enough)]
            )


def _without_taken(short: Sequence[Balance]) -> list[Balance]:
    """Those that are still short, with only what upstream has not accepted."""
    if not short:
        return []
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN, [[balance.level_id for balance in short]])
        taken: dict[int, int] = dict(cursor.fetchall())
    open_ones = [replace(one, allocated=one.allocated - taken.get(one.level_id, 0)) for one in short]
    return [one for one in open_ones if one.allocated > one.sellable]


def review_quarantines(doubts: Sequence[Doubt], *, resolution: str) -> None:
    """Report the numbers that are not believed and resolve the others.

    resolution: a person's; empty: what happened is said instead.  Requires: the levels are locked.
    """
    ended = [doubt for doubt in doubts if doubt.since is None]
    report(
        [
            Finding(
                Discrepancy.Kind.QUARANTINE,
                doubt.supplier_id,
                doubt.level_id,
                evidence={
                    "trusted": doubt.trusted,
                    "reported": doubt.waiting,
                    "since": doubt.since.isoformat(),
                    "hard": doubt.hard,
                },
            )
            for doubt in doubts
            if doubt.since is not None
        ]
    )
    if ended:
        with connection.cursor() as cursor:
            resolutions = [(resolution or f"{doubt.trusted} was reported and taken in")[:300] for doubt in ended]
            suppliers, levels = [doubt.supplier_id for doubt in ended], [doubt.level_id for doubt in ended]
            cursor.execute(_RESOLVE_QUARANTINE, [suppliers, levels, resolutions])


def _report_shortfalls(short: Sequence[Balance]) -> None:
    promises: dict[int, list[tuple[str, str, int]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_PROMISES, [[balance.level_id for balance in short]])
        for level_id, *promise in cursor.fetchall():
            promises.setdefault(level_id, []).append(tuple(promise))
    report(
        [
            Finding(
                Discrepancy.Kind.SHORTFALL,
                balance.supplier_id,
                balance.level_id,
                evidence={
                    "sellable": balance.sellable,
                    "not_accepted": balance.allocated,
                    "short": balance.allocated - balance.sellable,
                    "affected": _affected(promises.get(balance.level_id, []), balance.allocated - balance.sellable),
                },
            )
            for balance in short
        ]
    )


def _affected(promises: Sequence[tuple[str, str, int]], short: int) -> list[dict[str, Any]]:
    """The promises that cannot be kept, each with the units it lacks."""
    affected = []
    for reference, state, quantity in promises:
        if short <= 0:
            break
        affected.append({"reference": reference, "state": state, "quantity": quantity, "lacks": min(short, quantity)})
        short -= quantity
    return affected
