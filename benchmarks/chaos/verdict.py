"""Both sides' books after a pair: what was promised, what the supplier holds, and what is open between them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db.models import Sum

from inventory.models import Allocation, Discrepancy, Effect, StockLevel
from inventory_project.demo.proof import audit
from orders.models import Order, OrderLine
from suppliers.models import Supplier

from .crew import Log
from .dialects import CALL_SECONDS
from .tempers import INFLATED, OVERSELLS
from .upstream import Upstream

LONGEST_REQUEST, LONGEST_TASK = 8.0, 120.0  # seconds; G15
MARGIN = 1.5  # seconds that a call's end may be seen late by the supplier on a busy machine
WITHOUT_REFERENCE = frozenset({"top", "file"})
TOLD = (Allocation.State.CONFIRMED, Allocation.State.SETTLED)


@dataclass(frozen=True, slots=True)
class Claim:
    """One promise, and each way in which it was broken."""

    promise: str
    what: str
    wrong: list[str]


@dataclass(frozen=True, slots=True)
class Side:
    """A supplier as it is, and as we know it."""

    upstream: Upstream
    supplier: Supplier


def differences(side: Side) -> list[str]:
    """What is not yet as it should be, and no open discrepancy says why."""
    return [*_undone(side), *_untold(side), *_numbers(side), *_unnoticed(side)]


def claims(temper: str, chaotic: Side, calm: Side, log: Log) -> list[Claim]:
    """Every promise with what contradicts it.  Ask once nothing works any more."""
    return [
        Claim("G11", "SKUs promised beyond what was ever reported", oversold(chaotic, temper) + oversold(calm)),
        Claim("G1", "SKUs sold upstream that were not there", [] if temper in OVERSELLS else below_zero(chaotic)),
        Claim("", "references with more than one effect upstream", doubled(chaotic) + doubled(calm)),
        Claim("", "orders upstream that we know nothing of, or with other units", unknown(chaotic) + unknown(calm)),
        Claim("G18", "orders that the supplier cancelled later, and nobody here knows", lost(chaotic)),
        Claim("G3", "differences found by audit_stock", _audited()),
        Claim("G15", "requests, tasks and calls beyond their deadlines", overlong(chaotic, log)),
        Claim("G16", "what the other supplier's SKUs noticed", disturbed(log)),
        Claim("G18", "rows that differ after the faults, unexplained", differences(chaotic) + differences(calm)),
        Claim("", "errors that no function should raise", log.errors),
    ]


def oversold(side: Side, temper: str = "") -> list[str]:
    """SKUs of which more is promised to standing orders than the supplier had at the start, or said it had."""
    times = INFLATED.get(temper, 1)
    lines = OrderLine.objects.filter(order__status=Order.Status.PLACED, sku__code__startswith=side.upstream.prefix)
    promised = dict(lines.values_list("sku__code").annotate(units=Sum("quantity")))
    had = {sku: row["initial"] for sku, row in side.upstream.truth().items()}
    return [
        f"{sku}: {units} promised of {had.get(sku)}"
        for sku, units in promised.items()
        if units > times * had.get(sku, 0)
    ]


def below_zero(side: Side) -> list[str]:
    return [f"{sku}: {row['on_hand']} left" for sku, row in side.upstream.truth().items() if row["on_hand"] < 0]


def doubled(side: Side) -> list[str]:
    return [f"{reference}: {times} ×" for reference, times in side.upstream.ask("audit")["duplicates"].items()]


def unknown(side: Side) -> list[str]:
    """Per reference: units upstream that stand, beside those that we know to be taken."""
    if side.upstream.dialect in WITHOUT_REFERENCE:
        return []  # it keeps no reference of ours; that the numbers agree has to do
    upstream: Counter[str] = Counter()
    for sale in _sales(side):
        if sale["cancelled_by"] != "client":
            upstream[sale["ref"]] += sum(line["quantity"] for line in sale["lines"])
    rows = Allocation.objects.filter(level__supplier=side.supplier, state__in=TOLD, cancel_requested_at=None)
    ours: Counter[str] = Counter(dict(rows.values_list("reference").annotate(units=Sum("quantity"))))
    explained = _explained(side)
    return [
        f"{reference}: {upstream[reference]} there, {ours[reference]} here"
        for reference in sorted(upstream | ours)
        if upstream[reference] != ours[reference] and reference not in explained
    ]


def lost(side: Side) -> list[str]:
    """References of which the supplier thought better, and which we still take for good."""
    dropped = {sale["ref"] for sale in _sales(side) if sale["cancelled_by"] == "supplier"}
    rows = Allocation.objects.filter(level__supplier=side.supplier, reference__in=dropped, state__in=TOLD)
    return sorted(set(rows.filter(cancel_requested_at=None).values_list("reference", flat=True)) - _explained(side))


def _sales(side: Side) -> list[dict[str, Any]]:
    """Each with our reference, which a platform may carry at the end of a longer one."""
    sales = side.upstream.ask("audit")["sales"]
    return [{**sale, "ref": sale["ref"].rpartition("/")[2]} for sale in sales if sale["source"] == "order"]


def overlong(side: Side, log: Log) -> list[str]:
    longest = {
        "a request": (log.longest("order"), LONGEST_REQUEST),
        "a task": (log.longest("task"), LONGEST_TASK),
        "a call": (side.upstream.ask("chaos")["longest_seconds"], CALL_SECONDS + MARGIN),
    }
    return [f"{what} took {took:.1f} s" for what, (took, limit) in longest.items() if took > limit]


def disturbed(log: Log) -> list[str]:
    """Undecided orders, snapshots that failed, and stock that went stale."""
    undecided = log.answers["calm"]["Undecided"]
    failed = {status: times for status, times in log.snapshots["calm"].items() if status != "applied"}
    found = [f"{undecided} orders undecided"] if undecided else []
    return found + [f"{times} snapshots {status}" for status, times in failed.items()]


def _undone(side: Side) -> Iterator[str]:
    open_effects = Effect.objects.filter(supplier=side.supplier, done_at=None)
    for kind, target, error in open_effects.values_list("kind", "target", "error"):
        yield f"{kind} of {target} is not done: {error}"


def _untold(side: Side) -> Iterator[str]:
    states = (Allocation.State.COMMITTED, Allocation.State.SENDING)
    rows = Allocation.objects.filter(level__supplier=side.supplier, state__in=states)
    explained = _explained(side)
    for reference, state in rows.values_list("reference", "state").distinct():
        if reference not in explained:
            yield f"{reference} is {state}"


def _numbers(side: Side) -> Iterator[str]:
    """Rows whose number is not the supplier's."""
    truth = {sku: row["on_hand"] for sku, row in side.upstream.truth().items()}
    open_levels = set(
        Discrepancy.objects.filter(supplier=side.supplier, state="open", level__isnull=False).values_list(
            "level_id", flat=True
        )
    )
    own = StockLevel.objects.filter(supplier=side.supplier, location__in=("main", "1", ""))
    for pk, uid, reported in own.values_list("pk", "external_id", "reported"):
        if "/" in uid or pk in open_levels:  # a variant that was split off for a while; or it is explained
            continue
        if reported != (there := truth[side.upstream.sku_of(uid)]):
            yield f"{uid}: {reported} here, {there} there"


def _unnoticed(side: Side) -> Iterator[str]:
    for reference in lost(side):
        yield f"{reference} was cancelled there"
    for sale in _sales(side):
        if sale["doomed_at"] and not sale["cancelled_at"]:
            yield f"{sale['ref']} is going to be cancelled there"


def _explained(side: Side) -> set[str]:
    """References that an open discrepancy names."""
    rows = Discrepancy.objects.filter(supplier=side.supplier, state="open").exclude(reference="")
    return set(rows.values_list("reference", flat=True))


def _audited() -> list[str]:
    found, clean = audit()
    return [] if clean else found.splitlines()
