"""Every process of one installation, each to be killed, frozen and started again."""

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from typing import Self

import requests
from django.core.management import call_command
from django.db import connection

from benchmarks.faults.catalogue import CATALOGUE, SUPPLIER, seed_database
from benchmarks.faults.wiring import Wiring
from benchmarks.polling import wait_for
from inventory.models import Snapshot
from inventory_project.demo.seed import Address
from inventory_project.localstack.processes import free_port, spawn, stop_group

PYTHON = sys.executable
WEB_THREADS, WORKERS = 32, 3


@dataclass(slots=True)
class Outage:
    """A web process was killed or frozen; times by `time.time()`."""

    web: int
    began: float
    ended: float = float("inf")
    frozen: bool = False


@dataclass(slots=True)
class Running:
    """A process and how to start it again."""

    command: list[str]
    environment: dict[str, str]
    process: "subprocess.Popen[bytes]" = field(init=False)


class World:
    """Started by `with`, from the main thread."""

    def __init__(self, wiring: Wiring, webs: int, seed: int) -> None:
        self.wiring = wiring
        self.folder = wiring.stack.folder
        self.seed = seed
        self.ports = [free_port() for _ in range(webs)]
        self.supplier = Address(SUPPLIER, f"http://127.0.0.1:{wiring.supplier_port}", secrets.token_urlsafe(16))
        self.outages: list[Outage] = []
        self.ended: list[str] = []  # processes that went by themselves, and were started again
        self.api_key = ""
        self.supplier_id = 0
        self._running: dict[str, Running] = {}

    # --- Life -----------------------------------------------------------------------------------------
    def __enter__(self) -> Self:
        with ExitStack() as undo:
            undo.callback(self._stop)
            self._start()
            undo.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def _start(self) -> None:
        (self.folder / "logs").mkdir(exist_ok=True)
        catalogue = self.folder / "catalogue.json"
        catalogue.write_text(json.dumps(CATALOGUE))
        options = ["--catalogue", str(catalogue), "--token", self.supplier.token, "--seed", str(self.seed)]
        options += ["--port", str(self.wiring.supplier_port)]
        self._run("supplier", [PYTHON, "-m", "suppliers.simulator", *options], "books")
        call_command("migrate", verbosity=0)
        url = f"http://127.0.0.1:{self.wiring.proxies['supplier'].port}"
        self.supplier_id, self.api_key = seed_database(url, self.supplier.token)
        connection.close()
        for web in range(len(self.ports)):
            self._run(f"web-{web}", self._web(web), "web")
        celery = [PYTHON, "-m", "celery", "-A", "inventory_project"]
        worker = ["worker", "--concurrency", str(WORKERS), "--without-gossip", "--without-mingle"]
        self._run("worker", [*celery, *worker, "--loglevel", "INFO"], "work")
        self._run("beat", [*celery, "beat", "--schedule", str(self.folder / "beat"), "--loglevel", "INFO"], "work")
        for web in range(len(self.ports)):
            wait_for(lambda web=web: self.answers(web), 60, f"web-{web}")  # type: ignore[misc]
        wait_for(self.has_stock, 60, "the first snapshot")

    def _web(self, web: int) -> list[str]:
        size = {"--port": self.ports[web], "--workers": 1, "--blocking-threads": WEB_THREADS}
        options = [str(part) for pair in size.items() for part in pair]
        granian = [PYTHON, "-m", "granian", "--interface", "wsgi", *options, "--backpressure", str(WEB_THREADS)]
        return [*granian, "inventory_project.wsgi:application"]

    def _run(self, name: str, command: list[str], side: str) -> None:
        environment = {**os.environ, **self.wiring.urls(side)}
        self._running[name] = Running(command, environment)
        self.start(name)

    def _stop(self) -> None:
        for running in reversed(self._running.values()):
            with suppress(AttributeError, ProcessLookupError):
                os.killpg(running.process.pid, signal.SIGCONT)
            with suppress(AttributeError):
                stop_group(running.process, signal.SIGTERM, patience=3)
        self._running.clear()
        connection.close()

    # --- Processes ------------------------------------------------------------------------------------
    def start(self, name: str) -> None:
        """Start a process (again)."""
        running = self._running[name]
        with (self.folder / "logs" / f"{name}.log").open("ab") as log:
            running.process = spawn(running.command, env=running.environment, stdout=log, stderr=log)

    def kill(self, name: str) -> None:
        """SIGKILL it with all that it started."""
        self._mark_down(name, frozen=False)
        process = self._running[name].process
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def freeze(self, name: str) -> None:
        self._mark_down(name, frozen=True)
        os.killpg(self._running[name].process.pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        os.killpg(self._running[name].process.pid, signal.SIGCONT)
        self._mark_up(name)

    def revive(self, name: str) -> None:
        """Start a killed process, and wait until it answers if it is a web process."""
        self.start(name)
        if name.startswith("web-"):
            web = int(name.partition("-")[2])
            wait_for(lambda: self.answers(web), 60, name)
            self._mark_up(name)

    def ask_for_stacks(self, name: str) -> None:
        """Have a Celery process write to its log where each of its threads is."""
        os.kill(self.pid(name), signal.SIGUSR1)
        time.sleep(1)

    def pid(self, name: str) -> int:
        return self._running[name].process.pid

    def supervise(self) -> None:
        """Start again what ended by itself, as whatever runs an installation does."""
        for name, running in self._running.items():
            if running.process.poll() is not None:
                self.ended.append(name)
                self.start(name)

    def _mark_down(self, name: str, *, frozen: bool) -> None:
        if name.startswith("web-"):
            self.outages.append(Outage(int(name.partition("-")[2]), time.time(), frozen=frozen))

    def _mark_up(self, name: str) -> None:
        for outage in self.outages:
            if f"web-{outage.web}" == name and outage.ended == float("inf"):
                outage.ended = time.time()

    # --- Looking --------------------------------------------------------------------------------------
    def answers(self, web: int) -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{self.ports[web]}/healthz", timeout=5).ok
        except requests.RequestException:
            return False

    def has_stock(self) -> bool:
        return Snapshot.objects.filter(status=Snapshot.Status.APPLIED).exists()
