"""Expressions typed by a person: each ends soon, whatever it meets."""

import re
import time

import pytest

from suppliers.adapters.expressions import compile_path
from suppliers.adapters.searching import TEXT_CHARACTERS, compile_search, search
from suppliers.errors import NotConfigured

HANGS = r"(a+)+$"


def test_an_unbounded_pattern_hangs():
    """The control, short enough to end: four more characters take some sixteen times as long."""

    def seconds(length: int) -> float:
        start = time.perf_counter()
        re.search(HANGS, "a" * length + "!")
        return time.perf_counter() - start

    assert seconds(20) > 4 * seconds(16)


@pytest.mark.parametrize(
    "pattern",
    [
        HANGS,
        r"(a|a)*b",
        r"a|b",
        r"(\d+)\1",
        r"(?=a)b",
        r"\d+\d+\d+",
        r"a?a?a?a?a?a?a?",
        r"(?P<n>a)",
        r"(a)(b)",
        "[",
        "(",
    ],
)
def test_what_could_hang_or_is_no_pattern_is_refused(pattern: str):
    with pytest.raises(NotConfigured):
        compile_search(pattern)


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        (r"for (\d+) more", "This ban will last for 31062 more seconds", "31062"),
        (r"^retry in ([0-9.]+)\s?s$", "retry in 2.5 s", "2.5"),
        (r"\d+", "wait 7", "7"),
        (r"\[(\d{1,3})\]", "[12]", "12"),
        (r"(\d+) seconds", "soon", None),
    ],
)
def test_plain_patterns_find(pattern: str, text: str, found: str | None):
    assert search(compile_search(pattern), text) == found


@pytest.mark.parametrize("pattern", [r".*.*x", r"[^x]*(\d*)x", r"a?a?a?a?.*.*x"])
def test_the_worst_that_is_allowed_ends_at_once(pattern: str):
    compiled = compile_search(pattern)
    start = time.process_time()
    assert search(compiled, "a" * (TEXT_CHARACTERS + 1000)) is None
    assert time.process_time() - start < 2


@pytest.mark.parametrize("text", ["|".join(["[@, @]"] * 40), "(" * 900 + "a" + ")" * 900, "a[?", "a."])
def test_expressions_that_grow_without_end_or_are_none_are_refused(text: str):
    with pytest.raises(NotConfigured):
        compile_path(text)


def test_an_expression_may_list_a_few_values():
    assert compile_path("sum([a, b || `0`])")({"a": 2, "b": None}) == 2
