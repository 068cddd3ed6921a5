"""The local stack as processes: nothing outlives us, nothing is shared, everything is kept."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import psycopg
import pytest
import redis

from inventory_project.localstack import LocalStack, StackBusy, StackError
from inventory_project.localstack.keys import keep
from inventory_project.localstack.postgresql import is_open_to_all
from inventory_project.localstack.processes import free_port
from inventory_project.localstack.valkey import CACHE, Valkey

PROJECT = Path(__file__).resolve().parent.parent.parent
# Starts a stack, says where it is, and waits to be killed.
VICTIM = """
import json, sys, signal
from inventory_project.localstack import LocalStack
stack = LocalStack(sys.argv[1])
print(json.dumps({**stack.start(), "pids": [server.process.pid for server in stack.servers.values()]}), flush=True)
signal.pause()
"""


@pytest.fixture
def name(monkeypatch):
    """A folder of its own in var/, and no server from outside."""
    for variable in ("DATABASE_URL", "REDIS_URL", "CACHE_URL", "SECRET_KEY", "CREDENTIAL_KEYS"):
        monkeypatch.delenv(variable)
    name = f"test-localstack-{os.getpid()}"
    yield name
    shutil.rmtree(PROJECT / "var" / name)


def test_the_second_start_finds_what_the_first_left(name):
    with LocalStack(name) as stack:
        first = stack.environment()
        with psycopg.connect(first["DATABASE_URL"]) as database:
            database.execute("CREATE TABLE kept AS SELECT 1")
        redis.Redis.from_url(first["REDIS_URL"]).set("kept", 1)
        redis.Redis.from_url(first["CACHE_URL"]).set("lost", 1)
    with LocalStack(name) as stack:
        second = stack.environment()
        with psycopg.connect(second["DATABASE_URL"]) as database:
            assert database.execute("SELECT * FROM kept").fetchall() == [(1,)]
        assert redis.Redis.from_url(second["REDIS_URL"]).get("kept") == b"1"
        assert redis.Redis.from_url(second["CACHE_URL"]).dbsize() == 0
    assert [second[key] for key in ("SECRET_KEY", "CREDENTIAL_KEYS")] == [
        first[key] for key in ("SECRET_KEY", "CREDENTIAL_KEYS")
    ]


def test_a_killed_parent_leaves_nothing_and_the_next_start_finds_the_folder_free(name):
    victim = subprocess.Popen([sys.executable, "-c", VICTIM, name], stdout=subprocess.PIPE, cwd=PROJECT)
    assert victim.stdout is not None
    assert victim.stdout.readline()
    with pytest.raises(StackBusy):
        LocalStack(name).start(patience=0)
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    victim.stdout.close()
    # The lock is held by the servers themselves: that we get it proves that the old ones are gone.
    with LocalStack(name) as stack:
        assert stack.servers


def test_a_server_from_outside_is_not_started(name, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere:6379/0")
    assert set(LocalStack(name).servers) == {"DATABASE_URL", "CACHE_URL"}
    (PROJECT / "var" / name).mkdir()


def test_a_server_that_does_not_start_says_why_and_takes_the_others_with_it(name, tmp_path):
    stack = LocalStack(name)
    broken = Valkey(tmp_path, {**CACHE, "no-such-setting": "1"})
    stack.servers["CACHE_URL"] = broken
    with pytest.raises(StackError, match="no-such-setting"):
        stack.start()
    with LocalStack(name) as again:
        assert again.environment()["CACHE_URL"] != broken.url


def test_keys_are_for_our_eyes_only(tmp_path):
    path = tmp_path / "key"
    assert keep(path, lambda: "made") == keep(path, lambda: "not made again") == "made"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_folder_below_a_closed_one_is_not_open_to_nobody():
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        folder = Path(name) / "inside"
        for mode, is_open in ((0o755, True), (0o700, False)):
            folder.parent.chmod(mode)
            assert is_open_to_all(folder) is is_open


def test_free_ports_differ():
    assert len({free_port() for _ in range(20)}) > 1
