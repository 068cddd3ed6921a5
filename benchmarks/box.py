"""The box: what it is, and who used its processors meanwhile (Linux)."""

import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

import redis
from django.conf import settings
from django.db import connection

TICKS = os.sysconf("SC_CLK_TCK")


def description() -> dict[str, str]:
    """What the figures depend on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version')")
        (postgresql,) = cursor.fetchone()
        durability = []
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            cursor.execute(f"SHOW {name}")
            durability.append(f"{name} {cursor.fetchone()[0]}")
    connection.close()
    about = redis.Redis.from_url(settings.REDIS_URL).info("server")
    return {
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB",
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "PostgreSQL": f"{postgresql} ({', '.join(durability)})",
        "Redis": f"{about.get('server_name', 'redis')} {about.get('valkey_version') or about['redis_version']}",
        "fdatasync": f"{fdatasync_seconds() * 1e3:.2f} ms (median of 200, 8 KiB written over)",
        "load average before": f"{os.getloadavg()[0]:.1f}",
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def fdatasync_seconds() -> float:
    """What making a page durable takes: the floor under every commit.  Written over, as the database's log is."""
    took = []
    with tempfile.TemporaryFile(dir="/var/tmp") as file:
        file.write(bytes(200 * 8192))
        os.fsync(file.fileno())
        file.seek(0)
        for _ in range(200):
            file.write(os.urandom(8192))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    return statistics.median(took)


def _processes() -> dict[int, tuple[int, str, float]]:
    """Process id → parent, name, processor seconds of its own and of the children that it has seen end."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            before, _, after = path.read_text().rpartition(")")
        except OSError:  # it ended while we looked
            continue
        fields = after.split()
        found[int(path.parent.name)] = (
            int(fields[1]),
            before.partition("(")[2],
            sum(map(int, fields[11:15])) / TICKS,
        )
    return found


def children_of(parent: int) -> list[int]:
    """The ids of the processes that it started."""
    return [pid for pid, (parent_id, _, _) in _processes().items() if parent_id == parent]


def resident_bytes(pid: int) -> int:
    """The memory that a process has all to itself, and its part of what it shares."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError


class Usage:
    """Who used how much of the box since this was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before, self._busy = _by_part(), _busy_seconds()

    def shares(self) -> dict[str, float]:
        """Part → its share of all processors since then.  other: whoever else runs here."""
        wall = (time.monotonic() - self._began) * (os.cpu_count() or 1)
        used = {part: seconds - self._before.get(part, 0) for part, seconds in _by_part().items()}
        used["other"] = max(0.0, _busy_seconds() - self._busy - sum(used.values()))
        return {part: seconds / wall for part, seconds in used.items()}


def _by_part() -> dict[str, float]:
    """Processor seconds by part: the servers are our siblings; web servers and tools are what we start."""
    processes, own = _processes(), os.times()
    parts = defaultdict[str, float](float)
    parts |= {"load": own.user + own.system, "web and tools": own.children_user + own.children_system}
    for pid in processes:
        if part := _part(pid, processes):
            parts[part] += processes[pid][2]
    return parts


def _part(pid: int, processes: dict[int, tuple[int, str, float]]) -> str:
    """What this process belongs to; empty for strangers and for ourselves."""
    ours, starter, name = os.getpid(), os.getppid(), ""
    while pid in processes and pid not in (ours, starter, 1):
        pid, name = processes[pid][0], processes[pid][1]
    if not name or pid not in (ours, starter):
        return ""
    if pid == ours:
        return "web and tools"
    return next((part for part in ("postgres", "valkey", "redis") if name.startswith(part)), "")


def _busy_seconds() -> float:
    """Processor seconds of everybody since the box started."""
    fields = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    idle = fields[3] + fields[4]
    return (sum(fields[:8]) - idle) / TICKS
