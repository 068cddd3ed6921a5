"""`manage.py snapshot <supplier>`: a full snapshot in the foreground, page by page."""

import argparse
import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inventory import snapshots
from inventory.models import Snapshot
from suppliers.errors import SupplierError
from suppliers.models import Supplier


class Command(BaseCommand):
    help = "Read the whole catalogue of a supplier now.  Ctrl-C leaves it resumable."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("supplier", help="its slug")
        parser.add_argument("--dry-run", action="store_true", help="read and compare, change nothing")

    def handle(self, *, supplier: str, dry_run: bool = False, **_options: Any) -> None:
        found = Supplier.objects.filter(slug=supplier).first()
        if found is None:
            known = ", ".join(Supplier.objects.values_list("slug", flat=True)) or "none"
            raise CommandError(f"No supplier {supplier!r}; there are: {known}.")
        began = time.monotonic()
        try:
            if dry_run:
                self._rehearse(found)
            else:
                self._run(found, began)
        except KeyboardInterrupt:
            hint = "" if dry_run else f"; `manage.py snapshot {supplier}` goes on where it stopped"
            raise CommandError(f"Interrupted{hint}.", returncode=130) from None

    def _run(self, supplier: Supplier, began: float) -> None:
        def show(snapshot: Snapshot) -> None:
            rate = round(snapshot.seen / max(time.monotonic() - began, 1e-3))
            self.stdout.write(
                f"{snapshot.status}: {snapshot.pages} pages, {snapshot.seen}"
                f"{f' of {snapshot.total}' if snapshot.total is not None else ''} rows, {rate}/s"
            )

        try:
            snapshot = snapshots.run_full(supplier.pk, actor="manage.py snapshot", watch=show)
        except (snapshots.SnapshotUnavailable, snapshots.LeaseLost) as error:
            raise CommandError(f"{error}.") from None
        if snapshot.status != Snapshot.Status.APPLIED:
            raise CommandError(f"{snapshot.status}: {snapshot.reason}")
        self.stdout.write(
            f"{snapshot.changed} changed ({snapshot.evidence.get('new', 0)} new), {snapshot.missing} missing,"
            f" {snapshot.rejected} not counted, in {time.monotonic() - began:.1f} s"
        )

    def _rehearse(self, supplier: Supplier) -> None:
        try:
            found = snapshots.rehearse(supplier)
        except SupplierError as error:
            raise CommandError(f"{type(error).__name__}: {error}") from None
        self.stdout.write(
            f"dry run: {found.pages} pages, {found.rows} rows: {found.new} new, {found.changed} changed,"
            f" {found.missing} missing"
        )
        if found.refused:
            raise CommandError(f"It would be refused: {found.refused}")
