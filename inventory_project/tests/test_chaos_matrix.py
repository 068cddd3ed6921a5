"""The verdict of the matrix sees what it is there to see; and a pair of it, for a moment."""

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet

from benchmarks.chaos import pair, verdict
from benchmarks.chaos.crew import Log
from benchmarks.chaos.dialects import DIALECTS
from benchmarks.chaos.matrix import pairs
from benchmarks.chaos.report import keep, kept, line, table
from benchmarks.chaos.tempers import TEMPERS, scenario
from benchmarks.chaos.upstream import ROWS, UNITS, Upstream
from benchmarks.chaos.verdict import Claim, Side
from inventory import reconciliation, snapshots
from inventory.models import Sku
from inventory.tests.promises import make_due
from orders.tests.buyers import buy, intent_of
from suppliers.models import Supplier
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier
from suppliers.simulator.scenario import Scenario
from suppliers.tests.simulator_client import client_of

pytestmark = pytest.mark.django_db(transaction=True)

SKU = "WILD-000001"


@pytest.fixture(autouse=True)
def reachable(settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]


@pytest.fixture
def chaos() -> Iterator[RunningChaosSupplier]:
    with running_chaos_supplier(rows=ROWS, stock=UNITS, prefix="WILD-") as running:
        yield running


@pytest.fixture
def side(chaos) -> Side:
    upstream = Upstream(chaos.url, chaos.token, chaos.dialect, "WILD-")
    supplier: Supplier = upstream.connect("wild")
    Sku.objects.bulk_create([Sku(code=code) for code in upstream.skus])
    snapshots.run_full(supplier.pk)
    opened = Side(upstream, supplier)
    assert verdict.differences(opened) == []
    return opened


def place(storefront, key, quantity):
    assert buy(intent_of(storefront.pk, key, [(SKU, quantity)])) == "placed"


def confirm(side):
    make_due("confirm")
    reconciliation.confirm_due(side.supplier.pk)


def test_a_promise_of_units_that_never_were_is_seen(side, chaos, make_storefront):
    chaos.set(inflation={"k": 2})
    snapshots.run_full(side.supplier.pk)
    place(make_storefront("shop"), "a", UNITS)
    assert verdict.oversold(side) == []
    place(make_storefront("other"), "b", 1)
    assert verdict.oversold(side) == [f"{SKU}: {UNITS + 1} promised of {UNITS}"]
    assert verdict.oversold(side, "liar") == [], "so many were reported"


def test_an_order_that_upstream_has_twice_or_unasked_is_seen(side, chaos):
    with client_of(chaos) as client:
        client.order("foreign", SKU, 2)
        assert verdict.doubled(side) == []
        assert verdict.unknown(side) == ["foreign: 2 there, 0 here"]
        client.order("foreign", SKU, 2)
    assert verdict.doubled(side) == ["foreign: 2 ×"]


def test_a_row_that_differs_and_an_order_that_waits_are_seen(side, chaos, make_storefront):
    chaos.sell(SKU, 1)
    assert verdict.differences(side) == [f"r0000001: {UNITS} here, {UNITS - 1} there"]
    snapshots.run_full(side.supplier.pk)
    assert verdict.differences(side) == []
    place(make_storefront("shop"), "a", 2)
    assert any("committed" in each for each in verdict.differences(side))
    assert any("confirm" in each for each in verdict.differences(side))
    confirm(side)
    assert not any("committed" in each for each in verdict.differences(side))
    assert verdict.unknown(side) == []


def test_an_order_that_the_supplier_drops_later_is_seen(side, chaos, make_storefront):
    chaos.set(async_accept={"after_s": 0, "cancel_p": 1, "cancel_after_s": 0.01, "returns": True})
    place(make_storefront("shop"), "a", 2)
    confirm(side)
    while not any(sale["cancelled_by"] for sale in side.upstream.ask("audit")["sales"]):
        pass
    assert len(verdict.lost(side)) == 1
    assert verdict.unknown(side) == [], "it is one and not two findings"


def test_a_long_wait_and_a_disturbed_neighbour_are_seen(side, chaos):
    log = Log()
    assert verdict.overlong(side, log) == verdict.disturbed(log) == []
    log.seconds["order wild"].append(verdict.LONGEST_REQUEST + 1)
    log.answers["calm"]["Undecided"] += 1
    log.snapshots["calm"]["refused"] += 1
    chaos.supplier.note_stay(9)
    assert verdict.overlong(side, log) == ["a request took 9.0 s", "a call took 9.0 s"]
    assert verdict.disturbed(log) == ["1 orders undecided", "1 snapshots refused"]


def test_every_temper_is_a_scenario_and_every_pair_has_its_turn():
    for temper in TEMPERS:
        assert (
            Scenario().merged(scenario(temper, {"url": "http://127.0.0.1:1", "secret": "c2VjcmV0"})).behaviours
            or temper == "calm"
        )
    assert len(list(pairs("", ""))) == len(TEMPERS) * len(DIALECTS) - 3
    assert list(pairs("calm,liar", "graphql")) == [("calm", "graphql"), ("liar", "graphql")]
    with pytest.raises(SystemExit, match="There is no nice"):
        list(pairs("nice", ""))


def test_the_table_names_what_broke(tmp_path):
    whole = pair.Result("calm", "rest_page", 1, 4.0, {"wild": {"Placed": 3}}, {}, {})
    broken = pair.Result("liar", "rest_page", 1, 5.0, {}, {"lag": 2}, {}, [Claim("G11", "units", ["X: 9 of 8"])])
    shown = table([whole, broken], 1, 8)
    assert "| calm | ✔ 3 orders, 0 faults, 4 s |" in shown
    assert "| liar | ✘ G11 0 orders, 2 faults, 5 s |" in shown
    assert "X: 9 of 8" in shown
    assert "X: 9 of 8" in line(broken)
    keep([whole, broken], tmp_path / "chaos.json")
    assert kept(tmp_path / "chaos.json") == [whole, broken]
    assert kept(tmp_path / "nothing.json") == []


@pytest.mark.slow
@pytest.mark.parametrize(("temper", "dialect"), [("flaky", "rest_cursor"), ("webhook_storm", "graphql")])
def test_promises_hold_for_a_moment_of_it(tmp_path, temper, dialect):
    result = pair.run(temper, dialect, seed=1, seconds=3, log=tmp_path / "simulators.log")
    assert [(claim.what, claim.wrong) for claim in result.broken] == []
    assert sum(result.answers["wild"].values()) > 10
    assert sum(result.acted.values()) > 0
