"""Which servers a local installation has, where its things are kept, and what its environment is."""

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from inventory_project.localstack.keys import local_keys
from inventory_project.localstack.postgresql import PostgreSQL
from inventory_project.localstack.processes import Server, StackError
from inventory_project.localstack.valkey import BROKER, CACHE, Valkey

PROJECT = Path(__file__).resolve().parent.parent.parent


class LocalStack:
    """The servers of one local installation, in `var/<name>`.

    A server whose URL the environment gives (DATABASE_URL, REDIS_URL, CACHE_URL) is not started.
    Start it from the main thread: the servers die when the thread that started them does.
    """

    def __init__(self, name: str) -> None:
        self.folder = PROJECT / "var" / name
        wanted: dict[str, Server] = {
            "DATABASE_URL": PostgreSQL(self.folder),
            "REDIS_URL": Valkey(self.folder / "broker", BROKER),
            "CACHE_URL": Valkey(self.folder / "cache", CACHE),
        }
        self.servers = {variable: server for variable, server in wanted.items() if not os.environ.get(variable)}
        self._launched: list[Server] = []

    def start(self, patience: float = 10) -> dict[str, str]:
        """Start the servers; returns the environment that the settings need.

        patience: seconds to wait for servers of an earlier run that are still on their way out.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        lock = self._lock(patience)
        try:
            for server in self.servers.values():
                server.launch(lock)
                self._launched.append(server)
            for server in self.servers.values():
                server.wait_ready()
        except BaseException:
            self.stop()
            raise
        finally:
            # From here on the servers alone hold it: it is free when the last of them is gone, however we ended.
            os.close(lock)
        return self.environment()

    def environment(self) -> dict[str, str]:
        """Environment variable → value, for the settings of every process of this installation."""
        return {
            **local_keys(self.folder),
            **{variable: server.url for variable, server in self.servers.items()},
        }

    def stop(self) -> None:
        """Stop every server that was started; harmless if there is none."""
        while self._launched:
            self._launched.pop().stop()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _lock(self, patience: float) -> int:
        """Take the folder; no second set of servers may ever write to it."""
        lock = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT, 0o600)
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    os.close(lock)
                    raise StackBusy(f"Another run uses {self.folder}.") from None
                time.sleep(0.05)
            else:
                return lock


class StackBusy(StackError):
    """Another run uses this folder; stop it, or take another name."""
