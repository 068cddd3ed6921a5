"""P12: what orders cost the supplier."""

import itertools
import math
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from django.conf import settings
from django.db.models import Sum

from benchmarks import catalogue, goods, load, traffic
from benchmarks.polling import wait_for
from benchmarks.registry import Figure, at_most, step
from benchmarks.run import Run
from benchmarks.steps.snapshots import CREATED, count
from benchmarks.web import Web
from inventory import tasks
from inventory.models import Effect, Snapshot
from inventory_project.celery import app
from inventory_project.localstack.processes import spawn, stop_group
from suppliers import credentials
from suppliers.models import Supplier
from suppliers.simulator.configuration import rest_config
from suppliers.simulator.ledger import Item
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

READING = ("base_url", "auth", "limits", "errors", "list", "fetch")
QUEUES = ("celery", "effects")
SLUG, SKUS, CLIENTS = "bench-coalescing", 100, 16
STOCK = 5_000  # more than is ordered, and little enough to be believed


@contextmanager
def worker(folder: Path, *options: str) -> Iterator[None]:
    """A Celery worker for the block."""
    command = [sys.executable, "-m", "celery", "-A", "inventory_project", "worker", "--pool", "threads"]
    queues = ["--queues", ",".join(QUEUES), "--concurrency", "4", "--loglevel", "WARNING", *options]
    environment = {**os.environ, "SUPPLIER_PRIVATE_NETWORKS": "true", "LOG_LEVEL": "WARNING"}
    with (folder / "worker.log").open("ab") as log:
        process = spawn([*command, *queues], env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        stop_group(process, signal.SIGTERM, patience=15)


def connect(chaos: RunningChaosSupplier) -> Supplier:
    """A supplier that can be read and not be told: what is counted are reads."""
    config = {part: value for part, value in rest_config(chaos.url).items() if part in READING}
    fields = {"name": "Coalescing", "config": config, "credentials": credentials.seal({"token": chaos.token})}
    supplier, _ = Supplier.objects.update_or_create(slug=SLUG, defaults={**fields, "auto_offer": True})
    return supplier


def open_syncs(supplier: Supplier) -> bool:
    return Effect.objects.filter(kind=Effect.Kind.SYNC, supplier=supplier, done_at=None).exists()


@step("P12")
def coalescing(run: Run) -> Iterator[Figure]:
    """Orders over a hundred SKUs, with a worker that reads them at the supplier."""
    number = 1_600 if run.small else 10_000
    codes = [f"P12-{sku}" for sku in range(1, SKUS + 1)]
    items = [Item(code, code, "main", STOCK) for code in codes]
    goods.add_skus(codes)
    _forget()
    with running_chaos_supplier(items=items) as chaos:
        supplier = connect(chaos)
        catalogue.finish(catalogue.start(supplier.pk))
        asked_before = chaos.chaos()["requests"].get("fetch", 0)
        with worker(run.folder), run.web() as web:
            began = time.monotonic()
            _order(run, web, codes, number)
            wait_for(partial(_swept, supplier), 120, "every level that was sold from is read")
            seconds = time.monotonic() - began
        asked = chaos.chaos()["requests"].get("fetch", 0) - asked_before
    reads = Snapshot.objects.filter(supplier=supplier, kind="incremental").aggregate(rows=Sum("total"))["rows"]
    windows = math.ceil(seconds / settings.SYNC_COALESCE_SECONDS)
    yield Figure(
        "P12",
        f"reads of each of {SKUS} SKUs at the supplier per window of {settings.SYNC_COALESCE_SECONDS} s,"
        f" for {number:,} orders",
        at_most(1, " reads"),
        reads / SKUS / windows,
        unit=" reads",
        also=reads >= SKUS,
        notes=[f"{reads:,} SKUs read with {asked:,} requests in {seconds:.0f} s"],
    )


def _forget() -> None:
    """What earlier steps left undone, and their messages, are nobody's business here: no worker was there."""
    Effect.objects.all().delete()
    with app.connection_for_write() as broker:
        for queue in QUEUES:
            broker.default_channel.queue_purge(queue)  # type: ignore[attr-defined]  # every transport has it


def _order(run: Run, web: Web, codes: Sequence[str], number: int) -> None:
    sold: Counter[str] = Counter(dict.fromkeys(codes, 0))
    requests = traffic.orders(run.key, codes)
    result = load.run(
        web.port,
        CLIENTS,
        lambda client: itertools.islice(requests(client), number // CLIENTS),
        watch=partial(count, sold),
    )
    if set(result.statuses) != {CREATED}:
        run.wrong(f"orders answered {dict(result.statuses)}")
    run.sold.update(sold)
    run.say(f"{result.rate:,.0f} orders/s")


def _swept(supplier: Supplier) -> bool:
    """Whether nothing is left to read; the beat's part is done from here, every second."""
    tasks.sweep_effects.delay()
    time.sleep(1)
    return not open_syncs(supplier)
