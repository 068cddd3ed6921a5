"""What a run ran on."""

import os
import platform
from pathlib import Path

import psycopg


def describe(database_url: str) -> dict[str, str]:
    """The machine and the versions, for the reader of the figures."""
    with psycopg.connect(database_url) as connection:
        (postgresql,) = connection.execute("SHOW server_version").fetchone() or ("",)
    return {
        "processor": f"{os.cpu_count()} × {_processor()}",
        "load_before": f"{os.getloadavg()[0]:.1f}",
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "postgresql": str(postgresql),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
