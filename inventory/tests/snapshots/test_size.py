"""A hundred thousand rows in one run: what it costs is measured in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.db import connection

from inventory.models import StockLevel
from inventory.tests.ledgers import differences
from inventory.tests.upstreams import connect
from suppliers.simulator.running import running_chaos_supplier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

ROWS = 100_000
RUN = """
import json, sys, time, django
django.setup()
from inventory import snapshots
began = time.monotonic()
snapshot = snapshots.run_full(int(sys.argv[1]))
# Not ru_maxrss, which begins with the memory of whoever started us.
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(json.dumps({"status": snapshot.status, "reason": snapshot.reason, "seen": snapshot.seen,
                  "changed": snapshot.changed, "seconds": time.monotonic() - began,
                  "peak_mb": int(peak.split()[1]) / 1024}))
"""


def in_a_process(supplier_id: int, key: str) -> dict[str, Any]:
    database = connection.settings_dict
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "inventory_project.settings",
        "DATABASE_URL": "postgres://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database),
        "CREDENTIAL_KEYS": key,
        "SUPPLIER_PRIVATE_NETWORKS": "true",
        "LOG_LEVEL": "WARNING",
    }
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", RUN, str(supplier_id)]
    done = subprocess.run(command, env=environment, cwd=root, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


@pytest.fixture
def without_autovacuum() -> Iterator[None]:
    """It comes when it likes: what holds must hold before."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE inventory_stocklevel SET (autovacuum_enabled = false)")
        yield
        cursor.execute("ALTER TABLE inventory_stocklevel RESET (autovacuum_enabled)")


def counted() -> int:
    """Levels that the planner knows of."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE oid = 'inventory_stocklevel'::regclass")
        return int(cursor.fetchone()[0])


def places() -> list[tuple[int, str]]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT id, ctid::text FROM inventory_stocklevel ORDER BY id")
        return list(cursor.fetchall())


@pytest.mark.usefixtures("without_autovacuum")
def test_a_hundred_thousand_rows_in_one_run(settings, record_property):
    key = Fernet.generate_key().decode()
    settings.CREDENTIAL_KEYS = [key]
    with running_chaos_supplier(rows=ROWS, stock=7) as chaos:
        supplier = connect(chaos, size=1_000)
        first = in_a_process(supplier.pk, key)
        assert (first["status"], first["seen"], first["changed"]) == ("applied", ROWS, ROWS), first
        assert StockLevel.objects.count() == ROWS
        assert counted() == pytest.approx(ROWS, rel=0.1)
        before = places()
        second = in_a_process(supplier.pk, key)
        assert (second["status"], second["seen"], second["changed"]) == ("applied", ROWS, 0), second
        assert places() == before, "an unchanged catalogue updates no tuple"
        chaos.set(inflation={"k": 2})
        third = in_a_process(supplier.pk, key)
        assert (third["status"], third["changed"]) == ("applied", ROWS), third
    assert differences() == []
    for name, result in {"new": first, "unchanged": second, "changed": third}.items():
        record_property(name, result)
        sys.stdout.write(f"{name}: {ROWS / result['seconds']:.0f} rows/s, peak {result['peak_mb']:.0f} MB\n")
        assert result["peak_mb"] <= 300
