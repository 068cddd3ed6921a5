"""How far a supplier's clock is ahead: never less than it is."""

import itertools
import time

import pytest
from django.utils.http import http_date

from suppliers import clocks
from suppliers.errors import AuthExpired
from suppliers.readings import ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.shared_state import SharedState
from suppliers.tests.upstream import Seen, always, reply, running_upstream

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


def test_the_likeliest_offset_is_the_median_of_what_answers_said(name):
    """One that took long, and one with a wrong Date, do not count."""
    sent = time.time()
    for ahead in (900, 901, 899, 900, 5_000, -86_400, 900):
        clocks.learn(name, {"Date": http_date(int(sent + ahead))}, sent)
    assert clocks.offset(name) == pytest.approx(900, abs=2)


def test_a_small_offset_is_noise(name):
    clocks.learn(name, {"Date": http_date(time.time() + 2)}, time.time())
    assert clocks.offset(name) == 0


class Strict:
    """Accepts only what is signed within 30 s of its own clock, and says what that is."""

    def __init__(self, ahead: float, refusal: int) -> None:
        self.ahead, self.refusal = ahead, refusal
        self.refused = 0

    def __call__(self, request: Seen) -> bytes:
        now = time.time() + self.ahead
        if abs(float(request.headers["x-ts"]) - now) > 30:
            self.refused += 1
            return reply({"error": "expired"}, status=self.refusal, Date=http_date(now))
        return reply({"items": [{"id": 1, "sku": "A", "stock": 3}], "id": 7}, Date=http_date(now))


AUTH = {
    "type": "hmac",
    "algorithm": "sha256",
    "secret": "$secret.token",
    "canonical": "$timestamp",
    "in": "header",
    "name": "X-Sign",
    "timestamp": {"in": "header", "name": "X-Ts"},
}
CONFIRM = {"request": {"method": "POST", "path": "/orders"}, "accepted": "id"}
ORDER = ConfirmRequest("H-1", [ConfirmLine(Ref("1", "A"), 1)])


@pytest.mark.parametrize("refusal", [401, 403])
def test_what_is_refused_for_its_time_is_sent_once_more_by_the_suppliers_clock(make_gateway, name, refusal):
    strict = Strict(900, refusal)
    with running_upstream(strict) as upstream:
        gateway = make_gateway(upstream, slug=name, auth=AUTH, confirm=CONFIRM)
        assert gateway.confirm(ORDER).outcome is Outcome.ACCEPTED
        assert strict.refused == 1
        assert next(make_gateway(upstream, slug=name, auth=AUTH).snapshot())
    assert strict.refused == 1  # known from now on
    assert len(upstream.seen) == 3


def test_what_is_refused_by_the_right_clock_is_not_sent_again(make_gateway, name):
    """The control: another reason than the time."""
    refusal = always(reply(status=401, Date=http_date(time.time())))
    with running_upstream(refusal) as upstream, pytest.raises(AuthExpired):
        next(make_gateway(upstream, slug=name, auth=AUTH).snapshot())
    assert len(upstream.seen) == 1


def test_a_clock_that_is_corrected_and_still_refused_is_an_error(make_gateway, name):
    refusal = always(reply(status=401, Date=http_date(time.time() + 900)))
    with running_upstream(refusal) as upstream, pytest.raises(AuthExpired):
        next(make_gateway(upstream, slug=name, auth=AUTH).snapshot())
    assert len(upstream.seen) == 2


def test_who_signs_nothing_is_sent_once(make_gateway, name):
    refusal = always(reply(status=401, Date=http_date(time.time() + 900)))
    with running_upstream(refusal) as upstream, pytest.raises(AuthExpired):
        next(make_gateway(upstream, slug=name).snapshot())
    assert len(upstream.seen) == 1
