"""The sign of life of worker and beat, and the health check that reads it."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from celery.signals import after_task_publish, beat_init, heartbeat_sent

from inventory_project import pulse
from inventory_project.localstack.processes import free_port

HEALTHCHECK = Path(__file__).resolve().parents[2] / "docker/healthcheck.py"


def healthcheck(*arguments: str, **environment: str) -> int:
    """Its exit status."""
    command = [sys.executable, "-I", str(HEALTHCHECK), *arguments]
    return subprocess.run(command, env=environment, check=False).returncode


@pytest.fixture
def file(settings, tmp_path: Path) -> Path:
    settings.PULSE_FILE = str(tmp_path / "pulse")
    return tmp_path / "pulse"


def test_a_heartbeat_renews_the_sign_of_a_worker(file):
    assert healthcheck("pulse", PULSE_FILE=str(file)) == 1
    heartbeat_sent.send(sender=None)
    assert healthcheck("pulse", PULSE_FILE=str(file)) == 0


def test_a_worker_that_stopped_working_is_found_out(file):
    file.touch()
    minute_ago = time.time() - 60
    os.utime(file, (minute_ago, minute_ago))
    assert healthcheck("pulse", PULSE_FILE=str(file)) == 1


def test_publishing_renews_the_sign_of_beat_and_of_nobody_else(file):
    after_task_publish.send(sender="a task")
    assert not file.exists()
    beat_init.send(sender=None)
    try:
        after_task_publish.send(sender="a task")
    finally:
        after_task_publish.disconnect(pulse.touch)
    assert file.exists()


def test_without_a_place_for_it_there_is_no_sign(settings, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings.PULSE_FILE = ""
    heartbeat_sent.send(sender=None)
    assert not list(tmp_path.iterdir())


class OfTheShop(BaseHTTPRequestHandler):
    """Answers /healthz for one host name, as ALLOWED_HOSTS would."""

    def do_GET(self) -> None:
        known = (self.path, self.headers["Host"]) == ("/healthz", "shop.example")
        self.send_response(200 if known else 400)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[str]:
    """The port of a web server."""
    with HTTPServer(("127.0.0.1", 0), OfTheShop) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield str(server.server_port)
        server.shutdown()


def test_the_web_server_is_asked_under_a_name_that_it_knows(web):
    assert healthcheck(GRANIAN_PORT=web, ALLOWED_HOSTS=".shop.example, 127.0.0.1") == 0
    assert healthcheck(GRANIAN_PORT=web, ALLOWED_HOSTS="other.example") == 1


def test_a_web_server_that_is_gone_is_found_out():
    assert healthcheck(GRANIAN_PORT=str(free_port())) == 1
