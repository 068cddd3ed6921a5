"""The pytest plugin: real servers before the settings load, shared fixtures after; see pytest.ini."""

import os
from collections.abc import Generator

import pytest

from inventory_project.localstack import LocalStack, StackBusy

STACK = pytest.StashKey[LocalStack]()
RUNS_AT_ONCE = 8  # of one checkout; each has its own servers


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Start the servers.  A wrapper, because pytest-django reads the settings in this very hook.

    Servers that do not start end the run: no test is skipped for want of them.
    """
    stack = start_stack()
    early_config.add_cleanup(stack.stop)
    early_config.stash[STACK] = stack
    result = yield
    early_config.pluginmanager.import_plugin("inventory_project.fixtures")
    return result


def start_stack() -> LocalStack:
    """Start the servers in var/test, or beside it if another run is in there; put their URLs into our environment."""
    for number in range(1, RUNS_AT_ONCE + 1):
        stack = LocalStack("test" if number == 1 else f"test-{number}")
        try:
            environment = stack.start(patience=2)
        except StackBusy:
            continue
        os.environ.update(environment)
        # More threads than a web process has share the pool of a test.
        os.environ.setdefault("DATABASE_POOL_MAX", "64")
        return stack
    pytest.exit(
        f"{RUNS_AT_ONCE} test runs of this checkout are under way; stop one.", returncode=pytest.ExitCode.USAGE_ERROR
    )
