"""The Celery application and the beat schedule.

Every slot is safe to run twice: work is claimed by conditional UPDATE, so several beats do no harm.
"""

import os

from celery import Celery

from inventory_project import figures, pulse

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "inventory_project.settings")

app = Celery("holdfast")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
figures.install()
pulse.install()

app.conf.beat_schedule = {
    # An effect whose message was lost is found at most this long after it fell due.
    "sweep-effects": {"task": "inventory.tasks.sweep_effects", "schedule": 2.0},
    # A supplier's full snapshot starts at most this long after its interval has passed.
    "start-due-snapshots": {"task": "inventory.tasks.start_due_snapshots", "schedule": 2.0},
    # A change file is looked at at most this long after its interval has passed.
    "start-due-changes": {"task": "inventory.tasks.start_due_changes", "schedule": 5.0},
    # A claim whose worker died is read back at most this long after its lease ended.
    "resolve-expired-claims": {"task": "inventory.tasks.resolve_expired_claims", "schedule": 5.0},
    # An order that is due to be looked up at its supplier is at most this long after, if the budget allows.
    "recheck-orders": {"task": "inventory.tasks.recheck_orders", "schedule": 5.0},
    # An order that its supplier's number does not take in is shown at most this long after its deadline.
    "review-unsettled": {"task": "inventory.tasks.review_unsettled", "schedule": 60.0},
    # That a supplier's data is older than it declares is shown at most this long after it was beyond doubt.
    "review-outdated": {"task": "inventory.tasks.review_outdated", "schedule": 60.0},
    # Expired holds free their units at most this long after their deadline, sold or not.
    "expire-holds": {"task": "inventory.tasks.expire_holds", "schedule": 10.0},
    # What is riskiest is read with what is left of each supplier's budget, looked at so often.
    "read-riskiest": {"task": "inventory.tasks.read_riskiest", "schedule": 5.0},
    # A snapshot or an effect that is late is a discrepancy at most this long after it became so.
    "watch": {"task": "inventory.tasks.watch", "schedule": 10.0},
    # A discrepancy whose signal was lost is told at most this long after it opened, aged or ended.
    "raise-alerts": {"task": "inventory.tasks.raise_alerts", "schedule": 5.0},
    "purge-alerts": {"task": "inventory.tasks.purge_alerts", "schedule": 3600.0},
    # That a sales event began or ended is written down at most this long after it did.
    "note-events": {"task": "inventory.tasks.note_events", "schedule": 2.0},
    # Units come to an order that waits for them at most this long after they came to a level.
    "retry-waiting-orders": {"task": "inventory.tasks.retry_waiting_orders", "schedule": 10.0},
    # Buffers are learned anew at most this long after an hour has passed.
    "learn-buffers": {"task": "inventory.tasks.learn_buffers", "schedule": 60.0},
    # Done effects are kept for a week as evidence, then deleted.
    "purge-effects": {"task": "inventory.tasks.purge_effects", "schedule": 3600.0},
    # Ended runs are kept for a week, applied full ones for four, and of each supplier the last full one for good.
    "purge-snapshots": {"task": "inventory.tasks.purge_snapshots", "schedule": 3600.0},
    # Of the log of versions the newest of each SKU stays, and what came since this ran.
    "compact-changes": {"task": "inventory.tasks.compact_changes", "schedule": 300.0},
    # Pushes are kept for a week as evidence, then deleted.
    "purge-pushes": {"task": "inventory.tasks.purge_pushes", "schedule": 3600.0},
}
