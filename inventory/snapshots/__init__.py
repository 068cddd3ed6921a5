"""QUERY LAYER: what upstream reports, brought to the levels; the sole writer of the reported side.

A full snapshot is read page by page into a staging table, judged as a whole, and only then merged.  Between pages and
chunks nothing is locked and no transaction is open; a worker that dies leaves a run that the next one resumes.
"""

from inventory.snapshots.changes import changes_due, run_changes
from inventory.snapshots.full import run_full, start_due
from inventory.snapshots.incremental import sync_due
from inventory.snapshots.priorities import ask_riskiest
from inventory.snapshots.pushed import purge as purge_pushes
from inventory.snapshots.pushed import take_in_due
from inventory.snapshots.rehearsal import rehearse
from inventory.snapshots.runs import LeaseLost, SnapshotUnavailable, purge

__all__ = [
    "LeaseLost",
    "SnapshotUnavailable",
    "ask_riskiest",
    "changes_due",
    "purge",
    "purge_pushes",
    "rehearse",
    "run_changes",
    "run_full",
    "start_due",
    "sync_due",
    "take_in_due",
]
