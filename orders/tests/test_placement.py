"""What an order takes, what it leaves alone, and what it answers."""

import hashlib
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.db.models import Sum
from django.db.models.functions import Now

from inventory import audit, availability, events, locks, stock
from inventory.ledger import Origin
from inventory.models import Allocation, Effect, Offer, SalesEvent, Sku, StockLevel, StockMovement
from orders import cancellation
from orders.intents import Intent, KeyReused, Outcome, Placed, Refused, WrongReservation
from orders.models import Order, OrderLine, Reservation
from orders.signals import order_refused
from orders.tests import buyers
from storefronts.models import Storefront

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def storefront(make_storefront: Callable[..., Storefront]) -> Storefront:
    return make_storefront("shop")


@pytest.fixture
def intent(storefront: Storefront) -> Callable[..., Intent]:
    def make(key: str, *lines: tuple[str, int], **fields: object) -> Intent:
        content = repr((sorted(lines), fields)).encode()
        return Intent(
            storefront_id=storefront.pk,
            actor="storefront:shop",
            key=key,
            fingerprint=hashlib.sha256(content).digest(),
            reference=f"ref-{key}",
            lines=tuple(sorted(lines)),
            **fields,  # type: ignore[arg-type]
        )

    return make


def place(*intents: Intent) -> list[Outcome]:
    return buyers.place(intents)


def body(outcome: Outcome) -> dict[str, Any]:
    assert isinstance(outcome, Placed), outcome
    answer: dict[str, Any] = json.loads(outcome.answer)
    return answer


def shortages(outcome: Outcome) -> list[tuple[str, int, int]]:
    assert isinstance(outcome, Refused), outcome
    return [(short.sku, short.requested, short.available) for short in outcome.shortages]


def rows() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Order, OrderLine, Allocation, StockMovement, Effect, Reservation))


def allocated(level: StockLevel) -> int:
    level.refresh_from_db()
    open_units = level.allocations.filter(state__in=Allocation.OPEN).aggregate(units=Sum("quantity"))["units"] or 0
    last = level.movements.order_by("-version").first()
    assert last
    assert (level.version, level.allocated, level.sellable) == (last.version, last.allocated_after, last.sellable_after)
    assert level.movements.count() == level.version
    assert open_units == level.allocated
    return level.allocated


def test_an_order_takes_its_units_and_writes_what_must_follow(make_level, intent):
    level = make_level("TEA", 5)
    answer = body(place(intent("k", ("TEA", 3)))[0])
    assert answer["lines"][0]["allocations"] == [{"supplier": level.supplier.slug, "quantity": 3}]
    assert answer["lines"][0]["version"] == Sku.objects.get(code="TEA").version
    assert answer["placed_at"].endswith("Z")
    assert allocated(level) == 3
    kinds = sorted(Effect.objects.values_list("kind", "target"))
    assert kinds == [("confirm", answer["number"]), ("invalidate", "TEA"), ("sync", str(level.pk))]


def test_a_refusal_names_every_short_line_and_moves_nothing(make_level, intent):
    make_level("TEA", 5)
    make_level("CUP", 1)
    before = rows()
    outcome = place(intent("k", ("TEA", 2), ("CUP", 2), ("GONE", 1)))[0]
    assert shortages(outcome) == [("CUP", 2, 1), ("GONE", 1, 0)]
    assert rows() == before


def test_a_refusal_under_the_lock_moves_nothing(make_level, intent):
    make_level("TEA", 5)
    first, second = place(intent("a", ("TEA", 4)), intent("b", ("TEA", 4)))
    body(first)
    assert shortages(second) == [("TEA", 4, 1)]
    assert rows() == (1, 1, 1, 2, 3, 0)


def test_a_refusal_carries_the_version_that_its_number_is_of(make_level, intent):
    make_level("TEA", 3)
    first, second, third = place(intent("a", ("TEA", 2)), intent("b", ("TEA", 2)), intent("c", ("TEA", 1)))
    versions = [body(outcome)["lines"][0]["version"] for outcome in (first, third)]
    assert isinstance(second, Refused)
    assert [(short.available, short.version) for short in second.shortages] == [(1, versions[0])]
    assert versions[1] == versions[0] + 1


def test_a_small_order_behind_a_refused_one_is_served(make_level, intent):
    make_level("TEA", 3)
    outcomes = place(intent("a", ("TEA", 2)), intent("b", ("TEA", 2)), intent("c", ("TEA", 1)))
    assert [type(outcome) for outcome in outcomes] == [Placed, Refused, Placed]


def test_orders_of_one_batch_have_rising_versions(make_level, intent):
    make_level("TEA", 3)
    before = Sku.objects.get().version
    outcomes = place(*(intent(key, ("TEA", 1)) for key in "abc"))
    assert [body(outcome)["lines"][0]["version"] for outcome in outcomes] == [before + 1, before + 2, before + 3]
    assert Sku.objects.get().version == before + 3


def test_levels_are_sold_by_priority_and_split(make_level, make_sku, intent):
    sku = make_sku("TEA")
    second = make_level(sku, 5, priority=20)
    first = make_level(sku, 2, priority=10)
    answer = body(place(intent("k", ("TEA", 4)))[0])
    assert answer["lines"][0]["allocations"] == [
        {"supplier": first.supplier.slug, "quantity": 2},
        {"supplier": second.supplier.slug, "quantity": 2},
    ]


def test_a_sku_that_must_not_be_split_is_served_by_one_level(make_level, make_sku, intent):
    sku = make_sku("TEA", splittable=False)
    make_level(sku, 2, priority=10)
    big = make_level(sku, 3, priority=20)
    assert shortages(place(intent("a", ("TEA", 4)))[0]) == [("TEA", 4, 3)]
    assert body(place(intent("b", ("TEA", 3)))[0])["lines"][0]["allocations"] == [
        {"supplier": big.supplier.slug, "quantity": 3}
    ]


@pytest.mark.parametrize(
    "closed",
    [
        {"safety_stock": 5},
        {"stop_selling": True},
        {"active": False},
    ],
)
def test_what_the_merchant_keeps_back_is_not_sold(make_level, make_sku, intent, closed):
    make_level(make_sku("TEA", **closed), 5)
    assert shortages(place(intent("k", ("TEA", 1)))[0]) == [("TEA", 1, 0)]


@pytest.mark.parametrize("closed", [{"enabled": False}, {"stop_selling": True}])
def test_a_switched_off_supplier_sells_nothing(make_level, make_supplier, intent, closed):
    make_level("TEA", 5, supplier=make_supplier(**closed))
    assert shortages(place(intent("k", ("TEA", 1)))[0]) == [("TEA", 1, 0)]


def test_a_pool_shared_by_two_skus_is_sold_once(make_level, make_sku, intent):
    level = make_level("TEA", 5)
    Offer.objects.create(sku=make_sku("GIFT"), level=level)
    assert shortages(place(intent("a", ("TEA", 3), ("GIFT", 3)))[0]) == [("TEA", 3, 2)]
    body(place(intent("b", ("TEA", 3)))[0])
    assert availability.read(["GIFT"])["GIFT"].available == 2


def test_the_same_key_gets_the_same_bytes_and_takes_nothing(make_level, intent):
    level = make_level("TEA", 5)
    first = place(intent("k", ("TEA", 3)))[0]
    again, within = place(intent("k", ("TEA", 3)), intent("k", ("TEA", 3)))
    assert isinstance(first, Placed)
    assert again == within == Placed(first.answer, repeated=True)
    assert allocated(level) == 3


def test_the_same_key_within_a_batch_is_one_order(make_level, intent):
    level = make_level("TEA", 5)
    first, same, other = place(intent("k", ("TEA", 2)), intent("k", ("TEA", 2)), intent("k", ("TEA", 1)))
    assert isinstance(first, Placed)
    assert same == Placed(first.answer, repeated=True)
    assert other == KeyReused()
    assert allocated(level) == 2


def test_a_key_used_for_another_body_is_refused(make_level, intent):
    make_level("TEA", 5)
    make_level("CUP", 5)
    place(intent("k", ("TEA", 1)))
    assert place(intent("k", ("CUP", 1))) == [KeyReused()]


def test_a_refusal_consumes_nothing(make_level, intent):
    level = make_level("TEA", 1)
    assert isinstance(place(intent("k", ("TEA", 2)))[0], Refused)
    StockLevel.objects.filter(pk=level.pk).update(sellable=2, reported=2)
    body(place(intent("k", ("TEA", 2)))[0])


def test_the_new_number_is_on_the_api_before_the_answer(make_level, intent):
    make_level("TEA", 5)
    assert availability.read(["TEA"])["TEA"].available == 5
    version = body(place(intent("k", ("TEA", 3)))[0])["lines"][0]["version"]
    answer = availability.read(["TEA"], min_version=version)["TEA"]
    assert (answer.available, answer.version, answer.status) == (2, version, "low_stock")


def test_a_lock_inside_a_transaction_is_refused(make_level, intent):
    make_level("TEA", 5)
    with pytest.raises(locks.LockInsideTransactionError), transaction.atomic():
        place(intent("k", ("TEA", 1)))
    assert not Order.objects.exists()


def test_a_cancel_gives_back_what_upstream_has_not_seen_once(make_level, intent, storefront):
    level = make_level("TEA", 5)
    number = body(place(intent("k", ("TEA", 3)))[0])["number"]
    for _ in range(2):
        order = cancellation.cancel_order(number, storefront_id=storefront.pk, origin=ORIGIN)
        assert order.status == "cancelled"
    assert allocated(level) == 0
    assert level.movements.filter(cause="release").count() == 1
    assert availability.read(["TEA"])["TEA"].available == 5


@pytest.mark.parametrize("state", ["sending", "confirmed"])
def test_a_cancel_of_what_upstream_may_know_waits_for_a_reading(make_level, intent, storefront, state):
    level = make_level("TEA", 5)
    number = body(place(intent("k", ("TEA", 3)))[0])["number"]
    Allocation.objects.update(state=state, lease_until=level.read_at, confirmed_at=level.read_at)
    cancellation.cancel_order(number, storefront_id=storefront.pk, origin=ORIGIN)
    assert allocated(level) == 3
    assert Allocation.objects.get().cancel_requested_at is not None
    assert Effect.objects.filter(kind="cancel", target=number, supplier=level.supplier).count() == 1


def test_a_hold_keeps_units_and_becomes_an_order_with_the_same_lines(make_level, intent):
    level = make_level("TEA", 5)
    hold = body(place(intent("h", ("TEA", 5), hold_seconds=60))[0])
    assert allocated(level) == 5
    assert shortages(place(intent("other", ("TEA", 1)))[0]) == [("TEA", 1, 0)]
    order = body(place(intent("k", ("TEA", 5), reservation=UUID(hold["id"])))[0])
    assert "reservation_expired" not in order
    assert allocated(level) == 5
    assert Reservation.objects.get().status == "converted"
    assert sorted(Allocation.objects.values_list("reference", "state")) == sorted(
        [(hold["id"], "released"), (order["number"], "committed")]
    )


def test_an_expired_hold_is_decided_anew_and_says_so(make_level, intent):
    level = make_level("TEA", 5)
    hold = body(place(intent("h", ("TEA", 5), hold_seconds=60))[0])
    expire(hold)
    assert body(place(intent("k", ("TEA", 5), reservation=UUID(hold["id"])))[0])["reservation_expired"] is True
    assert allocated(level) == 5


def test_an_expired_hold_frees_its_units_for_the_next_order(make_level, intent):
    level = make_level("TEA", 5)
    expire(body(place(intent("h", ("TEA", 5), hold_seconds=60))[0]))
    with transaction.atomic():
        assert stock.expire_due_holds() == ["TEA"]
    body(place(intent("k", ("TEA", 4)))[0])
    assert allocated(level) == 4


def test_an_order_with_other_lines_than_its_hold_is_refused(make_level, intent):
    make_level("TEA", 5)
    hold = body(place(intent("h", ("TEA", 5), hold_seconds=60))[0])
    before = rows()
    assert place(intent("k", ("TEA", 4), reservation=UUID(hold["id"]))) == [WrongReservation()]
    assert place(intent("l", ("TEA", 4), reservation=UUID(int=0))) == [WrongReservation()]
    assert rows() == before


def test_two_orders_of_one_batch_do_not_both_get_one_hold(intent, make_level):
    level = make_level("TEA", 6)
    hold = body(place(intent("h", ("TEA", 5), hold_seconds=60))[0])
    orders = [intent(key, ("TEA", 5), reservation=UUID(hold["id"])) for key in ("k", "l")]
    first, second = place(*orders)
    assert "reservation_expired" not in body(first)
    assert shortages(second) == [("TEA", 5, 1)]
    assert allocated(level) == 5
    assert list(audit.differences()) == []


def test_an_order_on_a_hold_that_its_batch_consumed_is_decided_anew(intent, make_level):
    level = make_level("TEA", 10)
    hold = body(place(intent("h", ("TEA", 5), hold_seconds=60))[0])
    first, second = place(*[intent(key, ("TEA", 5), reservation=UUID(hold["id"])) for key in ("k", "l")])
    assert "reservation_expired" not in body(first)
    assert body(second)["reservation_expired"] is True
    assert allocated(level) == 10
    assert list(audit.differences()) == []


def test_in_shortfall_a_hold_converts_only_as_far_as_it_is_sellable(make_level, intent):
    level = make_level("TEA", 5)
    hold = body(place(intent("h", ("TEA", 5), hold_seconds=60))[0])
    StockLevel.objects.filter(pk=level.pk).update(sellable=3)
    outcome = place(intent("k", ("TEA", 5), reservation=UUID(hold["id"])))[0]
    assert shortages(outcome) == [("TEA", 5, 3)]
    assert Reservation.objects.get().status == "held"
    assert Allocation.objects.get().state == "held"


def test_what_was_refused_is_told_for_whoever_reads_stock(make_level, intent):
    make_level("TEA", 1)
    told: list[str] = []

    def hear(codes: list[str], **_: object) -> None:
        told.extend(codes)

    order_refused.connect(hear)
    place(intent("a", ("TEA", 2), ("NONE", 1)), intent("b", ("TEA", 1)), intent("c", ("TEA", 1)))
    order_refused.disconnect(hear)
    assert sorted(told) == ["NONE", "TEA", "TEA"]


def start_event(**fields: object) -> None:
    """A sales event that runs now, for everything."""
    hour = timedelta(hours=1)
    event = SalesEvent.objects.create(name="Sale", starts_at=Now() - hour, ends_at=Now() + hour, **fields)
    events.switch_on(event.pk)


def test_an_event_holds_back_from_orders_and_holds_but_not_from_a_hold_made_before(make_level, intent):
    level = make_level("TEA", 8)
    hold = body(place(intent("h", ("TEA", 5), hold_seconds=60))[0])
    start_event(buffer_units=3)
    kept = intent("k", ("TEA", 5), reservation=UUID(hold["id"]))
    outcomes = place(intent("l", ("TEA", 1)), kept, intent("m", ("TEA", 1), hold_seconds=60))
    assert [type(outcome) for outcome in outcomes] == [Refused, Placed, Refused]
    assert shortages(outcomes[0]) == [("TEA", 1, 0)]
    assert allocated(level) == 5


def test_a_stop_acts_on_holds_too(make_level, intent):
    make_level("TEA", 8)
    hold = body(place(intent("h", ("TEA", 5), hold_seconds=60))[0])
    start_event(stop_selling=True)
    assert shortages(place(intent("k", ("TEA", 5), reservation=UUID(hold["id"])))[0]) == [("TEA", 5, 0)]
    assert Reservation.objects.get().status == "held"


def test_an_event_shortens_new_holds_and_the_answer_says_so(make_level, intent):
    make_level("TEA", 8)
    start_event(hold_seconds=20)
    hold = body(place(intent("h", ("TEA", 5), hold_seconds=600))[0])
    made = Reservation.objects.get()
    assert datetime.fromisoformat(hold["expires_at"]) == made.expires_at == Allocation.objects.get().expires_at
    assert made.expires_at - made.created_at < timedelta(seconds=21)


def expire(hold: dict[str, Any]) -> None:
    """Let the deadline of a hold pass."""
    past = StockLevel.objects.get().read_at
    Reservation.objects.filter(pk=hold["id"]).update(expires_at=past)
    Allocation.objects.filter(reference=hold["id"]).update(expires_at=past)


ORIGIN = Origin("storefront:shop", "request-1")
