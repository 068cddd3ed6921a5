"""Everything that runs in the demo, brought up in order and taken down together."""

import json
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests
from django.core.management import call_command
from django.db import connection
from django.templatetags.static import static
from django.utils import timezone

from inventory.models import Snapshot
from inventory_project.demo.children import ChildEnded, Children, say
from inventory_project.demo.seed import SUPPLIERS, Address, doubt_jumps, seed, write_catalogue
from inventory_project.localstack.processes import free_port

PYTHON = sys.executable
WEB_PROCESSES, WEB_THREADS = 2, 32
WORKER_PROCESSES = 6  # a slow supplier keeps some busy; the others must go on


class Stage:
    """The demo's processes, while the block lasts.  The servers of the local stack run already."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.base_url = f"http://127.0.0.1:{free_port()}"
        self.addresses = [
            Address(supplier.slug, f"http://127.0.0.1:{free_port()}", secrets.token_urlsafe(16))
            for supplier in SUPPLIERS
        ]
        metrics = folder / "metrics"
        shutil.rmtree(metrics, ignore_errors=True)
        metrics.mkdir(parents=True)
        self.children = Children({**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(metrics)}, folder / "logs")
        self.access: dict[str, Any] = {}
        self.began = timezone.now()

    def __enter__(self) -> Self:
        say("Starting suppliers, web, workers and beat …")
        try:
            self._start()
        except BaseException:
            self.children.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.document.unlink(missing_ok=True)
        say("Stopping …")
        self.children.stop()
        connection.close()

    @property
    def document(self) -> Path:
        """Where outside tools read how to join in."""
        return self.folder.with_suffix(".json")

    def wait_ready(self, patience: float = 30) -> None:
        """Return when the API answers and every supplier's stock is in; then `document` exists."""
        self._wait(self._is_ready, patience, "web")
        self._wait(self._has_stock, patience, "the first snapshot of every supplier")
        doubt_jumps()
        # The file is whole or not there, and holds a key: only we may read it.
        unfinished = self.document.with_suffix(".new")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(self.access, indent=2) + "\n")
        unfinished.rename(self.document)

    def _start(self) -> None:
        for supplier, address in zip(SUPPLIERS, self.addresses, strict=True):
            catalogue = write_catalogue(supplier, self.folder)
            options = ["--dialect", supplier.dialect, "--catalogue", str(catalogue), "--token", address.token]
            scenario = ["--scenario", json.dumps(supplier.scenario), "--port", address.url.rpartition(":")[2]]
            self.children.start(supplier.slug, [PYTHON, "-m", "suppliers.simulator", *options, *scenario])
        # First: the web looks once, when it starts, for what there is of styles and scripts.
        call_command("collectstatic", interactive=False, verbosity=0)
        self.children.start("web", self._web())
        call_command("migrate", verbosity=0)
        self.access = {
            "base_url": self.base_url,
            "docs_url": f"{self.base_url}/api/docs/",
            "admin_url": f"{self.base_url}/admin/",
            **seed(self.addresses, self.folder),
            "suppliers": [vars(address) for address in self.addresses],
        }
        celery = [PYTHON, "-m", "celery", "-A", "inventory_project"]
        workers = ["worker", "--concurrency", str(WORKER_PROCESSES), "--without-gossip", "--without-mingle"]
        # SIGQUIT: with us gone there is nobody left to wait for tasks to end.
        self.children.start("worker", [*celery, *workers, "--loglevel", "INFO"], signal.SIGQUIT)
        self.children.start("beat", [*celery, "beat", "--schedule", self.folder / "beat", "--loglevel", "INFO"])

    def _web(self) -> list[str]:
        granian = [PYTHON, "-m", "granian", "--interface", "wsgi", "--port", self.base_url.rpartition(":")[2]]
        # More requests than threads wait in the server, where they cost nothing, not in the database's pool.
        size = {"--workers": WEB_PROCESSES, "--blocking-threads": WEB_THREADS, "--backpressure": WEB_THREADS}
        return [*granian, *(str(part) for pair in size.items() for part in pair), "inventory_project.wsgi:application"]

    def _wait(self, ready: Callable[[], bool], patience: float, what: str) -> None:
        deadline = time.monotonic() + patience
        while not ready():
            self.children.check()
            if time.monotonic() > deadline:
                raise ChildEnded(f"{what}: not there after {patience:.0f} s; see {self.children.folder}")
            time.sleep(0.1)

    def _is_ready(self) -> bool:
        try:
            styled = requests.get(f"{self.base_url}{static('unfold/css/styles.css')}", timeout=5).ok
            return styled and bool(requests.get(f"{self.base_url}/readyz", timeout=5).json()["status"] == "ok")
        except requests.RequestException:
            return False

    def _has_stock(self) -> bool:
        applied = Snapshot.objects.filter(kind=Snapshot.Kind.FULL, status=Snapshot.Status.APPLIED)
        applied = applied.filter(started_at__gte=self.began)
        return applied.values("supplier").distinct().count() >= len(SUPPLIERS)
