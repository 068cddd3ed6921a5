"""`manage.py audit_stock`: exits 1 and names each difference if stock is not what its ledger says."""

import argparse
from dataclasses import asdict
from typing import Any

import orjson
from django.core.management.base import BaseCommand, CommandError

from inventory import audit
from inventory.audit import Difference
from inventory.ledger import Origin

REPAIRED_AT_ONCE = 100  # levels locked at once


class Command(BaseCommand):
    help = "Prove that every level equals its movements and its open promises.  Exits 1 if one does not."

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument(
            "--repair", action="store_true", help="make the columns right, with a movement for each level"
        )
        parser.add_argument("--json", action="store_true", help="one JSON object a line")

    def handle(self, *, repair: bool = False, json: bool = False, **_options: Any) -> None:
        wrong: set[int] = set()  # levels whose columns can be made right
        found = 0
        for difference in audit.differences():
            found += 1
            if difference.repairable:
                wrong.add(difference.level_id)
            self._show(difference, json=json)
        repaired = self._repair(sorted(wrong)) if repair else 0
        self._sum_up(found, repaired, json=json)
        left = sum(1 for _ in audit.differences()) if repaired else found
        if left:
            raise CommandError(f"{left} differences are left.", returncode=1)

    def _show(self, difference: Difference, *, json: bool) -> None:
        if json:
            self.stdout.write(orjson.dumps(asdict(difference)).decode())
            return
        self.stdout.write(
            f"level {difference.level_id} ({difference.level}): {difference.rule}:"
            f" expected {difference.expected}, found {difference.found}"
        )

    def _repair(self, level_ids: list[int]) -> int:
        origin = Origin(actor="audit_stock --repair")
        batches = range(0, len(level_ids), REPAIRED_AT_ONCE)
        return sum(len(audit.repair(level_ids[at : at + REPAIRED_AT_ONCE], origin=origin)) for at in batches)

    def _sum_up(self, found: int, repaired: int, *, json: bool) -> None:
        totals = {**audit.totals(), "differences": found, "repaired": repaired}
        if json:
            self.stdout.write(orjson.dumps(totals).decode())
            return
        self.stdout.write(
            f"{totals['levels']} levels, {totals['movements']} movements: {found} differences,"
            f" {repaired} levels repaired"
        )
