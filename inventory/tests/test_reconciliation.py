"""Our orders at a real HTTP server with a hidden ledger: what it took must be what we think it took."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.db import connection

from inventory import claims, positions, reconciliation, snapshots
from inventory.models import Allocation, Discrepancy, Effect, StockLevel
from inventory.tests.ledgers import differences
from inventory.tests.promises import cancel, make_due, open_effects, pass_time, place, states
from suppliers import adapters, credentials, gateway
from suppliers.errors import UpstreamTimeout
from suppliers.models import Supplier
from suppliers.readings import Capability, ConfirmRequest, ConfirmResult
from suppliers.simulator.configuration import rest_config
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier

pytestmark = pytest.mark.django_db(transaction=True)
SKU = "SKU-000001"
STOCK = 10


@pytest.fixture
def chaos() -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(rows=2, stock=STOCK) as running:
        yield running
        assert running.audit()["duplicates"] == {}
        assert differences() == []


@pytest.fixture
def connect(make_supplier, make_level, settings) -> Callable[[RunningChaosSupplier], Supplier]:
    """A chaos supplier's rows, read and offered."""
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]

    def connected(chaos: RunningChaosSupplier) -> Supplier:
        config = rest_config(chaos.url, chaos.dialect)
        config["limits"] |= {"total_seconds": 2, "read_seconds": 2, "breaker_failures": 50}
        supplier: Supplier = make_supplier(config=config, credentials=credentials.seal({"token": chaos.token}))
        for number in (1, 2):
            make_level(f"SKU-00000{number}", STOCK, supplier=supplier, external_id=f"r000000{number}", location="main")
        return supplier

    return connected


@pytest.fixture
def supplier(chaos, connect):
    return connect(chaos)


def without(supplier: Supplier, part: str) -> None:
    """Take a capability from the supplier."""
    del supplier.config[part]
    supplier.save()


def sold(chaos: RunningChaosSupplier) -> int:
    return chaos.truth(SKU)[SKU]["sold"]


def available() -> int:
    return positions.load([SKU])[SKU].available()


def confirm(supplier: Supplier) -> None:
    make_due("confirm")
    reconciliation.confirm_due(supplier.pk)


def sync(supplier: Supplier) -> None:
    make_due("sync")
    snapshots.sync_due(supplier.pk)


def test_upstream_learns_of_an_order_once(supplier, chaos):
    place("order-1", {SKU: 3, "SKU-000002": 1})
    confirm(supplier)
    confirm(supplier)
    assert states("order-1") == [("confirmed", 3), ("confirmed", 1)]
    assert [sale["ref"] for sale in chaos.audit()["sales"]] == ["order-1"]
    assert (sold(chaos), open_effects("confirm")) == (3, 0)
    allocation = Allocation.objects.filter(reference="order-1")[0]
    assert allocation.upstream_order
    assert allocation.lease_until is None
    sync_effect = Effect.objects.get(kind="sync", target=str(allocation.level_id))
    assert allocation.confirmed_at
    assert sync_effect.due_at - allocation.confirmed_at >= timedelta(seconds=supplier.settlement_lag_seconds)


def test_the_read_that_follows_a_confirm_settles_it(supplier, chaos):
    place("order-1", {SKU: 3})
    confirm(supplier)
    pass_time("order-1", 61)
    sync(supplier)
    assert states("order-1") == [("settled", 3)]
    level = StockLevel.objects.get(external_id="r0000001")
    assert (level.reported, level.allocated, available()) == (7, 0, 7)


def test_a_read_within_the_lag_settles_nothing_and_sells_nothing_twice(supplier, chaos):
    chaos.set(lag={"lag_s": 3600})
    place("order-1", {SKU: 10})
    confirm(supplier)
    sync(supplier)
    assert states("order-1") == [("confirmed", 10)]
    assert available() == 0


def test_two_workers_at_once_send_an_order_once(supplier, chaos):
    chaos.set(latency={"median_ms": 100, "sigma": 0.0})
    for number in range(4):
        place(f"order-{number}", {SKU: 1})
        # A duplicate of every effect, as if it had been written twice.
        Effect.objects.create(kind="confirm", supplier=supplier, target=f"order-{number}")
    start = threading.Barrier(2)

    def work() -> None:
        start.wait()
        reconciliation.confirm_due(supplier.pk)
        connection.close()

    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sold(chaos) == 4
    assert open_effects("confirm") == 0
    assert [states(f"order-{number}") for number in range(4)] == [[("confirmed", 1)]] * 4


def test_sending_an_unanswered_order_again_sells_it_twice(connect):
    """Control: what the claim and the read-back prevent."""
    with running_chaos_supplier(rows=2, stock=STOCK) as chaos:
        supplier = connect(chaos)
        chaos.set(lost_reply={"times": 1})
        place("order-1", {SKU: 3})
        confirm(supplier)
        Allocation.objects.update(state="committed", lease_until=None)
        Effect.objects.create(kind="confirm", supplier=supplier, target="order-1")
        confirm(supplier)
        assert chaos.audit()["duplicates"] == {"order-1": 2}


@pytest.mark.parametrize("mode", ["closed", "hang"])
def test_a_confirm_that_took_effect_and_was_not_answered_is_read_back(supplier, chaos, mode):
    chaos.set(lost_reply={"mode": mode, "times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert states("order-1") == [("sending", 3)]
    confirm(supplier)
    assert reconciliation.suppliers_with_expired_claims() == [supplier.pk]
    assert reconciliation.resolve_expired_claims(supplier.pk) == 1
    assert states("order-1") == [("confirmed", 3)]
    confirm(supplier)
    assert sold(chaos) == 3


def test_an_order_that_upstream_shows_late_is_not_sent_again(supplier, chaos):
    chaos.set(lost_reply={"times": 1}, late_readback={"lag_s": 3600})
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 0
    assert states("order-1") == [("sending", 3)]
    assert open_effects("confirm") == 0
    chaos.set(late_readback=None)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 1
    assert states("order-1") == [("confirmed", 3)]


def test_an_order_that_upstream_never_got_is_sent_again_one_lag_later(supplier, chaos):
    chaos.set(server_error={"endpoints": ["confirm"], "times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert states("order-1") == [("sending", 3)]
    assert reconciliation.resolve_expired_claims(supplier.pk) == 0
    pass_time("order-1", 61)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 1
    assert states("order-1") == [("committed", 3)]
    confirm(supplier)
    assert states("order-1") == [("confirmed", 3)]
    assert sold(chaos) == 3


def test_the_claim_of_a_worker_that_died_is_found(supplier, chaos):
    place("order-1", {SKU: 3})
    claims.claim(supplier, "order-1", lease_seconds=7)
    confirm(supplier)
    assert sold(chaos) == 0
    assert reconciliation.suppliers_with_expired_claims() == []
    pass_time("order-1", 8)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 0
    pass_time("order-1", 61)
    reconciliation.resolve_expired_claims(supplier.pk)
    confirm(supplier)
    assert states("order-1") == [("confirmed", 3)]
    assert sold(chaos) == 3


def test_without_a_read_back_an_unknown_outcome_stays_subtracted(supplier, chaos):
    without(supplier, "readback")
    chaos.set(lost_reply={"times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    pass_time("order-1", 61)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 0
    assert states("order-1") == [("sending", 3)]
    discrepancy = Discrepancy.objects.get()
    assert (discrepancy.kind, discrepancy.reference, discrepancy.state) == ("unknown_outcome", "order-1", "open")
    # Not again at once.
    reconciliation.resolve_expired_claims(supplier.pk)
    discrepancy.refresh_from_db()
    assert discrepancy.times == 1


def test_a_doubt_ends_when_upstream_can_be_asked(supplier, chaos):
    chaos.set(lost_reply={"times": 1}, server_error={"endpoints": ["readback"]})
    place("order-1", {SKU: 3})
    confirm(supplier)
    pass_time("order-1", 61)
    reconciliation.resolve_expired_claims(supplier.pk)
    assert Discrepancy.objects.get().state == "open"
    chaos.set(server_error=None)
    Discrepancy.objects.update(seen_at="2020-01-01T00:00:00Z")
    reconciliation.resolve_expired_claims(supplier.pk)
    assert states("order-1") == [("confirmed", 3)]
    assert Discrepancy.objects.get().state == "resolved"


def test_an_order_refused_for_lack_of_stock_caps_the_level(supplier, chaos):
    chaos.sell(SKU, 8)
    place("order-1", {SKU: 1})
    place("order-2", {SKU: 5})
    reconciliation.confirm_due(supplier.pk)
    assert states("order-1") == [("confirmed", 1)]
    assert states("order-2") == [("lost", 5)]
    assert available() == 0
    discrepancy = Discrepancy.objects.get()
    assert (discrepancy.kind, discrepancy.reference) == ("rejected", "order-2")
    pass_time("order-1", 61)
    sync(supplier)
    assert (states("order-1"), available()) == ([("settled", 1)], 1)


def test_an_order_refused_for_another_reason_gives_its_units_back(supplier, chaos):
    supplier.config["confirm"]["rejected"] = "error.code == 'BAD_ADDRESS'"
    supplier.save()
    chaos.set(reject={"status": 422, "code": "BAD_ADDRESS"})
    place("order-1", {SKU: 4})
    confirm(supplier)
    assert states("order-1") == [("lost", 4)]
    assert available() == 10
    assert Discrepancy.objects.get().kind == "rejected"


def test_a_partial_confirm_splits_the_allocation(supplier, chaos):
    chaos.set(partial=True)
    chaos.sell(SKU, 7)
    place("order-1", {SKU: 5})
    confirm(supplier)
    assert states("order-1") == [("confirmed", 3), ("lost", 2)]
    assert sold(chaos) == 10
    assert available() == 0
    assert Discrepancy.objects.get().evidence["accepted"] == {"r0000001": 3}


def test_a_throttled_order_waits_as_long_as_upstream_asks(supplier, chaos):
    chaos.set(throttle={"endpoints": ["confirm"], "times": 1, "retry_after": 7})
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert states("order-1") == [("committed", 3)]
    effect = Effect.objects.get(kind="confirm")
    assert 6 < (effect.due_at - effect.created_at).total_seconds() < 12
    assert effect.error.startswith("Throttled")
    assert effect.leased_until is None


class Careless:
    """An adapter that raises after the order had left."""

    capabilities = Capability.CONFIRM | Capability.READBACK

    def __init__(self, *_: object) -> None: ...

    def confirm(self, order: ConfirmRequest) -> ConfirmResult:
        raise UpstreamTimeout("no answer", sent=True)


def test_an_order_that_left_is_not_given_back_whatever_an_adapter_raises(supplier, chaos, monkeypatch):
    monkeypatch.setitem(adapters.ADAPTERS, "careless", Careless)
    Supplier.objects.filter(pk=supplier.pk).update(adapter="careless")
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert states("order-1") == [("sending", 3)]
    assert open_effects("confirm") == 0


def test_a_supplier_that_cannot_be_told_leaves_the_order_committed(supplier, chaos):
    without(supplier, "confirm")
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert states("order-1") == [("committed", 3)]
    assert (open_effects("confirm"), available()) == (0, 7)


def test_a_supplier_without_a_usable_configuration_is_tried_later(supplier, chaos):
    Supplier.objects.filter(pk=supplier.pk).update(adapter="none")
    place("order-1", {SKU: 3})
    confirm(supplier)
    effect = Effect.objects.get(kind="confirm")
    assert (effect.done_at, effect.error.split(":")[0]) == (None, "NotConfigured")


def test_a_cancel_before_upstream_knows_releases_at_once(supplier, chaos):
    place("order-1", {SKU: 3})
    cancel("order-1")
    assert states("order-1") == [("released", 3)]
    confirm(supplier)
    assert (sold(chaos), open_effects("confirm"), available()) == (0, 0, 10)


def test_a_cancel_of_what_upstream_has_comes_back_with_a_reading_only(supplier, chaos):
    place("order-1", {SKU: 3})
    confirm(supplier)
    cancel("order-1")
    assert available() == 7
    make_due("cancel")
    reconciliation.cancel_due(supplier.pk)
    reconciliation.cancel_due(supplier.pk)
    assert chaos.truth(SKU)[SKU]["cancelled"] == 3
    assert (available(), states("order-1")) == (7, [("confirmed", 3)])
    pass_time("order-1", 61)
    sync(supplier)
    assert (available(), states("order-1")) == (10, [("settled", 3)])


def test_a_cancel_of_a_settled_order_moves_no_stock(supplier, chaos):
    place("order-1", {SKU: 3})
    confirm(supplier)
    pass_time("order-1", 61)
    sync(supplier)
    cancel("order-1")
    reconciliation.cancel_due(supplier.pk)
    assert (available(), chaos.truth(SKU)[SKU]["on_hand"]) == (7, 10)


def test_a_cancel_while_the_order_is_on_its_way_waits_for_the_outcome(supplier, chaos):
    chaos.set(lost_reply={"times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert cancel("order-1").codes == []
    reconciliation.cancel_due(supplier.pk)
    assert open_effects("cancel") == 1
    assert (states("order-1"), available()) == ([("sending", 3)], 7)
    reconciliation.resolve_expired_claims(supplier.pk)
    make_due("cancel")
    reconciliation.cancel_due(supplier.pk)
    assert open_effects("cancel") == 0
    assert chaos.truth(SKU)[SKU]["cancelled"] == 3


def test_a_cancelled_order_that_upstream_never_got_is_released_and_not_sent(supplier, chaos):
    chaos.set(server_error={"endpoints": ["confirm"], "times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    cancel("order-1")
    pass_time("order-1", 61)
    reconciliation.resolve_expired_claims(supplier.pk)
    assert (states("order-1"), available()) == ([("released", 3)], 10)
    make_due("cancel")
    reconciliation.cancel_due(supplier.pk)
    confirm(supplier)
    assert (open_effects("cancel"), open_effects("confirm"), sold(chaos)) == (0, 0, 0)


def test_a_cancel_that_upstream_cannot_be_told_is_shown_to_a_person(supplier, chaos):
    without(supplier, "cancel")
    place("order-1", {SKU: 3})
    confirm(supplier)
    cancel("order-1")
    reconciliation.cancel_due(supplier.pk)
    assert open_effects("cancel") == 0
    assert Discrepancy.objects.get().evidence["intent"] == "cancel"


def test_an_answer_that_comes_after_the_claim_was_given_back_still_counts(supplier, chaos):
    place("order-1", {SKU: 3})
    late = claims.claim(supplier, "order-1", lease_seconds=0)
    pass_time("order-1", 61)
    reconciliation.resolve_expired_claims(supplier.pk)
    assert states("order-1") == [("committed", 3)]
    assert late
    claims.conclude(late, gateway.for_supplier(supplier).confirm(late.request))
    confirm(supplier)
    assert (states("order-1"), sold(chaos)) == ([("confirmed", 3)], 3)
