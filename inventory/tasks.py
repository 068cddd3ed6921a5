"""What workers run.  Each task is safe to run twice and safe to lose: rows say what is left to do."""

import structlog
from celery import shared_task

from inventory import (
    alerts,
    bulkhead,
    change_log,
    deadlines,
    effects,
    events,
    holds,
    lanes,
    learning,
    outdated,
    rechecks,
    reconciliation,
    resourcing,
    snapshots,
    wanted,
)
from inventory.models import Effect
from inventory.rung import MESSAGE_SECONDS, WakeUp

log = structlog.get_logger(__name__)

FULL_SECONDS = 5  # until a snapshot asks again for a worker, if its supplier has as many as it may


@shared_task(base=WakeUp, soft_time_limit=110, time_limit=120)
def drain(kind: str, supplier_id: int | None) -> None:
    """Work off one lane of effects."""
    lanes.drain(kind, supplier_id)


@shared_task(soft_time_limit=10, time_limit=20, expires=MESSAGE_SECONDS)
def sweep_effects() -> None:
    """Ring for every lane with overdue work, whose message may have been lost."""
    for lane in effects.due_lanes():
        drain.delay(*lane)


@shared_task(soft_time_limit=50, time_limit=60, expires=MESSAGE_SECONDS)
def start_due_snapshots() -> None:
    for supplier_id in snapshots.start_due():
        full_snapshot.delay(supplier_id)


@shared_task(soft_time_limit=110, time_limit=120)
def full_snapshot(supplier_id: int, actor: str = "") -> None:
    """A catalogue that takes longer, or a worker that is stopped, leaves a run that the next one resumes."""
    try:
        with bulkhead.admitted(supplier_id) as admitted:
            if admitted:
                snapshots.run_full(supplier_id, actor=actor, seconds=80)
            else:  # a person may have asked for it, and no row says so
                full_snapshot.apply_async((supplier_id, actor), countdown=FULL_SECONDS)
    except (snapshots.SnapshotUnavailable, snapshots.LeaseLost) as error:
        log.info("snapshot_not_run", supplier_id=supplier_id, reason=str(error))


@shared_task(soft_time_limit=10, time_limit=20, expires=MESSAGE_SECONDS)
def start_due_changes() -> None:
    for supplier_id in snapshots.changes_due():
        read_changes.delay(supplier_id)


@shared_task(soft_time_limit=110, time_limit=120, expires=MESSAGE_SECONDS)
def read_changes(supplier_id: int) -> None:
    snapshots.run_changes(supplier_id)


@shared_task(soft_time_limit=10, time_limit=20, expires=MESSAGE_SECONDS)
def resolve_expired_claims() -> None:
    """One task for each supplier, so that a slow one holds up nobody else."""
    for supplier_id in reconciliation.suppliers_with_expired_claims():
        read_back.delay(supplier_id)


@shared_task(base=WakeUp, soft_time_limit=110, time_limit=120)
def read_back(supplier_id: int) -> None:
    with bulkhead.admitted(supplier_id, for_orders=True) as admitted:
        if admitted:
            reconciliation.resolve_expired_claims(supplier_id)


@shared_task(soft_time_limit=10, time_limit=20, expires=MESSAGE_SECONDS)
def recheck_orders() -> None:
    for supplier_id in rechecks.suppliers_with_due():
        recheck.delay(supplier_id)


@shared_task(soft_time_limit=110, time_limit=120, expires=MESSAGE_SECONDS)
def recheck(supplier_id: int) -> None:
    reconciliation.recheck(supplier_id)


@shared_task(soft_time_limit=50, time_limit=60, expires=MESSAGE_SECONDS)
def review_unsettled() -> None:
    deadlines.review()


@shared_task(soft_time_limit=50, time_limit=60, expires=MESSAGE_SECONDS)
def review_outdated() -> None:
    outdated.review()


@shared_task(soft_time_limit=50, time_limit=60, expires=MESSAGE_SECONDS)
def expire_holds() -> None:
    holds.expire_due()


@shared_task(soft_time_limit=50, time_limit=60, expires=MESSAGE_SECONDS)
def retry_waiting_orders() -> None:
    resourcing.retry_waiting()


@shared_task(soft_time_limit=10, time_limit=20, expires=MESSAGE_SECONDS)
def learn_buffers() -> None:
    learning.ask_where_due()


@shared_task(soft_time_limit=50, time_limit=60)
def purge_effects() -> None:
    effects.purge()


@shared_task(soft_time_limit=50, time_limit=60)
def purge_snapshots() -> None:
    snapshots.purge()


@shared_task(soft_time_limit=10, time_limit=20, expires=MESSAGE_SECONDS)
def note_events() -> None:
    events.note_passed()


@shared_task(soft_time_limit=50, time_limit=60)
def purge_pushes() -> None:
    snapshots.purge_pushes()


@shared_task(soft_time_limit=20, time_limit=30, expires=MESSAGE_SECONDS)
def read_riskiest() -> None:
    for lane in snapshots.ask_riskiest():
        drain.delay(*lane)


@shared_task(soft_time_limit=10, time_limit=20, expires=MESSAGE_SECONDS)
def note_refusals(refused: list[tuple[str, int]]) -> None:
    wanted.note(refused)


@shared_task(base=WakeUp, soft_time_limit=20, time_limit=30)
def raise_alerts() -> None:
    if alerts.raise_due():
        drain.delay(str(Effect.Kind.ALERT), None)


@shared_task(soft_time_limit=20, time_limit=30, expires=MESSAGE_SECONDS)
def watch() -> None:
    alerts.watch()


@shared_task(soft_time_limit=50, time_limit=60)
def purge_alerts() -> None:
    alerts.purge()


@shared_task(soft_time_limit=50, time_limit=60)
def compact_changes() -> None:
    change_log.compact()
