"""Starting and stopping processes so that none outlives us."""

import ctypes
import importlib.util
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

PR_SET_PDEATHSIG = 1


class StackError(Exception):
    """A server of the local stack could not be started; the message says which, and where its log is."""


class Server(Protocol):
    """One server of the local stack.  Exchange PostgreSQL or Valkey by another class with these four."""

    @property
    def url(self) -> str:
        """Where clients find it."""
        ...

    def launch(self, keep_open: int) -> None:
        """Start it without waiting.  keep_open: a file descriptor that it must hold for as long as it lives."""
        ...

    def wait_ready(self) -> None:
        """Return when it answers; raise StackError if it does not."""
        ...

    def stop(self) -> None:
        """Stop it and wait until it is gone."""
        ...


def installed(package: str) -> Path:
    """The folder of an installed package, found without importing it: its import starts more than we want."""
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        msg = f"{package} is not installed: pip install -r requirements-local.txt, or give the URL of a real server."
        raise StackError(msg)
    return Path(spec.origin).parent


def free_port() -> int:
    """A loopback port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def die_with_parent(with_signal: signal.Signals) -> Callable[[], None] | None:
    """A hook for the child, run before its exec: the kernel sends it this signal when its parent is gone.

    Linux only.  "Parent" is the thread that starts the child: start from one that lives as long as the process.
    """
    if not sys.platform.startswith("linux"):
        return None
    # Looked up here: between fork and exec as little as possible may happen.
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def hook() -> None:
        prctl(PR_SET_PDEATHSIG, int(with_signal), 0, 0, 0)
        if os.getppid() != parent:  # it died before prctl was called
            os.kill(os.getpid(), with_signal)

    return hook


def spawn(
    command: Sequence[str | Path], *, at_parent_death: signal.Signals = signal.SIGTERM, **options: Any
) -> "subprocess.Popen[bytes]":
    """Start a process in a session of its own (our Ctrl-C does not reach it) that dies when we die."""
    return subprocess.Popen(  # noqa: S603 - the commands are ours
        [str(part) for part in command],
        start_new_session=True,
        preexec_fn=die_with_parent(at_parent_death),  # noqa: PLW1509 - prctl is all it calls
        stdin=subprocess.DEVNULL,
        **options,
    )


def stop_group(process: "subprocess.Popen[bytes]", first: signal.Signals, patience: float) -> None:
    """Ask the process to end; after `patience` seconds, and for children that it left behind, end its whole group."""
    if process.poll() is None:
        process.send_signal(first)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def unprivileged() -> dict[str, Any]:
    """Popen options that make the child run as nobody when we are root: PostgreSQL refuses to be root."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def wait_until(ready: Callable[[], bool], process: "subprocess.Popen[bytes]", what: str, log: Path) -> None:
    """Poll until `ready`; raise StackError if the process ends or 30 s pass."""
    deadline = time.monotonic() + 30
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            tail = log.read_text(errors="replace")[-2000:] if log.exists() else ""
            msg = f"{what} did not start (exit status {process.poll()}). The end of {log}:\n{tail}"
            raise StackError(msg)
        time.sleep(0.01)
