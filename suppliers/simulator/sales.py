"""How the supplier takes orders, finds them again and calls them off."""

from collections.abc import Mapping
from typing import Any

from .asks import Ask, Told
from .behaviours import AsyncAccept, LateReadback, OwnOversell, Partial, Phantom, Split
from .ledger import Ledger, OutOfStock, Sale, Stale, Terms, UnknownOrder
from .messages import Call, Problem
from .scenario import Scenario

STALE = "CHANGE_FROM_QUANTITY_STALE"


def confirm(ledger: Ledger, ask: Ask, call: Call, scenario: Scenario) -> Told:
    """Raises Problem: nothing was taken."""
    if ask.changes:
        return _written(ledger, ask)
    race = scenario.striking(OwnOversell, call)
    terms = _terms(ledger, ask, call, scenario, unchecked=race is not None)
    try:
        if ask.dry:
            ledger.check(ask.lines, terms)
            return Told(call.now)
        if race and not (scenario.idempotent and ledger.sales_of(ask.reference)):
            ledger.check(ask.lines, terms)
            if call.pause(race.race_window_ms / 1000):
                raise Problem(503, "UNAVAILABLE", "the supplier stops")
        sales = ledger.sell(ask.lines, ask.reference, "order", terms)
    except OutOfStock as error:
        short = [{"id": uid, "available": units} for uid, units in error.shortages.items()]
        raise Problem(409, "NO_STOCK", "not enough stock", {"lines": short}) from error
    return _told(ledger, sales)


def readback(ledger: Ledger, ask: Ask, call: Call, scenario: Scenario) -> Told:
    late = scenario.striking(LateReadback, call)
    visible = call.now - (late.lag_s if late else 0)
    found = ledger.orders(ask.order_ids) if ask.order_ids else ledger.sales_of(ask.reference)
    sales = [sale for sale in found if sale.source == "order" and sale.at <= visible]
    return _told(ledger, sales)


def cancel(ledger: Ledger, ask: Ask) -> Told:
    """Raises Problem."""
    try:
        return _told(ledger, [ledger.cancel(order_id) for order_id in ask.order_ids])
    except UnknownOrder as error:
        raise Problem(404, "NO_ORDER", "no such order") from error


def _written(ledger: Ledger, ask: Ask) -> Told:
    """Stock that is set or changed by a number.  Raises Problem: nothing was written."""
    try:
        ledger.write(ask.changes, ask.reference, ask.key)
    except OutOfStock as error:
        raise Problem(409, "NO_STOCK", "not enough stock") from error
    except Stale as error:
        raise Problem(409, STALE, "the quantity has changed since") from error
    return Told(ledger.clock())


def _terms(ledger: Ledger, ask: Ask, call: Call, scenario: Scenario, *, unchecked: bool) -> Terms:
    split, later = scenario.striking(Split, call), scenario.striking(AsyncAccept, call)
    phantom = scenario.striking(Phantom, call)
    hollow = [uid for uid in ask.lines if phantom and phantom.is_hollow(uid, ledger.sku_of(uid), call)]
    return Terms(
        partial=scenario.striking(Partial, call) is not None,
        unchecked=unchecked,
        idempotent=scenario.idempotent,
        pool=phantom.pool_size if phantom else 1,
        hollow=frozenset(hollow),
        parts=split.parts if split else 1,
        pending_for=later.after_s if later else 0.0,
        doomed_after=later.cancel_after_s if later and later.cancels(call) else None,
        returns=later.returns if later else True,
    )


def _told(ledger: Ledger, sales: list[Sale]) -> Told:
    now = ledger.clock()
    return Told(now, orders=[_shown(ledger, sale, now) for sale in sales])


def _shown(ledger: Ledger, sale: Sale, now: float) -> Mapping[str, Any]:
    """quantity: units taken; requested: units asked for, more only in a partial order."""
    lines = [
        {"id": uid, "sku": ledger.sku_of(uid), "quantity": sale.lines.get(uid, 0), "requested": requested}
        for uid, requested in sale.requested.items()
    ]
    return {"order_id": sale.order_id, "ref": sale.reference, "status": sale.status_at(now), "lines": lines}
