"""Audit: what it takes to prove a million movements, and that it finds what is wrong among them."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from django.db import connection

from benchmarks import goods, history
from benchmarks.registry import Figure, at_most, step
from benchmarks.run import Run

LEVELS, UNITS = 10_000, goods.PLENTY
_COLUMNS = (
    "level_id, version, cause, reference, actor, request_id, sellable_before, sellable_delta, sellable_after,"
    " allocated_before, allocated_delta, allocated_after, reported_after"
)
# Somebody who owns the database changes a column, a movement, and takes another one out.
_PLANTED = f"""
ALTER TABLE inventory_stockmovement DISABLE TRIGGER USER;
UPDATE inventory_stocklevel SET allocated = 7 WHERE id = (SELECT min(id) FROM inventory_stocklevel);
UPDATE inventory_stockmovement SET sellable_before = {UNITS + 1}, sellable_delta = -1
    WHERE version = 2 AND level_id = (SELECT min(id) + 1 FROM inventory_stocklevel);
DELETE FROM inventory_stockmovement WHERE version = 2 AND level_id = (SELECT max(id) FROM inventory_stocklevel);
ALTER TABLE inventory_stockmovement ENABLE TRIGGER USER;
"""
# The command, and what it took: from outside one would be told the memory of whoever started it.
_COMMAND = """
from benchmarks.catalogue import peak_mb
from django.core.management import execute_from_command_line
try:
    execute_from_command_line(["manage.py", "audit_stock"])
finally:
    print(peak_mb())
"""
_FOUND = ("allocated is the sum of the open promises", "sellable goes on from version 1", "versions are gapless")


@dataclass(frozen=True, slots=True)
class Audited:
    """One run of the command.  peak: MiB of its own process."""

    status: int
    said: str
    seconds: float
    peak: float


@step("audit")
def audit(run: Run) -> Iterator[Figure]:
    """In a database beside the run's own, whose books stay as they are."""
    movements = 50_000 if run.small else 1_000_000
    levels = LEVELS // (20 if run.small else 1)
    goods.supplier()
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's has it
    url = history.twin(os.environ["DATABASE_URL"], "audited")
    history.clear(url)
    history.add_skus(url, "A", 1, levels)
    began = time.monotonic()
    _add_movements(url, movements // levels)
    run.say(f"{movements:,} movements copied in {time.monotonic() - began:.1f} s")
    right = _audit(url)
    if right.status or f"{movements} movements: 0 differences" not in right.said:
        run.wrong(f"the audit of right books: {right.said[-300:]}")
    with psycopg.connect(url) as link:
        link.execute(_PLANTED)
    wrong = _audit(url)
    if wrong.status != 1 or not all(rule in wrong.said for rule in _FOUND):
        run.wrong(f"the audit of wrong books: {wrong.said[-300:]}")
    what = f"to audit {movements:,} movements of {levels:,} levels"
    slowest, peak = max(right.seconds, wrong.seconds), max(right.peak, wrong.peak)
    notes = [f"{right.seconds:.1f} s with right books, {wrong.seconds:.1f} s with three planted differences, all found"]
    yield Figure("audit", f"time {what}", at_most(30, " s"), slowest, unit=" s", notes=notes)
    yield Figure("audit memory", f"peak memory of the command {what}", at_most(300, " MiB"), peak, unit=" MiB")


def _add_movements(url: str, each: int) -> None:
    """Sales and the readings that took them in, until each level has so many movements."""
    with psycopg.connect(url) as link:
        ids = [level_id for (level_id,) in link.execute("SELECT id FROM inventory_stocklevel ORDER BY id")]
        with link.cursor().copy(f"COPY inventory_stockmovement ({_COLUMNS}) FROM STDIN") as copy:
            for level_id in ids:
                copy.write(_history(level_id, each))
        link.execute(
            "UPDATE inventory_stocklevel SET version = last.version, allocated = last.allocated_after"
            " FROM inventory_stockmovement last WHERE last.level_id = inventory_stocklevel.id AND last.version = %s",
            [each],
        )
        link.execute(
            "INSERT INTO inventory_allocation (level_id, sku_id, reference, quantity, state, upstream_order, detail)"
            " SELECT level_id, sku_id, 'open', allocated, 'committed', '', '' FROM inventory_stocklevel level"
            " JOIN inventory_offer offer ON offer.level_id = level.id WHERE allocated > 0"
        )
        link.commit()
        link.autocommit = True
        link.execute("VACUUM (ANALYZE) inventory_stockmovement, inventory_stocklevel, inventory_allocation")


def _history(level_id: int, each: int) -> str:
    """Movements 2 to `each` of a level: a unit is sold, a reading takes it in."""
    out = io.StringIO()
    for version in range(2, each + 1):
        sold = version % 2 == 0
        cause, delta, after = ("allocate", 1, 1) if sold else ("reading", -1, 0)
        columns = (level_id, version, cause, "", "", "", UNITS, 0, UNITS, 1 - after, delta, after, UNITS)
        out.write("\t".join(map(str, columns)) + "\n")
    return out.getvalue()


def _audit(url: str) -> Audited:
    began = time.monotonic()
    command = [sys.executable, "-c", _COMMAND]
    ended = subprocess.run(
        command, env={**os.environ, "DATABASE_URL": url}, capture_output=True, text=True, check=False
    )
    *said, peak = ended.stdout.splitlines()
    return Audited(ended.returncode, "\n".join([*said, ended.stderr]), time.monotonic() - began, float(peak))
