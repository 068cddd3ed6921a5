"""`manage.py mark_orders FILE`: what suppliers that cannot be asked did with our orders, from a CSV file."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from inventory import importing, marks
from inventory.importing import Line

SHOWN = 20  # faults; a file of the wrong kind has one in each line


class Command(BaseCommand):
    help = (
        "Mark orders as ordered, counted (paid or shipped) or lost at their suppliers.  Columns: order, supplier, said,"
        " and if known upstream_order and at (ISO 8601 with offset).  A file with a fault changes nothing."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("file", type=Path, help="CSV in UTF-8")
        parser.add_argument("--reason", default="", help="kept with each order; default: the file's name and line")
        parser.add_argument("--dry-run", action="store_true", help="check every line, change nothing")

    def handle(self, *, file: Path, reason: str = "", dry_run: bool = False, **_options: Any) -> None:
        try:
            with file.open("rb") as opened:
                content = opened.read(importing.MOST_BYTES + 1)
            lines = importing.read(content, source=file.name, reason=reason)
        except OSError as error:
            raise CommandError(f"{file} cannot be read: {error.strerror}.") from None
        except importing.Faulty as faulty:
            for fault in faulty.faults[:SHOWN]:
                self.stderr.write(fault)
            raise CommandError(f"{len(faulty.faults)} faults; nothing was changed.") from None
        if dry_run:
            self.stdout.write(f"dry run: {len(lines)} orders could be marked")
            return
        self._mark(lines)

    def _mark(self, lines: list[Line]) -> None:
        changed = refused = 0
        for line in lines:
            try:
                changed += marks.mark(line.mark)
            except marks.Refused as error:  # it was possible a moment ago
                refused += 1
                self.stderr.write(f"line {line.number}: {line.mark.reference}: {error}")
        self.stdout.write(f"{changed} marked, {len(lines) - changed - refused} known already, {refused} refused")
        if refused:
            raise CommandError("Some orders changed meanwhile; correct their lines and run the file again.")
