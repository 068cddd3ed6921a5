"""A supplier reports ten times what it has: the admin shows that it is not believed, and nobody buys what is not there.

Both are looked at as a person would: on the pages, and at the end in the books.
"""

import re
import time
from collections.abc import Callable

import requests
from django.utils import timezone

from inventory.models import Snapshot
from inventory_project.demo.books import ask, oversold, truth_of
from inventory_project.demo.children import say
from inventory_project.demo.proof import Findings
from inventory_project.demo.stage import Stage
from suppliers.models import Supplier

TIMES = 10
PATIENCE = 60  # seconds until it is given up; far more than any of it should take
_WAITING = re.compile(r"([1-9][\d,]*) in quarantine")


class Admin:
    """The admin's pages as a person who has signed in sees them."""

    def __init__(self, stage: Stage) -> None:
        self.url, self.session = stage.access["admin_url"], requests.Session()
        self.session.trust_env = False
        login = f"{self.url}login/"
        self.session.get(login, timeout=10)
        form = {"username": stage.access["admin_user"], "password": stage.access["admin_password"]}
        token = {"csrfmiddlewaretoken": self.session.cookies["csrftoken"]}
        self.session.post(login, {**form, **token}, headers={"Referer": login}, timeout=10).raise_for_status()

    def page(self, path: str = "") -> str:
        answer = self.session.get(f"{self.url}{path}", timeout=10)
        answer.raise_for_status()
        return answer.text


class Inflation:
    """One supplier's numbers from `begin` to `end`, and what the admin says of them meanwhile."""

    def __init__(self, stage: Stage, place: int, findings: Findings) -> None:
        self.stage, self.findings = stage, findings
        self.address = stage.addresses[place]
        self.supplier_id = Supplier.objects.values_list("pk", flat=True).get(slug=self.address.slug)
        self.admin = Admin(stage)
        self.oversold = 0
        self.began, self.since = 0.0, timezone.now()

    def begin(self) -> None:
        ask(self.address, "chaos", {"inflation": {"k": TIMES}})
        self.began, self.since = time.monotonic(), timezone.now()
        say(f"{self.address.slug} reports {TIMES} times what it has")

    def watch(self) -> None:
        """Until the admin shows it."""
        slug = self.address.slug
        self._shown(f"{slug} × {TIMES}: levels that the admin shows in quarantine", self._waiting, 1)
        # The next may be in by the time that the second page is looked at.
        self._shown(f"{slug} × {TIMES}: the admin's first page says", self._said, 2)

    def _shown(self, claim: str, seen: Callable[[], str], most: int) -> None:
        seconds = self._until(lambda: bool(seen()))
        whole = self._whole_snapshots()
        found = f"{seen() or 'nothing'} after {seconds:.1f} s, {whole} whole snapshots"
        self.findings.note(claim, found, seconds < PATIENCE and whole <= most)

    def end(self) -> None:
        ask(self.address, "chaos", {"inflation": None})
        self.began = time.monotonic()
        say(f"{self.address.slug} tells the truth again")

    def recover(self) -> None:
        """Until the admin shows nothing of it any more."""
        seconds = self._until(lambda: not self._waiting() and not self._said())
        claim = f"{self.address.slug}: believed again by itself within {PATIENCE} s"
        self.findings.note(claim, f"{seconds:.1f} s", seconds < PATIENCE)
        self.findings.note("units promised beyond the truth meanwhile", self.oversold, not self.oversold)

    def _until(self, seen: Callable[[], bool]) -> float:
        """Seconds since it began, when it was seen; PATIENCE if it was not."""
        while time.monotonic() - self.began < PATIENCE:
            self.stage.children.check()
            self.oversold = max(self.oversold, oversold(truth_of([self.address])))
            if seen():
                return time.monotonic() - self.began
            time.sleep(0.5)
        return PATIENCE

    def _waiting(self) -> str:
        """As its page says it; empty if nothing waits."""
        found = _WAITING.search(self.admin.page(f"suppliers/supplier/{self.supplier_id}/change/"))
        return found[0] if found else ""

    def _said(self) -> str:
        return "inflates" if "inflates" in self.admin.page() else ""

    def _whole_snapshots(self) -> int:
        """How many of it began and ended since."""
        full = Snapshot.objects.filter(supplier=self.supplier_id, kind=Snapshot.Kind.FULL)
        return full.filter(started_at__gte=self.since, finished_at__isnull=False).count()
