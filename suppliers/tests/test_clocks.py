"""How far a supplier's clock is ahead: never less than it is."""

import itertools
import time

import pytest
from django.utils.http import http_date

from suppliers import clocks
from suppliers.shared_state import SharedState
from suppliers.tests.upstream import always, reply, running_upstream

numbers = itertools.count(1)
SENT = 1_700_000_000.4


@pytest.fixture
def name() -> str:
    return f"clock-{next(numbers)}"


@pytest.mark.parametrize("ahead", [-900, 0, 900])
@pytest.mark.parametrize("took", [0.0, 5.0])
def test_the_bound_is_never_below_the_truth(ahead, took):
    """Whenever in the request upstream wrote its Date, and although that is cut to whole seconds."""
    for moment in (SENT, SENT + took / 2, SENT + took):
        bound = clocks.bound({"Date": http_date(int(moment + ahead))}, SENT)
        assert bound is not None
        assert ahead <= bound <= ahead + took + 1


def test_an_answer_out_of_a_cache_tells_when_it_was_written():
    bound = clocks.bound({"Date": http_date(int(SENT) - 600), "Age": "600"}, SENT)
    assert bound is not None
    assert 0 <= bound <= 2


@pytest.mark.parametrize("headers", [{}, {"Date": "soon"}, {"Date": http_date(SENT), "Age": "old"}])
def test_an_answer_may_tell_nothing(headers):
    assert clocks.bound(headers, SENT) is None


def test_the_largest_bound_counts(name):
    assert clocks.ahead_of_ours(name) is None
    for ahead in (10, 300, 20):
        clocks.learn(name, {"Date": http_date(int(SENT) + ahead)}, SENT)
    assert clocks.ahead_of_ours(name) == pytest.approx(300.6, abs=0.01)


def test_without_redis_nothing_is_known(name, monkeypatch):
    away = SharedState("redis://127.0.0.1:1/0")
    monkeypatch.setattr("suppliers.shared_state.shared_state_at", lambda _: away)
    clocks.learn(name, {"Date": http_date(SENT)}, SENT)
    assert clocks.ahead_of_ours(name) is None


def test_every_answer_teaches(make_gateway):
    slug = f"clock-{next(numbers)}"
    fast = reply({"items": []}, Date=http_date(time.time() + 900))
    with running_upstream(always(fast)) as upstream:
        make_gateway(upstream, slug=slug).probe()
    assert clocks.ahead_of_ours(slug) == pytest.approx(900, abs=5)
