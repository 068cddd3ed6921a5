"""Holdfast as real processes: web, worker and beat."""

import base64
import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.peers.oscar.holdfast import Holdfast
from benchmarks.peers.oscar.results import PENDING
from benchmarks.peers.oscar.server import Shop
from benchmarks.polling import came_true
from inventory_project.localstack.processes import free_port, spawn, stop_group

PROJECT = Path(__file__).resolve().parents[3]
READ_SECONDS = 60
Register = Callable[[Mapping[str, str]], str]
WEB_PROCESSES, WEB_THREADS, WORKERS = 2, 32, 4


class NotReady(Exception):
    """Holdfast did not start or did not read its supplier; its logs are in the folder of the run."""


@contextlib.contextmanager
def running_holdfast(
    environment: Mapping[str, str], folder: Path, register: Register, codes: Sequence[str]
) -> Iterator[Holdfast]:
    """Holdfast with every code on offer, until the block ends.

    environment: for the settings; its database is empty.  folder: for the processes' logs.
    register: given that environment, tells Holdfast of its supplier and the codes; returns a storefront's key.
    """
    environment = {**environment, "SUPPLIER_PRIVATE_NETWORKS": "true", "DATABASE_POOL_MAX": str(WEB_THREADS)}
    manage(environment, "migrate")
    port = free_port()
    holdfast = Holdfast(f"http://127.0.0.1:{port}", register(environment), environment)
    with contextlib.ExitStack() as stack:
        processes = {}
        for name, command in _commands(port, folder).items():
            log = stack.enter_context((folder / f"{name}.log").open("wb"))
            processes[name] = spawn(command, env=environment, cwd=PROJECT, stdout=log, stderr=log)
            stack.callback(stop_group, processes[name], signal.SIGTERM, patience=10)

        def on_offer() -> bool:
            if gone := [name for name, process in processes.items() if process.poll() is not None]:
                raise NotReady(f"{gone[0]} ended by itself; see {folder / gone[0]}.log")
            return holdfast.sells(codes)

        if not came_true(on_offer, READ_SECONDS, pause=0.25):
            raise NotReady(f"the stock was not on offer after {READ_SECONDS} s; see {folder}/*.log")
        yield holdfast


def wait_until_told(holdfast: Holdfast, seconds: float) -> None:
    """Return when the shop has answered every promise, or when the time is over: the verdict names what is left."""
    came_true(lambda: all(promise.state not in PENDING for promise in holdfast.promises()), seconds, pause=0.25)


def audit(holdfast: Holdfast) -> str:
    """What `manage.py audit_stock` objects to; empty if nothing."""
    done = manage(holdfast.environment, "audit_stock", check=False)
    return (done.stdout + done.stderr) if done.returncode else ""


def manage(environment: Mapping[str, str], *arguments: str, check: bool = True) -> "subprocess.CompletedProcess[str]":
    """Run a management command.  Raises: NotReady with what it said, if `check`."""
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, env=environment, cwd=PROJECT, check=False, capture_output=True, text=True)
    if check and done.returncode:
        raise NotReady(f"manage.py {' '.join(arguments)} failed:\n{done.stderr}")
    return done


def shop_as_supplier(shop: Shop, codes: Sequence[str]) -> Register:
    """Makes the shop Holdfast's only supplier, with a SKU for every code."""
    basic = base64.b64encode(f"{shop.admin_user}:{shop.admin_password}".encode()).decode()
    return as_supplier("oscar", shop.url, {"https://shop.example/api": shop.url}, {"basic": basic}, codes)


def as_supplier(
    preset: str, url: str, addresses: Mapping[str, str], secrets: Mapping[str, str], codes: Sequence[str]
) -> Register:
    """Makes a shop Holdfast's only supplier through a preset.  addresses: in the preset → in their place."""
    text = (PROJECT / "suppliers" / "presets" / f"{preset}.json").read_text()
    for example, own in {**addresses, "shop.example": str(urlsplit(url).hostname)}.items():
        text = text.replace(example, own)
    supplier = {"slug": preset, "config": json.loads(text), "secrets": dict(secrets)}
    return partial(run_module, "benchmarks.peers.register", codes, {"SUPPLIER": json.dumps(supplier)})


def read_back(holdfast: Holdfast, *references: str) -> dict[str, str]:
    """What the shop says of these orders, asked by Holdfast itself."""
    said = run_module("benchmarks.peers.asking", references, {}, holdfast.environment)
    found: dict[str, str] = json.loads(said)
    return found


def run_module(module: str, arguments: Sequence[str], known: Mapping[str, str], environment: Mapping[str, str]) -> str:
    """Run a module in Holdfast's environment; returns what it prints."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(
        command, env={**environment, **known}, cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True
    )
    return done.stdout.strip()


def _commands(port: int, folder: Path) -> dict[str, list[str]]:
    sizes = {"--workers": WEB_PROCESSES, "--blocking-threads": WEB_THREADS, "--backpressure": WEB_THREADS}
    granian = [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1", "--port", str(port)]
    celery = [sys.executable, "-m", "celery", "--app", "inventory_project"]
    return {
        "web": [
            *granian,
            *(str(part) for size in sizes.items() for part in size),
            "inventory_project.wsgi:application",
        ],
        "worker": [*celery, "worker", "--concurrency", str(WORKERS), "--loglevel", "INFO"],
        "beat": [*celery, "beat", "--schedule", str(folder / "beat"), "--loglevel", "INFO"],
    }
