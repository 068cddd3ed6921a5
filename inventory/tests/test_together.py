"""Reads of one moment share one call, and none is answered with what was read before it asked."""

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from inventory.together import Together

CALLERS = 8

Asked = Future[int | None]


class Store:
    """Values by key.  The first call waits until `go` is set; `calls` are the keys that each asked for."""

    def __init__(self) -> None:
        self.values: dict[str, int] = {"TEA": 1}
        self.calls: list[list[str]] = []
        self.entered, self.go = threading.Event(), threading.Event()
        self.fails = False

    def read(self, keys: Iterable[str]) -> Mapping[str, int]:
        self.calls.append(sorted(keys))
        found = {key: self.values[key] for key in self.calls[-1] if key in self.values}
        if len(self.calls) == 1:
            self.entered.set()
            assert self.go.wait(10)
        if self.fails:
            raise ConnectionError("the store is away")
        return found


def wait_for(condition: Callable[[], bool]) -> None:
    pause = threading.Event()
    for _ in range(1000):
        if condition():
            return
        pause.wait(0.01)
    pytest.fail("nobody came")


def behind_the_first(store: Store, together: Together[int], keys: list[str]) -> tuple[Asked, list[Asked]]:
    """One caller whose call is under way, and others who wait behind it."""
    pool = ThreadPoolExecutor(CALLERS + 1)
    first = pool.submit(together.get, "TEA")
    assert store.entered.wait(10)
    others = [pool.submit(together.get, key) for key in keys]
    wait_for(lambda: len(together._waiting) == len(keys))
    pool.shutdown(wait=False)
    return first, others


def test_who_comes_during_a_call_shares_the_next_one():
    store = Store()
    first, others = behind_the_first(store, together := Together(store.read), ["TEA", "MUG"] * (CALLERS // 2))
    store.values["MUG"] = 5
    store.go.set()
    assert first.result(10) == 1
    assert [other.result(10) for other in others] == [1, 5] * (CALLERS // 2)
    assert store.calls == [["TEA"], ["MUG", "TEA"]]
    assert together.get("NONE") is None  # and whoever comes when all is quiet reads at once


def test_nobody_gets_a_value_that_was_read_before_he_asked():
    store = Store()
    first, others = behind_the_first(store, Together(store.read), ["TEA"] * CALLERS)
    store.values["TEA"] = 2  # the call under way has read 1 already
    store.go.set()
    assert first.result(10) == 1
    assert {other.result(10) for other in others} == {2}


def test_a_call_that_fails_leaves_nobody_waiting():
    store = Store()
    store.fails = True
    first, others = behind_the_first(store, together := Together(store.read), ["TEA"] * CALLERS)
    store.go.set()
    assert isinstance(first.exception(10), ConnectionError)
    answers = [other.exception(10) or other.result() for other in others]
    assert sum(isinstance(answer, ConnectionError) for answer in answers) == 1  # who read for the others
    assert answers.count(None) == CALLERS - 1
    store.fails = False
    assert together.get("TEA") == 1
