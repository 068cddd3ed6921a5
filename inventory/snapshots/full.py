"""A supplier's whole catalogue: read, judged, merged, and closed with what it found."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal

import structlog
from django.db import connection, transaction

from inventory import discrepancies, trust
from inventory.models import Discrepancy, Effect, Feed, Snapshot
from inventory.snapshots import copying, guards, mapping, merging, runs, staging, witnesses
from inventory.snapshots.ahead import ahead
from inventory.snapshots.copying import Lines
from inventory.snapshots.guards import Moves, PageGuard, Refused, Whole
from inventory.snapshots.merging import Watch
from inventory.snapshots.runs import Run
from inventory.transitions import Proof
from suppliers import gateway
from suppliers.errors import Malformed, SupplierError, Unchanged
from suppliers.models import Supplier
from suppliers.readings import Capability, Page

log = structlog.get_logger(__name__)

_EVIDENCE = 2_000  # characters of an answer kept for a person
# An effect's time is that of its transaction's beginning; none is open for longer than this (GUARANTEES: 8 s).
_LONGEST_COMMIT = timedelta(seconds=10)


def run_full(
    supplier_id: int, *, actor: str = "", watch: Watch | None = None, seconds: float = float("inf")
) -> Snapshot:
    """Read a supplier's whole catalogue and merge it; the row that tells what became of it.

    A run that was queued or left behind is taken over.  A supplier that fails, or whose snapshot is not believed, ends
    as FAILED or REFUSED and changes nothing.  watch: called after each page, each chunk of the merge, and at the end.
    seconds: after so many it stops at the next page or chunk, still RUNNING, for `start_due` to announce at once.
    Raises: SnapshotUnavailable, LeaseLost.
    """
    supplier = Supplier.objects.get(pk=supplier_id)
    run = runs.take(supplier, actor=actor)
    run.deadline = time.monotonic() + seconds
    try:
        _complete(run, watch or (lambda _: None))
    except runs.TimeIsUp:
        runs.hand_over(run)
    except Unchanged as reason:
        _keep(run, str(reason))
    except Refused as refusal:
        run.evidence |= refusal.evidence
        _end(run, Snapshot.Status.REFUSED, refusal.reason)
    except SupplierError as error:
        run.evidence |= {"answer": str(getattr(error, "evidence", ""))[:_EVIDENCE], "retry_after": error.retry_after}
        # The same nonsense after the same pages: those, not the last answer, may be what is wrong.  Begin anew.
        hopeless = isinstance(error, Malformed) and run.resumed_at == run.snapshot.pages
        status = Snapshot.Status.REFUSED if hopeless else Snapshot.Status.FAILED
        _end(run, status, f"{type(error).__name__}: {error}")
    except runs.LeaseLost:
        raise
    except BaseException as error:  # a stopped worker too leaves its pages to the next one
        _end(run, Snapshot.Status.FAILED, f"interrupted by {type(error).__name__}: {error}")
        raise
    if watch:
        watch(run.snapshot)
    return run.snapshot


def start_due() -> list[int]:
    """Queue a full snapshot for every supplier whose turn it is; their ids, each for one caller only.

    Three beats at once are harmless: whoever writes the row announces it.
    """
    return [supplier.pk for supplier in Supplier.objects.filter(enabled=True) if runs.queue_if_due(supplier)]


def _complete(run: Run, watch: Watch) -> None:
    if run.phase == runs.READING:
        _read(run, watch)
        # No request of this snapshot left later: a direct read that did has seen the later number.
        run.snapshot.last_requested_at = runs.clock()
        _judge(run)
        run.enter(runs.MERGING)
        runs.renew(run)
    else:
        _weigh(run)
    merging.merge(run, watch)
    if run.supplier.auto_offer:
        mapping.offer_unambiguous(run.supplier)
    mapping.report_collisions(run.supplier)
    _apply(run)
    staging.clear(run.snapshot.pk)


def _read(run: Run, watch: Watch) -> None:
    """Stage every page that is not staged yet."""
    if run.snapshot.pages and run.upstream is None:
        return  # a resumed run that had its last page
    guard = PageGuard(asked=run.upstream, number=run.snapshot.pages)
    began, seen_before = time.monotonic(), run.snapshot.seen
    # A page is asked for when its predecessor comes in, so after the one before that was stored: its rows can be as
    # old as that moment.
    requested_at = stored_at = runs.renew(run)
    run.asked_since = run.asked_since or requested_at
    for page, lines in ahead(_checked(_pages(run), guard), lambda made: made[0].cursor is None):
        with _shown(page):
            requested_at, stored_at = stored_at, _store(run, page, lines, requested_at)
        log.info(
            "snapshot_page",
            snapshot=run.snapshot.pk,
            supplier=run.supplier.slug,
            page=run.snapshot.pages,
            seen=run.snapshot.seen,
            total=run.snapshot.total,
            rows_per_second=round((run.snapshot.seen - seen_before) / (time.monotonic() - began)),
        )
        watch(run.snapshot)
        if page.cursor is None:
            return
        run.check_time()
    raise Refused("the listing ended without saying that it was complete", pages=run.snapshot.pages)


def _pages(run: Run) -> Iterator[Page]:
    """Raises: Unchanged, instead of the first page."""
    feed = Feed.objects.filter(supplier=run.supplier).first()
    begun = run.upstream is not None
    return gateway.for_supplier(run.supplier).snapshot(run.upstream, unless=feed.mark if feed and not begun else None)


def _checked(pages: Iterator[Page], guard: PageGuard) -> Iterator[tuple[Page, Lines]]:
    """Each page with its lines: made ahead as well, for meanwhile PostgreSQL is busy with those of the last one."""
    for page in pages:
        with _shown(page):
            guard.check(page)
        yield page, copying.lines(page.rows)


@contextmanager
def _shown(page: Page) -> Iterator[None]:
    """Whatever is refused of a page comes with what upstream answered."""
    try:
        yield
    except Refused as refusal:
        refusal.evidence["answer"] = page.evidence[:_EVIDENCE]
        raise


def _store(run: Run, page: Page, lines: Lines, requested_at: datetime) -> datetime:
    """Stage a page and the place after it, in one transaction; the time of that."""
    snapshot = run.snapshot
    read_at = requested_at - timedelta(seconds=page.age)
    run.upstream, run.mark = page.cursor, page.mark
    snapshot.first_requested_at = min(read_at, snapshot.first_requested_at or read_at)
    snapshot.last_requested_at = requested_at
    snapshot.pages += 1
    snapshot.seen += len(page.rows)
    snapshot.total = snapshot.total if page.total is None else page.total
    snapshot.rejected += lines.uncounted
    with transaction.atomic(durable=True):
        staging.store(snapshot.pk, lines, read_at)
        if page.doubts:
            run.evidence["not_counted"] = page.doubts
            Snapshot.objects.filter(pk=snapshot.pk).update(evidence=run.evidence)
        return runs.renew(run)


def _judge(run: Run) -> None:
    """Raises: Refused."""
    staging.analyze()
    feed = Feed.objects.filter(supplier=run.supplier).first()
    guards.check_whole(
        Whole(
            rows=staging.count(run.snapshot.pk),
            total=run.snapshot.total,
            expected=feed.rows if feed else 0,
            min_ratio=Decimal(run.supplier.min_row_ratio),
        )
    )
    moves = _weigh(run)
    mass_jump_share = None if run.proof is Proof.PERSON else run.supplier.mass_jump_share
    guards.check_moves(moves, run.supplier.mass_zero_share, mass_jump_share)
    if run.proof is not Proof.NONE:
        resolution = "a whole snapshot shows that its numbers do not rise all at once"
        discrepancies.resolve(Discrepancy.Kind.INFLATION, run.supplier.pk, "", resolution=resolution)


def _weigh(run: Run) -> Moves:
    """Find out how far the numbers prove each other."""
    feed = Feed.objects.filter(supplier=run.supplier).first()
    moves = staging.moves(run.snapshot.pk, run.supplier)
    if feed and feed.is_vouched_for(runs.clock()):
        run.proof = Proof.PERSON
    elif trust.boasts(moves.in_stock, moves.jumped, run.supplier.mass_jump_share):
        rises = staging.rises(run.snapshot.pk, run.supplier, witnesses.SHOWN)
        witnesses.report(run.supplier, moves, rises)
    else:
        run.proof = Proof.OTHERS
    return moves


def _apply(run: Run) -> None:
    """Say how new the catalogue as a whole is; last of all, for every unchanged row inherits it."""
    snapshot = run.snapshot
    with transaction.atomic(durable=True):
        Feed.objects.update_or_create(
            supplier=run.supplier,
            defaults={
                "complete_as_of": snapshot.first_requested_at,
                "complete_until": snapshot.last_requested_at,
                "rows": snapshot.seen,
                "mark": run.mark,
            },
        )
        _close_waiting(run)
        runs.finish(run, Snapshot.Status.APPLIED)
    log.info(
        "snapshot_applied",
        snapshot=snapshot.pk,
        supplier=run.supplier.slug,
        seen=snapshot.seen,
        changed=snapshot.changed,
        missing=snapshot.missing,
    )


def _keep(run: Run, reason: str) -> None:
    """What was applied last is still all there is to know: nothing becomes younger by being seen again."""
    log.info("snapshot_unchanged", snapshot=run.snapshot.pk, supplier=run.supplier.slug, reason=reason)
    with transaction.atomic(durable=True):
        _close_waiting(run, "There was nothing newer to read.")
        runs.finish(run, Snapshot.Status.APPLIED, f"The file is the one that was applied before: {reason}.")


def _close_waiting(run: Run, found: str = "") -> None:
    """Close the syncs of a supplier without direct reads that were committed before this snapshot asked.

    How old the answer is does not matter: it was the newest that there is.  Orders that it does not include yet stay
    subtracted until a number does, or a discrepancy tells people.  found: for a person who looks at such a sync.
    """
    if run.asked_since is None or Capability.FETCH in gateway.for_supplier(run.supplier).capabilities:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE inventory_effect SET done_at = now(), error = '', reason = COALESCE(NULLIF(%s, ''), reason)"
            " WHERE kind = %s AND supplier_id = %s AND done_at IS NULL AND created_at < %s",
            [found, Effect.Kind.SYNC, run.supplier.pk, run.asked_since - _LONGEST_COMMIT],
        )


def _end(run: Run, status: Snapshot.Status, reason: str) -> None:
    log.warning(
        "snapshot_not_applied",
        snapshot=run.snapshot.pk,
        supplier=run.supplier.slug,
        status=str(status),
        reason=reason,
    )
    runs.finish(run, status, reason)
    if status == Snapshot.Status.REFUSED:
        staging.clear(run.snapshot.pk)
