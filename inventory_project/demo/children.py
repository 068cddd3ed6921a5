"""The processes of a demo: started, listened to, and stopped together."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from inventory_project.localstack.processes import spawn, stop_group

PATIENCE = 10  # seconds that a process has to end by itself
COLOURS = (36, 33, 35, 34, 32, 96, 93, 95)
SHOWN_LEVELS = frozenset({"warning", "error", "critical"})


class ChildEnded(Exception):
    """One of the processes ended by itself; its last lines follow, the whole log is in the folder."""


class Children:
    """Processes whose output goes to `folder`, and what matters of it to the terminal, with their name before it.

    Start them from the main thread: they die when the thread that started them does.
    """

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = environment
        self.folder = folder
        self.folder.mkdir(parents=True, exist_ok=True)
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._readers: list[threading.Thread] = []

    def start(self, name: str, command: Sequence[str | Path], at_parent_death: signal.Signals = signal.SIGTERM) -> None:
        """Start one; `name` stands before its lines."""
        process = spawn(
            command,
            at_parent_death=at_parent_death,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._processes[name] = process
        label = coloured(f"{name:>14} │", COLOURS[len(self._processes) % len(COLOURS)])
        reader = threading.Thread(target=self._listen, args=(process.stdout, self.log_of(name), label), name=name)
        reader.start()
        self._readers.append(reader)

    def check(self) -> None:
        """Raise ChildEnded if one is gone."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                lines = self.log_of(name).read_text(errors="replace").splitlines()[-12:]
                raise ChildEnded(f"{name} ended with status {process.returncode}:\n" + "\n".join(lines))

    def stop(self) -> None:
        """End them one by one, the last started first, so that none sees another go; with whatever they started."""
        deadline = time.monotonic() + PATIENCE
        for process in reversed(self._processes.values()):
            stop_group(process, signal.SIGTERM, patience=max(0.1, deadline - time.monotonic()))
        for reader in self._readers:
            reader.join()
        self._processes.clear()
        self._readers.clear()

    def log_of(self, name: str) -> Path:
        """Where everything that it says is kept until the next start."""
        return self.folder / f"{name}.log"

    @staticmethod
    def _listen(output: IO[bytes], log: Path, label: str) -> None:
        with log.open("wb", buffering=0) as file:
            for line in output:
                file.write(line)
                if told := notable(line):
                    say(f"{label} {told}")
        output.close()


def notable(line: bytes) -> str:
    """What of a log line a person watching wants to see: warnings and worse, in short; otherwise empty."""
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    if not isinstance(entry, dict) or entry.get("level") not in SHOWN_LEVELS:
        return ""
    about = {"event", "level", "logger", "timestamp", "exception", "request_id"}
    fields = " ".join(f"{name}={value}" for name, value in entry.items() if name not in about)
    event = str(entry.get("event", "")).strip().partition("\n")[0]
    last = str(entry.get("exception", "")).strip().rpartition("\n")[2]
    return " ".join(part for part in (entry["level"], event, fields, last) if part)[:300]


def coloured(text: str, colour: int) -> str:
    """The text in an ANSI colour, if a person may be looking."""
    return f"\033[{colour}m{text}\033[0m" if sys.stdout.isatty() else text


def say(line: str) -> None:
    """Print a line at once, whole even when several threads do."""
    with suppress(BrokenPipeError):
        sys.stdout.write(line + "\n")
        sys.stdout.flush()
