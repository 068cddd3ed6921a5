"""A supplier's whole catalogue brought in, in a process of its own; and what the same rows cost without us.

`python -m benchmarks.catalogue SUPPLIER` runs one full snapshot and prints what it did and what it took, as JSON.
"""

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.upstream import Upstream
from inventory_project.localstack.processes import spawn

NAME = "bench-catalogue"
_BLOCK = 1 << 20  # bytes handed to COPY at once
# Where every level's row lies and who wrote it: an update, even to the same values, changes it.
_TUPLES = """
SELECT count(*), sum(hashtextextended(id || ' ' || ctid::text || ' ' || xmin::text, 0)::numeric)
FROM inventory_stocklevel
"""


def main() -> None:
    import django  # noqa: PLC0415 - only this process has no Django yet

    django.setup()
    from inventory import snapshots  # noqa: PLC0415

    began = time.monotonic()
    snapshot = snapshots.run_full(int(sys.argv[1]))
    result = {
        "status": str(snapshot.status),
        "reason": snapshot.reason,
        "seen": snapshot.seen,
        "changed": snapshot.changed,
        "seconds": time.monotonic() - began,
        "peak_mb": peak_mb(),
        "family_mb": peak_mb() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024,
    }
    print(json.dumps(result))


def peak_mb() -> float:
    """Of this program alone: ru_maxrss would hold that of the process which started it."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def connect(upstream: Upstream) -> int:
    """Point the catalogue's supplier there; its id."""
    from suppliers import credentials  # noqa: PLC0415
    from suppliers.models import Supplier  # noqa: PLC0415

    fields = {"name": "Catalogue", "config": upstream.config(), "credentials": credentials.seal({}), "auto_offer": True}
    supplier, _ = Supplier.objects.update_or_create(slug=NAME, defaults=fields)
    return int(supplier.pk)


def supplier_id() -> int:
    """The catalogue's supplier."""
    return int(_do(f"SELECT id FROM suppliers_supplier WHERE slug = '{NAME}'")[0])


def start(of: int, **environment: str) -> "subprocess.Popen[bytes]":
    """Begin a full snapshot in a process of its own.  environment: beside that of the run."""
    environment = {**os.environ, "SUPPLIER_PRIVATE_NETWORKS": "true", "LOG_LEVEL": "WARNING", **environment}
    command = [sys.executable, "-m", "benchmarks.catalogue", str(of)]
    return spawn(command, env=environment, stdout=subprocess.PIPE)


def finish(process: "subprocess.Popen[bytes]") -> dict[str, Any]:
    """Wait for it; what it printed."""
    output, _ = process.communicate(timeout=900)
    if process.returncode:
        raise RuntimeError(f"the snapshot ended with status {process.returncode}")
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def settle() -> None:
    """Let the server do now what it would do in the background during the measurement."""
    _do("VACUUM (ANALYZE)")
    _do("CHECKPOINT")


def log_position() -> int:
    """Bytes of write-ahead log so far."""
    return int(_do("SELECT pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')")[0])


def tuples() -> tuple[int, int]:
    """Changes if any level's row was written."""
    count, places = _do(_TUPLES)
    return int(count), int(places)


def bare_copy(of: int) -> float:
    """Seconds that COPY takes to put the supplier's levels into an empty logged table with the same keys."""
    _do("DROP TABLE IF EXISTS bench_copy")
    _do(
        "CREATE TABLE bench_copy (LIKE inventory_stocklevel INCLUDING DEFAULTS,"
        " PRIMARY KEY (id), UNIQUE (supplier_id, external_id, location))"
    )
    from django.db import connection  # noqa: PLC0415

    wanted = f"SELECT * FROM inventory_stocklevel WHERE supplier_id = {of} ORDER BY id"
    with connection.cursor() as cursor:
        with cursor.copy(f"COPY ({wanted}) TO STDOUT") as copy:
            rows = b"".join(bytes(line) for line in copy)
        began = time.perf_counter()
        with cursor.copy("COPY bench_copy FROM STDIN") as copy:
            for start_at in range(0, len(rows), _BLOCK):
                copy.write(rows[start_at : start_at + _BLOCK])
        took = time.perf_counter() - began
    _do("DROP TABLE bench_copy")
    return took


def bare_rate(of: int, rows: int) -> float:
    """Rows/s of three bare COPYs; their median."""
    return rows / statistics.median(bare_copy(of) for _ in range(3))


def _do(statement: str) -> tuple[Any, ...]:
    from django.db import connection  # noqa: PLC0415

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(statement)
        return cursor.fetchone() if cursor.description else ()


if __name__ == "__main__":
    main()
