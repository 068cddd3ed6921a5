"""A supplier's day: counted over all processes, kept for orders at its end, begun anew by the supplier's clock."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, connections

from suppliers.adapters.limits import Limits
from suppliers.errors import QuotaExhausted
from suppliers.importance import for_an_order
from suppliers.models import DailyUse
from suppliers.quota import Quota
from suppliers.readings import ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.tests.upstream import always, reply, running_upstream

pytestmark = pytest.mark.django_db

numbers = itertools.count(1)
GOOD = reply({"items": [{"id": 1, "sku": "A", "stock": 3}], "id": 7})
CONFIRM = {"request": {"method": "POST", "path": "/orders"}, "accepted": "id"}
ORDER = ConfirmRequest("H-1", [ConfirmLine(Ref("1", "A"), 1)])


@pytest.fixture
def name() -> str:
    return f"daily-{next(numbers)}"


def test_a_used_up_day_stops_snapshots_and_lets_orders_through(make_gateway, name):
    limits = {"daily_calls": 4, "daily_reserve": 0.5}
    with running_upstream(always(GOOD)) as upstream:
        gateway = make_gateway(upstream, slug=name, limits=limits, confirm=CONFIRM)
        for _ in range(2):
            next(gateway.snapshot())
        with pytest.raises(QuotaExhausted, match=r"2 of 4 calls used, 2 kept for orders; anew at 2\d{3}-"):
            next(gateway.snapshot())
        assert gateway.confirm(ORDER).outcome is Outcome.ACCEPTED
        assert gateway.confirm(ORDER).outcome is Outcome.ACCEPTED
        with pytest.raises(QuotaExhausted, match="4 of 4") as caught:
            gateway.confirm(ORDER)
        assert gateway.allowance().left == 0
    assert len(upstream.seen) == 4  # what was refused never left
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 86_400


def test_a_supplier_without_a_daily_limit_is_not_counted(make_gateway, name):
    with running_upstream(always(GOOD)) as upstream:
        gateway = make_gateway(upstream, slug=name)
        next(gateway.snapshot())
        assert gateway.today() is None
    assert not DailyUse.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_many_at_once_never_take_more_than_there_are(name):
    quota = Quota(name, Limits(daily_calls=20, daily_reserve=0))

    def take(_: int) -> bool:
        try:
            quota.take()
        except QuotaExhausted:
            return False
        finally:
            connections.close_all()
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(take, range(60))) == 20
    assert DailyUse.objects.get(supplier=name).calls == 20


def now_in(zone: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_char(clock_timestamp() AT TIME ZONE %s, 'HH24:MI')", [zone])
        return str(cursor.fetchone()[0])


def test_a_day_begins_when_the_supplier_says(name):
    """A reset at this very minute has just been, and the next one is a day away."""
    zone = "Asia/Shanghai"
    limits = Limits(daily_calls=1, daily_reserve=0, daily_timezone=zone, daily_reset=now_in(zone))
    today = Quota(name, limits).today()
    assert today is not None
    assert 86_400 - 120 < today.seconds <= 86_400
    Quota(name, limits).take()
    DailyUse.objects.update(day=DailyUse.objects.get().day.replace(year=2020))
    Quota(name, limits).take()  # what was used in another day does not count


def test_all_of_it_may_be_kept_for_orders(name):
    quota = Quota(name, Limits(daily_calls=1, daily_reserve=1))
    with pytest.raises(QuotaExhausted):
        quota.take()
    with for_an_order():
        quota.take()
