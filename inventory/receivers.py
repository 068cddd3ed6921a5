"""What people ask of suppliers, handed to workers."""

from functools import partial

from django.db import transaction
from django.dispatch import receiver

from inventory import bell, learning, policy, tasks
from inventory.models import Effect
from inventory.signals import discrepancies_opened
from suppliers.signals import full_snapshot_requested, policy_changed


@receiver(full_snapshot_requested)
def run_full_snapshot(supplier_id: int, actor: str = "", **_: object) -> None:
    bell.post(tasks.full_snapshot, supplier_id, actor)


@receiver(policy_changed)
def count_anew(supplier_id: int, **_: object) -> None:
    policy.edited(supplier_id)
    learning.ask(supplier_id)
    lanes = [(str(kind), supplier_id) for kind in (Effect.Kind.RETRUST, Effect.Kind.LEARN)]
    transaction.on_commit(partial(bell.ring, lanes))


@receiver(discrepancies_opened, dispatch_uid="tell-of-discrepancies")
def tell_of_discrepancies(**_: object) -> None:
    bell.post(tasks.raise_alerts)
