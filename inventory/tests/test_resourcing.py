"""What a supplier refuses or calls off: moved to another, given up, or at risk until somebody has stock."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from django.db import IntegrityError, transaction

from inventory import claims, ledger, positions, resourcing, settlement
from inventory.ledger import Origin
from inventory.models import Allocation, Discrepancy, Effect, Sku, StockLevel, StockMovement
from inventory.settlement import Reading
from inventory.tests.ledgers import differences
from inventory.tests.promises import cancel, place
from inventory.tests.test_settlement import database_time
from suppliers.models import Supplier
from suppliers.readings import ConfirmResult, Outcome

pytestmark = pytest.mark.django_db(transaction=True)
ORIGIN = Origin(actor="test")


@pytest.fixture(autouse=True)
def conserved(db: None) -> Iterator[None]:
    yield
    assert differences() == []


@pytest.fixture
def first(make_supplier: Callable[..., Supplier]) -> Supplier:
    return make_supplier("first")


@pytest.fixture
def second(make_supplier: Callable[..., Supplier]) -> Supplier:
    return make_supplier("second")


@pytest.fixture
def tea(make_sku, make_level, first, second) -> Sku:
    """10 units at the first supplier, 4 at the second."""
    sku: Sku = make_sku("TEA")
    make_level(sku, 10, supplier=first, priority=10)
    make_level(sku, 4, supplier=second, priority=20)
    return sku


def answer(supplier: Supplier, told: str, outcome: Outcome, accepted: dict[str, int] | None = None) -> None:
    """The supplier is told of the order and answers."""
    claimed = claims.claim(supplier, told, lease_seconds=60)
    assert claimed
    claims.conclude(claimed, ConfirmResult(outcome, f"{supplier.slug}-{told}", accepted or {}, "they say"))


def refuse(supplier: Supplier, told: str) -> None:
    answer(supplier, told, Outcome.REJECTED_STOCK)


def parts(reference: str) -> list[tuple[str, str, int, int]]:
    """(supplier, state, units, units at risk)."""
    rows = Allocation.objects.filter(reference=reference).order_by("id")
    return list(rows.values_list("level__supplier__slug", "state", "quantity", "at_risk"))


def told_of() -> list[tuple[str, str]]:
    """(supplier, name) of every order that is still to be confirmed."""
    rows = Effect.objects.filter(kind="confirm", done_at=None).exclude(target="order-1", supplier__slug="first")
    return sorted(rows.values_list("supplier__slug", "target"))


def restock(supplier: Supplier, reported: int) -> None:
    """A reading that ends the cap of the supplier's level."""
    level = StockLevel.objects.get(supplier=supplier)
    StockLevel.objects.filter(pk=level.pk).update(capped_until=database_time())
    with transaction.atomic():
        settlement.absorb([Reading(level.pk, reported, database_time())], origin=ORIGIN)


def policy(supplier: Supplier, on_rejection: str) -> None:
    Supplier.objects.filter(pk=supplier.pk).update(on_rejection=on_rejection)


def test_a_refused_order_moves_to_the_next_supplier_in_the_transaction_that_loses_it(tea, first, second):
    place("order-1", {"TEA": 3})
    before = Sku.objects.get().version
    refuse(first, "order-1")
    assert parts("order-1") == [("first", "lost", 3, 0), ("second", "committed", 3, 0)]
    causes = list(StockMovement.objects.exclude(cause="reading").order_by("id").values_list("cause", "reference"))
    assert causes == [("allocate", "order-1"), ("rejection", "order-1"), ("resource", "order-1")]
    assert Sku.objects.get().version == before + 2
    assert told_of() == [("second", "order-1")]
    level = StockLevel.objects.get(supplier=second)
    assert Effect.objects.filter(kind="sync", target=str(level.pk)).exists()
    assert positions.load(["TEA"])["TEA"].available() == 1
    discrepancy = Discrepancy.objects.get()
    assert (discrepancy.state, discrepancy.resolution) == ("resolved", "3 TEA moved to second")
    answer(second, "order-1", Outcome.ACCEPTED)
    assert parts("order-1")[1] == ("second", "confirmed", 3, 0)


def test_without_the_move_the_buyer_gets_nothing(tea, first, monkeypatch):
    """Control: the refusal alone loses the line, although the second supplier has it."""
    monkeypatch.setattr(resourcing, "see_to", lambda *_: [])
    place("order-1", {"TEA": 3})
    refuse(first, "order-1")
    assert parts("order-1") == [("first", "lost", 3, 3)]


def test_what_nobody_has_is_at_risk_and_named(tea, first, second):
    place("order-1", {"TEA": 9})
    refuse(first, "order-1")
    assert parts("order-1") == [("first", "lost", 9, 5), ("second", "committed", 4, 0)]
    discrepancy = Discrepancy.objects.get()
    assert (discrepancy.kind, discrepancy.state, discrepancy.reference) == ("rejected", "open", "order-1")
    assert (discrepancy.evidence["order"], discrepancy.evidence["at_risk"]) == ("order-1", {"TEA": 5})


def test_only_the_refused_part_of_an_order_moves(tea, first):
    place("order-1", {"TEA": 5})
    level = StockLevel.objects.get(supplier=first)
    answer(first, "order-1", Outcome.PARTIAL, {level.external_id: 3})
    assert parts("order-1") == [
        ("first", "confirmed", 3, 0),
        ("first", "lost", 2, 0),
        ("second", "committed", 2, 0),
    ]


def test_a_move_may_use_the_safety_stock(tea, first):
    Sku.objects.update(safety_stock=4)
    place("order-1", {"TEA": 4})
    refuse(first, "order-1")
    assert parts("order-1")[1] == ("second", "committed", 4, 0)


def test_a_move_never_takes_what_the_level_has_not(make_level):
    """The ledger refuses it, whatever a decision says."""
    level = make_level("TEA", 2)
    with pytest.raises(IntegrityError, match="movement_no_oversell_by_move"), transaction.atomic():
        ledger.append([ledger.Movement(level.pk, 2, "resource", "order-1", (2, 2), (0, 3), 2)])


def test_what_must_not_be_split_moves_whole_or_not_at_all(tea, first):
    Sku.objects.update(splittable=False)
    place("order-1", {"TEA": 5})
    refuse(first, "order-1")
    assert parts("order-1") == [("first", "lost", 5, 5)]
    restock(first, 10)
    place("order-2", {"TEA": 4})
    refuse(first, "order-2")
    assert parts("order-2") == [("first", "lost", 4, 0), ("second", "committed", 4, 0)]


def test_what_must_not_be_split_is_not_split_by_a_partial_refusal(tea, first):
    Sku.objects.update(splittable=False)
    place("order-1", {"TEA": 5})
    level = StockLevel.objects.get(supplier=first)
    answer(first, "order-1", Outcome.PARTIAL, {level.external_id: 3})
    assert parts("order-1") == [("first", "confirmed", 3, 0), ("first", "lost", 2, 2)]
    policy(first, "backorder")
    restock(first, 10)
    assert resourcing.retry_waiting() == 1
    assert parts("order-1")[1:] == [("first", "lost", 2, 0), ("first", "committed", 2, 0)]


def test_an_order_moves_only_to_where_it_may_be_sent_from(tea, first, second):
    Supplier.objects.filter(pk=second.pk).update(ships_to="US")
    place("order-1", {"TEA": 3})
    Allocation.objects.update(destination="DE")
    refuse(first, "order-1")
    assert parts("order-1") == [("first", "lost", 3, 3)]
    Supplier.objects.filter(pk=second.pk).update(ships_to="DE US")
    resourcing.retry("order-1")
    assert parts("order-1")[1] == ("second", "committed", 3, 0)
    assert Allocation.objects.get(level__supplier=second).destination == "DE"


def test_what_comes_in_lots_moves_in_lots(tea, first, second):
    StockLevel.objects.filter(supplier=second).update(lot=3)
    place("order-1", {"TEA": 5})
    refuse(first, "order-1")
    assert parts("order-1") == [("first", "lost", 5, 2), ("second", "committed", 3, 0)]


@pytest.mark.parametrize("closed", [{"stop_selling": True}, {"active": False}])
def test_what_is_not_sold_any_more_takes_nothing_over(tea, first, closed):
    place("order-1", {"TEA": 3})
    Sku.objects.update(**closed)
    refuse(first, "order-1")
    assert parts("order-1") == [("first", "lost", 3, 3)]


def test_a_refusal_for_another_reason_moves_the_order_and_waits_for_a_person(tea, first):
    place("order-1", {"TEA": 3})
    answer(first, "order-1", Outcome.REJECTED_OTHER)
    assert parts("order-1")[1] == ("second", "committed", 3, 0)
    assert Discrepancy.objects.get().state == "open"


def test_who_refused_for_another_reason_is_not_asked_again(tea, first, second):
    policy(first, "backorder")
    place("order-1", {"TEA": 9})
    answer(first, "order-1", Outcome.REJECTED_OTHER)
    assert parts("order-1") == [("first", "lost", 9, 5), ("second", "committed", 4, 0)]
    resourcing.retry_waiting()
    assert parts("order-1") == [("first", "lost", 9, 5), ("second", "committed", 4, 0)]


def test_a_supplier_that_knows_the_order_is_told_of_the_rest_by_another_name(tea, make_sku, make_level, first, second):
    make_level(make_sku("CUP"), 4, supplier=second)
    place("order-1", {"TEA": 3, "CUP": 1})
    answer(second, "order-1", Outcome.ACCEPTED)
    Effect.objects.filter(target="order-1", supplier=second).update(done_at=database_time())
    refuse(first, "order-1")
    assert told_of() == [("second", "order-1.2")]
    claimed = claims.claim(second, "order-1.2", lease_seconds=60)
    assert claimed
    assert (claimed.request.reference, [line.quantity for line in claimed.request.lines]) == ("order-1.2", [3])
    claims.conclude(claimed, ConfirmResult(Outcome.ACCEPTED, "second-2"))
    cancel("order-1")
    cancels = Effect.objects.filter(kind="cancel").order_by("target").values_list("supplier__slug", "target")
    assert list(cancels) == [("second", "order-1"), ("second", "order-1.2")]


def test_an_order_that_two_suppliers_refuse_is_at_risk(tea, first, second):
    place("order-1", {"TEA": 3})
    refuse(first, "order-1")
    refuse(second, "order-1")
    assert parts("order-1") == [("first", "lost", 3, 0), ("second", "lost", 3, 3)]
    assert list(Discrepancy.objects.filter(state="open").values_list("supplier__slug", flat=True)) == ["second"]


def test_policy_cancel_gives_the_units_up(tea, first):
    policy(first, "cancel")
    place("order-1", {"TEA": 3})
    refuse(first, "order-1")
    assert parts("order-1") == [("first", "lost", 3, 0)]
    discrepancy = Discrepancy.objects.get()
    assert (discrepancy.state, discrepancy.resolution) == ("resolved", "3 given up, as the supplier's policy says")


def test_a_backorder_is_served_when_stock_comes_and_a_resource_waits_for_a_person(tea, make_level, first, second):
    policy(first, "backorder")
    place("order-1", {"TEA": 7})
    refuse(first, "order-1")
    assert parts("order-1") == [("first", "lost", 7, 3), ("second", "committed", 4, 0)]
    assert resourcing.retry_waiting() == 0
    restock(first, 2)
    assert resourcing.retry_waiting() == 1
    assert parts("order-1")[2:] == [("first", "committed", 2, 0)]
    assert Discrepancy.objects.get().evidence["at_risk"] == {"TEA": 1}
    policy(first, "resource")
    make_level(tea, 5)
    assert resourcing.retry_waiting() == 0
    resourcing.retry("order-1")
    assert parts("order-1")[0] == ("first", "lost", 7, 0)
    assert Discrepancy.objects.get().state == "resolved"
    answer(first, "order-1.2", Outcome.ACCEPTED)


def test_backorders_are_served_first_come_first_served(tea, first, second):
    policy(first, "backorder")
    StockLevel.objects.filter(supplier=second).update(read_at=None)
    place("order-1", {"TEA": 2})
    place("order-2", {"TEA": 2})
    refuse(first, "order-2")
    refuse(first, "order-1")
    restock(first, 3)
    resourcing.retry_waiting()
    assert [part[3] for part in (parts("order-1")[0], parts("order-2")[0])] == [0, 1]


@pytest.mark.parametrize("state", ["confirmed", "settled"])
def test_what_a_supplier_calls_off_later_moves_too(tea, first, state):
    place("order-1", {"TEA": 3})
    answer(first, "order-1", Outcome.ACCEPTED)
    if state == "settled":
        Allocation.objects.update(confirmed_at="2020-01-01T00:00:00Z")
        restock(first, 7)
    taken = claims.find(first, "order-1", [state])
    assert taken
    for _ in range(2):
        claims.conclude(taken, ConfirmResult(Outcome.LOST, detail="called off"))
    assert parts("order-1") == [("first", "lost", 3, 0), ("second", "committed", 3, 0)]
    found = Discrepancy.objects.filter(kind="lost").earliest("id")
    assert (found.state, found.resolution) == ("resolved", "3 TEA moved to second")


def test_a_cancelled_order_moves_nowhere(tea, first):
    place("order-1", {"TEA": 3})
    claimed = claims.claim(first, "order-1", lease_seconds=60)
    assert claimed
    cancel("order-1")
    claims.conclude(claimed, ConfirmResult(Outcome.REJECTED_STOCK))
    assert parts("order-1") == [("first", "lost", 3, 0)]


def test_a_cancel_of_what_is_at_risk_ends_the_wait(tea, first):
    policy(first, "backorder")
    place("order-1", {"TEA": 9})
    refuse(first, "order-1")
    cancel("order-1")
    assert parts("order-1") == [("first", "lost", 9, 0), ("second", "released", 4, 0)]
    restock(first, 10)
    assert resourcing.retry_waiting() == 0
    discrepancy = Discrepancy.objects.get()
    assert (discrepancy.state, discrepancy.resolution) == ("resolved", "the order was cancelled")


def test_a_repeated_refusal_moves_nothing_twice(tea, first):
    place("order-1", {"TEA": 3})
    claimed = claims.claim(first, "order-1", lease_seconds=60)
    assert claimed
    for _ in range(2):
        claims.conclude(claimed, ConfirmResult(Outcome.REJECTED_STOCK))
    assert parts("order-1") == [("first", "lost", 3, 0), ("second", "committed", 3, 0)]


def test_the_hold_of_a_capped_level_is_respected(tea, first):
    """Else a supplier that reports stock and refuses it would be asked again every few seconds."""
    policy(first, "backorder")
    place("order-1", {"TEA": 9})
    refuse(first, "order-1")
    level = StockLevel.objects.get(supplier=first)
    with transaction.atomic():
        settlement.absorb([Reading(level.pk, 10, database_time())], origin=ORIGIN)
    assert resourcing.retry_waiting() == 0
    assert level.capped_until is not None
    assert level.capped_until - database_time() > timedelta(seconds=100)
