"""The gateway against the chaos supplier: two programs that know each other by HTTP alone."""

import pytest
from cryptography.fernet import Fernet

from suppliers.credentials import seal
from suppliers.errors import AuthExpired
from suppliers.gateway import for_supplier
from suppliers.models import Supplier
from suppliers.readings import Capability, ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.simulator.configuration import rest_config
from suppliers.simulator.running import RunningChaosSupplier, running_chaos_supplier


@pytest.fixture(autouse=True)
def _settings(settings) -> None:
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]


def supplier_at(chaos: RunningChaosSupplier, token: str | None = None, **limits: float) -> Supplier:
    config = rest_config(chaos.url, chaos.dialect, size=4)
    config["limits"] |= limits
    return Supplier(slug="chaos", config=config, credentials=seal({"token": token or chaos.token}))


def order(reference: str, ref: Ref, quantity: int) -> ConfirmRequest:
    return ConfirmRequest(reference, [ConfirmLine(ref, quantity)])


def first_ref(gateway) -> Ref:
    row = next(gateway.snapshot()).rows[0]
    return Ref(row.uid, row.sku, row.location)


@pytest.mark.parametrize("dialect", ["rest_page", "rest_offset", "rest_cursor", "rest_link"])
def test_a_snapshot_reads_every_row_once_and_resumes(dialect: str):
    with running_chaos_supplier(rows=10, dialect=dialect) as chaos:
        gateway = for_supplier(supplier_at(chaos))
        pages = list(gateway.snapshot())
        resumed = list(gateway.snapshot(pages[0].cursor))
    uids = [row.uid for page in pages for row in page.rows]
    assert len(uids) == len(set(uids)) == 10
    assert pages[-1].cursor is None
    assert [row.uid for page in resumed for row in page.rows] == uids[4:]
    assert {row.available for page in pages for row in page.rows} == {50}


def test_an_order_is_placed_read_back_and_called_off():
    with running_chaos_supplier(rows=2, stock=5) as chaos:
        gateway = for_supplier(supplier_at(chaos))
        can = Capability.SNAPSHOT | Capability.FETCH | Capability.CONFIRM | Capability.READBACK | Capability.CANCEL
        assert gateway.capabilities == can
        wanted = order("H-1", first_ref(gateway), 3)
        assert gateway.readback(wanted).outcome is Outcome.NOT_FOUND
        placed = gateway.confirm(wanted)
        assert placed.outcome is Outcome.ACCEPTED
        assert gateway.readback(wanted) == placed
        assert gateway.fetch([wanted.lines[0].ref]).rows[0].available == 2
        assert gateway.confirm(order("H-2", wanted.lines[0].ref, 3)).outcome is Outcome.REJECTED_STOCK
        assert gateway.cancel(wanted, placed.upstream_order).outcome is Outcome.ACCEPTED
        assert gateway.fetch([wanted.lines[0].ref]).rows[0].available == 5


def test_a_row_that_upstream_does_not_know_is_missing():
    with running_chaos_supplier(rows=1) as chaos:
        gateway = for_supplier(supplier_at(chaos))
        gone = Ref("no-such-row", "GONE")
        assert gateway.fetch([gone]).missing == [gone]


def test_a_wrong_token_is_not_tried_again():
    with running_chaos_supplier(rows=1) as chaos:
        gateway = for_supplier(supplier_at(chaos, token="wrong"))
        with pytest.raises(AuthExpired):
            next(gateway.snapshot())
        assert not gateway.probe().ok
