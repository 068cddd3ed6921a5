"""The shop as a process: its own environment, its own database, gunicorn in front.

Nothing here changes django-oscar or django-oscar-api; both come from the package index, pinned by hash.
"""

import contextlib
import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import requests

from benchmarks.peers.oscar import databases
from inventory_project.localstack.processes import spawn, stop_group

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[2] / "var" / "peers" / "oscar"
WORKERS, THREADS = 3, 4
START_SECONDS = 30


@dataclass(frozen=True)
class Shop:
    """A running shop.  url: the root of its API, without a slash at the end.  database: URL of its own."""

    url: str
    admin_user: str
    admin_password: str
    port: int
    database: str


def install() -> Path:
    """The folder of the shop's programs; the first call installs them, later ones find the stamp."""
    venv = HOME / "venv"
    requirements = HERE / "requirements.txt"
    stamp = venv / "requirements.sha256"
    digest = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != digest:
        subprocess.run([sys.executable, "-m", "venv", "--clear", "--without-pip", venv], check=True)
        subprocess.run([*_installer(venv / "bin" / "python"), "--require-hashes", "-r", requirements], check=True)
        stamp.write_text(digest)
    return venv / "bin"


def versions() -> str:
    """What `install` installs, for the reader."""
    pins = (HERE / "requirements.in").read_text().split()
    return ", ".join(pin.replace("==", " ") for pin in pins if pin.startswith(("django-oscar", "Django==")))


def _installer(python: Path) -> list[str | Path]:
    """A command that installs for another Python; our own environment may be without pip, the one below has it."""
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--python", python]
    return [Path(sys.executable).resolve(), "-m", "pip", "--python", python, "install", "-qq"]


def _environment(database_url: str, password: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "shop.settings",
        "PYTHONPATH": str(HERE),
        "PYTHONWARNINGS": "ignore",
        "SHOP_DATABASE_URL": database_url,
        "SHOP_SECRET_KEY": secrets.token_hex(32),
        "SHOP_ADMIN_PASSWORD": password,
    }


def _migrated(programs: Path, server: str) -> str:
    """The name of an empty, migrated database; made once for every version of the shop."""
    digest = hashlib.sha256((HERE / "requirements.txt").read_bytes() + (HERE / "shop" / "settings.py").read_bytes())
    name = f"oscar_{digest.hexdigest()[:12]}"
    if not databases.exists(server, name):
        unfinished = f"{name}_unfinished"
        environment = _environment(databases.recreate(server, unfinished), "")
        subprocess.run(
            [programs / "python", "-m", "django", "migrate", "--verbosity", "0"], env=environment, check=True
        )
        databases.rename(server, unfinished, name)
    return name


def _wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError, requests.Timeout):
            if requests.get(f"{url}/products/", timeout=START_SECONDS).ok:
                return
        time.sleep(0.1)
    msg = f"the shop did not start; see {HOME / 'shop.log'}"
    raise RuntimeError(msg)


@contextlib.contextmanager
def running_shop(server: str, stock: Mapping[str, int]) -> Iterator[Shop]:
    """A fresh shop that has so many units of every code, until the block ends.

    It begins with a database that has sold nothing: its order list cannot be asked by page and would grow with
    every run.  server: URL of any database of a PostgreSQL server on which the shop may create its own.
    """
    programs = install()
    password = secrets.token_urlsafe(16)
    database = databases.recreate(server, "oscar", template=_migrated(programs, server))
    environment = _environment(database, password)
    goods = [f"{code}={units}" for code, units in stock.items()]
    subprocess.run([programs / "python", "-m", "shop.seed", *goods], env=environment, check=True)
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener, (HOME / "shop.log").open("wb") as log:
        # The bound socket itself is handed over: nobody can take the port in between.
        listening = listener.fileno()
        command = [str(programs / "gunicorn"), "shop.wsgi", "--bind", f"fd://{listening}", "--no-control-socket"]
        sizes = ["--workers", str(WORKERS), "--threads", str(THREADS), "--graceful-timeout", "2"]
        process = spawn([*command, *sizes], env=environment, cwd=HERE, pass_fds=[listening], stdout=log, stderr=log)
        try:
            port = listener.getsockname()[1]
            shop = Shop(f"http://127.0.0.1:{port}/api", "admin", password, port, database)
            _wait_until_ready(process, shop.url)
            yield shop
        finally:
            stop_group(process, signal.SIGTERM, patience=10)
