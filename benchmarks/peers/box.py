"""What a run ran on."""

import os
import platform
import time
from pathlib import Path

import psycopg

QUIET = 0.15  # of all processors; a box that others kept busy made one shop twenty times slower between two rounds
SAMPLE_SECONDS = 5


def used_by_others() -> float:
    """The share of all processors that is in use; ask before anything of ours runs.  0 where it cannot be told."""
    before = _ticks()
    time.sleep(SAMPLE_SECONDS)
    busy, every = (after - earlier for after, earlier in zip(_ticks(), before, strict=True))
    return busy / every if every else 0.0


def _ticks() -> tuple[int, int]:
    """Busy and all ticks of all processors since the start of the system."""
    try:
        first = Path("/proc/stat").read_text(encoding="utf-8").splitlines()[0]
    except OSError:
        return 0, 0
    ticks = [int(word) for word in first.split()[1:9]]  # what guests use is in it already
    return sum(ticks) - ticks[3] - ticks[4], sum(ticks)  # without idle and waiting for a disk


def describe(database_url: str, used: float) -> dict[str, str]:
    """The machine and the versions, for the reader of the figures.  used: by others, before the start."""
    with psycopg.connect(database_url) as connection:
        (postgresql,) = connection.execute("SHOW server_version").fetchone() or ("",)
    return {
        "processor": f"{os.cpu_count()} × {_processor()}",
        "used_by_others": f"{used:.0%}",
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
