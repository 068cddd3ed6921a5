"""Medusa as a process: installed from the npm registry into var/, its own database, one node process.

Nothing here changes Medusa; package.json pins its version.
"""

import contextlib
import hashlib
import json
import os
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.peers.oscar import databases
from inventory_project.localstack.keys import keep
from inventory_project.localstack.processes import free_port, spawn, stop_group

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[2] / "var" / "peers" / "medusa"
COMMAND = HOME / "node_modules" / "@medusajs" / "cli" / "cli.js"
NODE_AT_LEAST = (20, 19)
START_SECONDS = 90
STAFF = "staff@shop.example"


class NotInstalled(Exception):
    """Medusa cannot be run here; the message says why."""


@dataclass(frozen=True)
class Medusa:
    """A running shop.  database: URL of its own database."""

    port: int
    database: str
    password: str

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def node_version() -> str:
    """The version of the node that is installed.  Raises: NotInstalled if there is none, it is too old, or no npm."""
    if not (shutil.which("node") and shutil.which("npm")):
        raise NotInstalled("Medusa needs node and npm, which are not installed")
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout.strip()  # noqa: S607
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < NODE_AT_LEAST:
        raise NotInstalled(f"Medusa needs node {'.'.join(map(str, NODE_AT_LEAST))} or newer; this is {version}")
    return version


def install() -> None:
    """Put Medusa into var/; the first call takes two minutes and 700 MB, later ones find the stamp.

    Raises: NotInstalled.
    """
    wanted = (HERE / "package.json").read_bytes()
    digest = hashlib.sha256(wanted + node_version().encode()).hexdigest()
    stamp = HOME / "installed.sha256"
    HOME.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "medusa-config.js", HOME)
    if stamp.exists() and stamp.read_text() == digest:
        return
    (HOME / "package.json").write_bytes(wanted)
    # Installing runs no scripts of the 1,085 packages: none of those that we use needs any.
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    process = spawn(command, cwd=HOME)
    try:
        if process.wait():
            raise NotInstalled(f"npm could not install Medusa (exit status {process.returncode})")
    finally:
        stop_group(process, signal.SIGTERM, patience=5)
    stamp.write_text(digest)


def versions() -> str:
    """What `install` installs, for the reader."""
    pinned = json.loads((HERE / "package.json").read_text())["dependencies"]["@medusajs/medusa"]
    return f"Medusa {pinned}, node {node_version().removeprefix('v')}"


def _environment(database: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(HOME),
        "NODE_ENV": "production",
        "MEDUSA_DISABLE_TELEMETRY": "true",
        "DATABASE_URL": database,
        "JWT_SECRET": secrets.token_hex(32),
        "COOKIE_SECRET": secrets.token_hex(32),
    }


def _run(database: str, *arguments: str) -> None:
    """Run one command of Medusa's to its end."""
    with (HOME / "prepare.log").open("ab") as log:
        process = spawn(["node", COMMAND, *arguments], env=_environment(database), cwd=HOME, stdout=log, stderr=log)
        try:
            if process.wait(START_SECONDS * 2):
                raise NotInstalled(f"medusa {arguments[0]} failed; see {HOME / 'prepare.log'}")
        finally:
            stop_group(process, signal.SIGTERM, patience=5)


def _migrated(server: str, password: str) -> str:
    """The name of a migrated database that knows the staff; made once for every version of Medusa."""
    known = [HERE / "package.json", HERE / "medusa-config.js"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in known) + password.encode()).hexdigest()
    name = f"medusa_{digest[:12]}"
    if not databases.exists(server, name):
        unfinished = f"{name}_unfinished"
        url = databases.recreate(server, unfinished)
        _run(url, "db:migrate", "--skip-scripts")
        _run(url, "user", "--email", STAFF, "--password", password)
        databases.rename(server, unfinished, name)
    return name


@contextlib.contextmanager
def running_medusa(server: str) -> Iterator[Medusa]:
    """A fresh shop with nothing in it, until the block ends.

    server: URL of any database of a PostgreSQL server on which the shop may create its own.
    Raises: NotInstalled.
    """
    install()
    password = keep(HOME / "staff-password", lambda: secrets.token_urlsafe(16))
    database = databases.recreate(server, "medusa", template=_migrated(server, password))
    medusa = Medusa(free_port(), database, password)
    command = ["node", COMMAND, "start", "--host", "127.0.0.1", "--port", str(medusa.port)]
    with (HOME / "shop.log").open("wb") as log:
        process = spawn(command, env=_environment(database), cwd=HOME, stdout=log, stderr=log)
        try:
            _wait_until_ready(process, medusa.url)
            yield medusa
        finally:
            stop_group(process, signal.SIGTERM, patience=10)


def _wait_until_ready(process: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            if requests.get(f"{url}/health", timeout=START_SECONDS).ok:
                return
        time.sleep(0.2)
    raise NotInstalled(f"Medusa did not start; see {HOME / 'shop.log'}")
