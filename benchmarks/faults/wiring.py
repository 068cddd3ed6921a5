"""The servers of one installation, with proxies between them and everybody who talks to them."""

import os
import signal
from contextlib import suppress
from pathlib import Path

import redis

from benchmarks.faults.proxy import Address, Loop, Proxy
from benchmarks.polling import wait_for
from inventory_project.localstack import LocalStack
from inventory_project.localstack.postgresql import DATABASE, PostgreSQL
from inventory_project.localstack.processes import free_port
from inventory_project.localstack.valkey import Valkey

# Who talks through proxies of its own: web processes, worker and beat; and we, whom nothing disturbs.
SIDES = ("web", "work", "books")
SERVERS = {"database": "DATABASE_URL", "locks": "REDIS_URL", "cache": "CACHE_URL"}


class Wiring:
    """Proxies, by "side-server", and the one to the supplier.  The servers of the stack run already."""

    def __init__(self, stack: LocalStack, seed: int) -> None:
        self.stack = stack
        self.wire = Loop()
        self.supplier_port = free_port()
        self.proxies = {
            f"{side}-{name}": Proxy(self.wire, self._address(name), seed) for side in SIDES for name in SERVERS
        }
        self.proxies["supplier"] = Proxy(self.wire, ("127.0.0.1", self.supplier_port), seed)
        # Servers that are started again hold the folder open, as those of the stack hold its lock.
        self._folder = os.open(stack.folder, os.O_RDONLY)

    def stop(self) -> None:
        self.wire.stop()
        os.close(self._folder)

    def urls(self, side: str) -> dict[str, str]:
        """The settings of a process on this side."""
        ports = {name: self.proxies[f"{side}-{name}"].port for name in SERVERS}
        return {
            "DATABASE_URL": f"postgres://postgres@127.0.0.1:{ports['database']}/{DATABASE}",
            "REDIS_URL": f"redis://127.0.0.1:{ports['locks']}/0",
            "CACHE_URL": f"redis://127.0.0.1:{ports['cache']}/0",
        }

    def kill_server(self, name: str) -> None:
        """SIGKILL it with all its children."""
        process = self._server(name).process
        children = children_of(process.pid)
        for pid in (process.pid, *children):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()
        # Two sets of PostgreSQL's processes must never share the data.
        wait_for(lambda: not any(map(is_alive, children)), 10, f"the end of {name}")

    def revive_server(self, name: str, *, empty: bool = False) -> None:
        """Start it again, on another port; the proxies follow.  empty: a Redis has forgotten everything."""
        server = self._server(name)
        if empty:
            for file in (server.folder / "appendonlydir").glob("*"):
                file.unlink()
        server.launch(self._folder)
        server.wait_ready()
        for side in SIDES:
            self.proxies[f"{side}-{name}"].upstream = self._address(name)

    def redis(self, name: str) -> "redis.Redis":
        """A client past the proxies."""
        return redis.Redis.from_url(self._server(name).url, socket_timeout=5)

    def _address(self, name: str) -> Address:
        return "127.0.0.1", self._server(name).port

    def _server(self, name: str) -> PostgreSQL | Valkey:
        server = self.stack.servers[SERVERS[name]]
        assert isinstance(server, PostgreSQL | Valkey)
        return server


def children_of(pid: int) -> list[int]:
    """Processes whose parent this is (Linux)."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def is_alive(pid: int) -> bool:
    """Does it run?  A zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
