"""From a whole snapshot to levels: what is new, what differs, what is gone.  Everything else is left untouched."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import structlog
from django.db import transaction

from inventory import availability, breaches, ledger, settlement, sql, terms, trust
from inventory.batches import Pace, work_off
from inventory.ledger import Origin
from inventory.lots import Lots
from inventory.models import Snapshot
from inventory.settlement import Reading
from inventory.snapshots import absences, runs, staging
from inventory.snapshots.ahead import ahead
from inventory.snapshots.runs import Run
from inventory.snapshots.staging import Different, Window, Worth
from inventory.transitions import Proof

log = structlog.get_logger(__name__)

Watch = Callable[[Snapshot], None]

WINDOW = 20_000  # staged rows compared at once; of smaller ones the transactions would be more than the work
SPREAD = 4  # transactions that share a page, a quarter of which is free
MANY_NEW = 20_000  # rows; of fewer the planner needs no count
SOME_NEW = 1_000  # rows; a plan that this connection keeps from a catalogue of three would read all of them for each
MISSING_AT_ONCE = 100  # one transaction, counted with its place: a resumed run must not count a miss twice


class Worths:
    """What rows of levels without a policy of their own are worth; counted anew when the policy is another one."""

    def __init__(self, supplier_id: int) -> None:
        self._supplier_id = supplier_id
        self._policy: trust.Policy | None = None
        self._units: dict[Worth, int] = {}

    def of(self, rows: Sequence[Different]) -> dict[Worth, int]:
        """Of these rows at least.  Requires: their levels are locked, so that those who edit the policy come after."""
        policy = self.policy()
        if policy != self._policy or len(self._units) > WINDOW:
            self._policy, self._units = policy, {}
        for worth in {row.worth for row in rows} - self._units.keys():
            reported, lot, min_order = worth
            self._units[worth] = trust.sellable(reported, replace(policy, lots=Lots(lot, min_order))).units
        return self._units

    def policy(self) -> trust.Policy:
        """As it is now: a person may have changed it since the run began, and levels counted anew."""
        return terms.of_supplier(self._supplier_id)


@dataclass(slots=True)
class Merge:
    """What the steps of one merge share.

    idle, others: how many levels fit into one transaction; those with nothing to settle are many times as many.
    """

    run: Run
    origin: Origin
    worths: Worths
    idle: Pace = field(default_factory=Pace)
    others: Pace = field(default_factory=Pace)


def merge(run: Run, watch: Watch) -> None:
    """Bring the levels to what the staged rows say.

    Orders go on meanwhile: each transaction is short, and skips what they hold until the end.
    watch: called after each chunk.
    Raises: LeaseLost, TimeIsUp.
    """
    origin = Origin(actor=run.snapshot.actor or "snapshot", request_id=f"snapshot-{run.snapshot.pk}")
    if run.phase == runs.MERGING:
        _merge_staged(Merge(run, origin, Worths(run.supplier.pk)), watch)
        if run.evidence.get("new", 0) >= MANY_NEW:
            _count_levels()
        run.enter(runs.MISSING)
    if not absences.misses_nothing(run.supplier.pk, run.snapshot.seen):
        _count_missing(run, origin, watch)


def _merge_staged(merge: Merge, watch: Watch) -> None:
    run, began, before = merge.run, time.monotonic(), merge.run.after
    rows = 0
    for window, found in ahead(_compared(run)):
        new = [row for row in found if row.level_id is None]
        # What a supplier that inflates everything shows for the first time comes with the next snapshot believed.
        if new and run.proof is not Proof.NONE:
            _insert(merge, window, new)
        known = [row for row in found if row.level_id is not None]
        _store(merge, known)
        run.after = window.last
        runs.renew(run)
        rows += WINDOW
        log.info(
            "snapshot_merged",
            snapshot=run.snapshot.pk,
            supplier=run.supplier.slug,
            rows=min(rows, run.snapshot.seen),
            new=len(new),
            differing=len(known),
            batch=merge.idle.size,
            rows_per_second=round(rows / (time.monotonic() - began)),
            resumed=before != staging.START,
        )
        watch(run.snapshot)
        run.check_time()


def _compared(run: Run) -> Iterator[tuple[Window, list[Different]]]:
    """The windows that are left, with what differs in them."""
    after = run.after
    while window := staging.next_window(run.snapshot.pk, run.supplier.pk, after, WINDOW):
        yield window, staging.different(window)
        after = window.last


def _insert(merge: Merge, window: Window, new: Sequence[Different]) -> None:
    run, before = merge.run, merge.run.evidence.get("new", 0)
    with transaction.atomic(durable=True):
        opened = staging.insert_levels(window, merge.worths.of(new))
        run.evidence["new"] = before + len(opened)
        if before < SOME_NEW <= run.evidence["new"]:
            _count_levels()
        ledger.append_openings(opened, merge.origin)
        run.snapshot.changed += len(opened)
        runs.renew(run)


def _count_levels() -> None:
    """Until autovacuum looks, the planner takes a catalogue that just came for a few rows."""
    sql.execute("ANALYZE inventory_stocklevel", [])


def _store(merge: Merge, known: Sequence[Different]) -> None:
    """Bring the numbers of known levels in: many at once where nothing is to be settled, else one by one."""
    policy = merge.worths.policy()
    idle: list[Different] = []
    others: list[Different] = []
    telling = breaches.may_show([row.level_id for row in known if row.level_id and _is_idle_fall(row)])
    for row in known:
        simple = row.idle and row.level_id not in telling and _is_plausible(merge.run, row, policy)
        (idle if simple else others).append(row)
    # Neighbours in different transactions: what one of them replaced on a page is room for the next one's.
    spread = [row for start in range(SPREAD) for row in idle[start::SPREAD]]
    work_off(spread, partial(_store_idle, merge, others), merge.idle)
    work_off(others, partial(_absorb, merge), merge.others)


def _is_idle_fall(row: Different) -> bool:
    return row.idle and row.available is not None and row.reported is not None and row.available < row.reported


def _is_plausible(run: Run, row: Different, policy: trust.Policy) -> bool:
    if row.available is None or row.reported is None:
        return True
    if run.supplier.replicas and row.available > row.reported:
        return False
    return trust.rise(row.reported, row.available, policy) is trust.Rise.PLAUSIBLE


def _store_idle(merge: Merge, others: list[Different], rows: Sequence[Different], skip_locked: bool) -> list[Different]:
    """One transaction.  Adds to `others` what is idle no more: somebody ordered meanwhile."""
    with transaction.atomic(durable=True):
        locked = ledger.lock_levels([row.level_id for row in rows if row.level_id], skip_locked=skip_locked)
        free = [row for row in rows if row.level_id in locked]
        stored = staging.store_idle(free, merge.worths.of(free), merge.origin)
        codes = ledger.bump_versions_of_levels(list(stored))
        merge.run.snapshot.changed += len(stored)
        runs.renew(merge.run)
    availability.invalidate(codes)
    others += [row for row in free if row.level_id not in stored]
    return [row for row in rows if row.level_id not in locked]


def _absorb(merge: Merge, rows: Sequence[Different], skip_locked: bool) -> list[Different]:
    by_level = {row.level_id: row for row in rows if row.level_id is not None}
    readings = [Reading(level_id, row.available, row.read_at) for level_id, row in by_level.items()]
    with transaction.atomic(durable=True):
        absorbed = settlement.absorb(readings, origin=merge.origin, skip_locked=skip_locked, proof=merge.run.proof)
        skipped = set(absorbed.skipped)
        described = [pk for pk, row in by_level.items() if row.described and pk not in skipped]
        if described:
            absorbed.codes.extend(_describe(merge.run, described, merge.origin))
        merge.run.snapshot.changed += len(absorbed.changed)
        runs.renew(merge.run)
    availability.invalidate(absorbed.codes)
    return [by_level[level_id] for level_id in absorbed.skipped]


def _describe(run: Run, level_ids: Sequence[int], origin: Origin) -> list[str]:
    """Take in what else upstream says of locked levels; the codes of the SKUs whose version rose."""
    resized = staging.describe(run.snapshot.pk, level_ids)
    # Other lots make other numbers of the same reading, and other quantities of the same number.
    settlement.retrust(resized, origin=origin)
    return ledger.bump_versions_of_levels(resized) if resized else []


def _count_missing(run: Run, origin: Origin, watch: Watch) -> None:
    while gone := absences.missing_levels(run.snapshot.pk, run.supplier.pk, run.after, MISSING_AT_ONCE):
        run.after = gone[-1][1]
        with transaction.atomic(durable=True):
            codes = _miss(run, [level_id for level_id, _ in gone], origin)
            run.snapshot.missing += len(gone)
            runs.renew(run)
        availability.invalidate(codes)
        log.info("snapshot_missing", snapshot=run.snapshot.pk, supplier=run.supplier.slug, rows=run.snapshot.missing)
        watch(run.snapshot)
        run.check_time()


def _miss(run: Run, level_ids: Sequence[int], origin: Origin) -> list[str]:
    as_of = run.snapshot.first_requested_at
    if as_of is None:
        return []
    ledger.lock_levels(level_ids)
    misses = absences.miss(level_ids)
    zero = [level_id for level_id, times in misses.items() if times >= run.supplier.missing_after]
    return settlement.missing(zero, read_at=as_of, origin=origin).codes if zero else []
