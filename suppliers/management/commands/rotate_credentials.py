"""`manage.py rotate_credentials`: everything sealed is encrypted with the first of CREDENTIAL_KEYS."""

import argparse
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from suppliers.errors import NotConfigured
from suppliers.rotation import Fate, rotate


class Command(BaseCommand):
    help = (
        "Encrypt all secrets anew with the first of CREDENTIAL_KEYS.  It may be stopped and run again at any time."
        "  Exits 1 if some secret cannot be read."
    )

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="change nothing, say what would be done")

    def handle(self, *, dry_run: bool = False, **_options: Any) -> None:
        counts = Counter[Fate]()
        try:
            for rotated in rotate(dry_run=dry_run):
                counts[rotated.fate] += 1
                if rotated.fate is not Fate.NEWEST:
                    self.stdout.write(f"{rotated.where}: {'would be ' if dry_run else ''}{rotated.fate}")
        except NotConfigured as error:
            raise CommandError(str(error)) from None
        would = "; nothing was changed (--dry-run)" if dry_run else ""
        self.stdout.write(", ".join(f"{counts[fate]} {fate}" for fate in Fate) + would)
        if counts[Fate.UNREADABLE]:
            raise CommandError(
                "What no key opens is as it was: put its key back into CREDENTIAL_KEYS, or enter the secrets anew.",
                returncode=1,
            )
        if not dry_run:
            self.stdout.write("The keys behind the first are needed no more once every process has restarted with it.")
