"""The demo's processes: stopped with all that they started, and heard when it matters."""

import os
import sys
import threading
from pathlib import Path

import pytest

from inventory_project.demo.children import ChildEnded, Children, notable

# A process that starts another and tells its id, as a web server does with its workers.
PARENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"])
open(sys.argv[1], "w").write(str(child.pid))
print("started", flush=True)
time.sleep(60)
"""


@pytest.fixture
def children(tmp_path):
    started = Children(os.environ, tmp_path)
    yield started
    started.stop()


def is_running(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.exists() and state.read_text().rpartition(")")[2].split()[0] != "Z"


def wait_for(condition, what):
    for _ in range(500):
        if condition():
            return
        threading.Event().wait(0.01)
    pytest.fail(what)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_stopping_takes_grandchildren_that_do_not_listen(children, tmp_path):
    children.start("parent", [sys.executable, "-c", PARENT, tmp_path / "pid"])
    log = children.log_of("parent")
    wait_for(lambda: log.exists() and b"started" in log.read_bytes(), "the parent did not start")
    grandchild = int((tmp_path / "pid").read_text())
    assert is_running(grandchild)
    children.stop()
    wait_for(lambda: not is_running(grandchild), "the grandchild lives on")


def test_a_process_that_ends_is_noticed_with_its_last_words(children):
    children.start("short", [sys.executable, "-c", "raise SystemExit('could not bind')"])

    def ended() -> bool:
        try:
            children.check()
        except ChildEnded as error:
            return "could not bind" in str(error)
        return False

    wait_for(ended, "nobody noticed")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        (b'{"event": "request", "level": "info"}', ""),
        (b'{"event": "away", "level": "warning", "logger": "x", "server": "lock"}', "warning away server=lock"),
        (b'{"event": "two\\nlines", "level": "error"}', "error two"),
        (b"[INFO] Starting granian", ""),
        (b"[1, 2]", ""),
    ],
)
def test_only_what_matters_is_shown(line, shown):
    assert notable(line) == shown
