"""The figures of workers and beat, asked for as Prometheus does."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlsplit, urlunsplit
from urllib.request import urlopen

import pytest
from django.db import connection

from inventory import tasks
from inventory_project import figures
from inventory_project.localstack.processes import free_port, spawn, stop_group

PATIENCE = 30  # seconds; a worker takes some to load
TASK = "inventory.tasks.note_refusals"


@contextmanager
def running(folder: Path, port: int, *command: str) -> Iterator[None]:
    """One of Celery's programs, on the database of this test."""
    url = urlsplit(os.environ["DATABASE_URL"])
    folder.mkdir()
    environment = {
        **os.environ,
        "DATABASE_URL": urlunsplit(url._replace(path=f"/{connection.settings_dict['NAME']}")),
        "PROMETHEUS_MULTIPROC_DIR": str(folder),
        "METRICS_PORT": str(port),
    }
    process = spawn(
        [sys.executable, "-m", "celery", "-A", "inventory_project", *command],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        stop_group(process, signal.SIGTERM, patience=10)


def asked(port: int, figure: str, least: float) -> str:
    """All figures, as soon as the sum of this one is no less."""
    pause = threading.Event()
    found = ""
    for _ in range(PATIENCE * 10):
        try:
            with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
                found = answer.read().decode()
        except (URLError, ConnectionError):
            pass
        values = re.findall(rf"^{figure}(?:{{[^}}]*}})? (\S+)$", found, re.MULTILINE)
        if sum(map(float, values)) >= least:
            return found
        pause.wait(0.1)
    pytest.fail(f"{figure} is not {least}:\n{found[-2000:]}")


@pytest.mark.django_db(transaction=True)
def test_a_worker_answers_for_all_its_processes(tmp_path):
    port = free_port()
    options = ["--concurrency", "2", "--without-gossip", "--without-mingle"]
    with running(tmp_path / "figures", port, "worker", *options):
        asked(port, "holdfast_pulse_seconds", 1)
        for _ in range(6):
            tasks.note_refusals.delay([])
        found = asked(port, "holdfast_task_seconds_count", 6)
    assert f'holdfast_task_seconds_count{{state="SUCCESS",task="{TASK}"}} 6.0' in found


@pytest.mark.django_db(transaction=True)
def test_beat_tells_when_it_last_worked(tmp_path):
    port = free_port()
    schedule = str(tmp_path / "schedule")
    with running(tmp_path / "figures", port, "beat", "--schedule", schedule, "--pidfile", ""):
        asked(port, "holdfast_pulse_seconds", 1)


def test_it_is_off_unless_a_port_is_given(settings, monkeypatch):
    assert settings.METRICS_PORT == 0
    monkeypatch.setattr(figures, "start_http_server", lambda *_, **__: pytest.fail("it serves"))
    figures.serve()


def test_a_port_that_is_taken_stops_nothing(settings, caplog, monkeypatch):
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings.METRICS_PORT = taken.getsockname()[1]
        figures.serve()
    assert "metrics_not_served" in caplog.text
    assert "metrics_of_one_process" in caplog.text
