"""The books: what buyers were told, what we wrote down, what the supplier really has.  All three must agree."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.faults.buyers import NO_ANSWER, PLACED, REFUSED, REUSED, UNDECIDED, Attempt, Record
from benchmarks.faults.world import Outage
from inventory.models import Discrepancy, Sku, StockMovement
from inventory_project.demo.books import ask, truth_of
from inventory_project.demo.proof import Findings, audit, by_sku, confirmed, differences, ordered, taken
from inventory_project.demo.seed import Address
from orders.models import Order

LONGEST = 8.0  # seconds that a request may take
MARGIN = 1.0  # seconds around an outage in which its requests may have no answer


@dataclass(frozen=True, slots=True)
class Line:
    """One promise of DESIGN, kept or not.  wrong: each way in which it was broken."""

    promise: str
    claim: str
    wrong: list[str]


def examine(record: Record, outages: Iterable[Outage], supplier: Address) -> list[Line]:
    """Every claim with what contradicts it."""
    orders = {order.idempotency_key: order for order in Order.objects.all()}
    return [
        Line("", "answers other than 201, 409, 422, 503", list(foreign_statuses(record))),
        Line("", "requests without an answer from a web process that lived", list(unanswered(record, outages))),
        Line("G15", f"requests longer than {LONGEST:.0f} s", list(slow(record, outages))),
        Line("G6", "acknowledged orders lost or changed", list(lost(record, orders))),
        Line("G5", "keys answered with different bytes", list(changed_answers(record))),
        Line("G5", "orders without a buyer", [key for key in orders if key not in {a.key for a in record.attempts}]),
        Line("G5", "orders that the supplier got twice", list(ask(supplier, "audit")["duplicates"])),
        Line("", "orders still undecided", sorted(record.undecided)),
        Line("G7", "invented refusals", list(invented_refusals(record))),
        Line("G8", "answers older than one given before they were asked for", list(turned_back(record))),
        Line("G1", "units sold that were not there", list(oversold(supplier))),
        Line("G13", "units where buyers, we and the supplier differ", list(disagreements(record, orders, supplier))),
        Line("G3", "differences found by audit_stock", list(audited())),
    ]


def note(lines: Iterable[Line], findings: Findings) -> None:
    for line in lines:
        shown = f"{len(line.wrong)}" + "".join(f"\n      {wrong}" for wrong in line.wrong[:5])
        findings.note(f"{line.promise:<4}{line.claim}", shown, not line.wrong)


def foreign_statuses(record: Record) -> Iterator[str]:
    for attempt in record.attempts:
        if attempt.status not in (PLACED, REFUSED, REUSED, UNDECIDED, NO_ANSWER):
            yield f"{attempt.status} {attempt.body[:300]!r}"


def overlaps(attempt: Attempt, outages: Iterable[Outage], *, frozen: bool | None = None) -> bool:
    return any(
        outage.web == attempt.web
        and attempt.asked < outage.ended + MARGIN
        and attempt.answered > outage.began - MARGIN
        and frozen in (None, outage.frozen)
        for outage in outages
    )


def unanswered(record: Record, outages: Iterable[Outage]) -> Iterator[str]:
    outages = list(outages)
    for attempt in record.attempts:
        if attempt.status == NO_ANSWER and not overlaps(attempt, outages):
            yield f"{attempt.error} after {attempt.seconds:.1f} s from web-{attempt.web} at {attempt.asked:.1f}"


def slow(record: Record, outages: Iterable[Outage]) -> Iterator[str]:
    """A frozen process can answer nobody; everybody else must."""
    outages = list(outages)
    for attempt in record.attempts:
        if attempt.seconds > LONGEST and not overlaps(attempt, outages, frozen=True):
            lines = list(attempt.lines)
            yield f"{attempt.seconds:.1f} s to {attempt.status or attempt.error} at {attempt.asked:.1f}, {lines}"


def lost(record: Record, orders: dict[str, Order]) -> Iterator[str]:
    for attempt in record.attempts:
        if attempt.status != PLACED:
            continue
        order = orders.get(attempt.key)
        number = json.loads(attempt.body)["number"]
        if order is None:
            yield f"{number} was acknowledged and is not there"
        elif bytes(order.answer) != attempt.body or order.number != number:
            yield f"{number} was acknowledged as {attempt.body[:100]!r} and is {bytes(order.answer)[:100]!r}"


def changed_answers(record: Record) -> Iterator[str]:
    first: dict[str, bytes] = {}
    for attempt in record.attempts:
        if attempt.status == PLACED and first.setdefault(attempt.key, attempt.body) != attempt.body:
            yield attempt.key


def oversold(supplier: Address) -> Iterator[str]:
    """By the supplier's own truth, and by what we promised against all it ever had."""
    promised = ordered()
    for sku, row in truth_of([supplier])[supplier.slug].items():
        had = row["initial"] + row["restocked"]
        if promised[sku] > had or row["on_hand"] < 0:
            yield f"{sku}: {promised[sku]} promised, {row['sold']} sold of {had}"
    for found in Discrepancy.objects.filter(kind__in=(Discrepancy.Kind.REJECTED, Discrepancy.Kind.LOST)):
        yield f"the supplier refused {found.reference}: {found.evidence}"


def disagreements(record: Record, orders: dict[str, Order], supplier: Address) -> Iterator[str]:
    told: Counter[str] = Counter()
    for lines in {attempt.key: attempt.lines for attempt in record.attempts if attempt.status == PLACED}.values():
        told.update(lines)
    delivered = taken(truth_of([supplier]))
    for what, difference in (
        ("buyers, we", differences(told, ordered())),
        ("we, supplier", differences(ordered(), by_sku(delivered))),
        ("supplier, what we know of it", differences(delivered, confirmed())),
    ):
        yield from (f"{what}: {each}" for each in difference.split("; ") if each)
    last = {attempt.key: attempt.status for attempt in record.attempts}
    yield from (f"order of {key} stands, its buyer was told {last[key]}" for key in orders if last.get(key) != PLACED)


def audited() -> list[str]:
    found, clean = audit()
    return [] if clean else found.splitlines()


# --- Histories: each answer names the version of the SKU that it speaks of -----------------------------------
def invented_refusals(record: Record) -> Iterator[str]:
    """Refusals whose stated number the ledger does not know for that version, or which were none."""
    ledger = available_by_version()
    for attempt in record.attempts:
        for short in shortages(attempt):
            known = ledger[short["sku"]].get(short["version"])
            if short["available"] >= short["requested"] or known != short["available"]:
                yield f"{short}; the ledger has {known} for that version"


def shortages(attempt: Attempt) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(attempt.body)["shortages"] if attempt.status == REFUSED else []
    return found


def available_by_version() -> dict[str, dict[int, int]]:
    """SKU → its version → whole units available.  Each SKU has one level here, and nothing but movements changes it."""
    offset = version_offsets()
    history: dict[str, dict[int, int]] = defaultdict(dict)
    rows = StockMovement.objects.values_list("level__code", "version", "sellable_after", "allocated_after")
    for code, version, sellable, allocated in rows:
        history[code][version + offset[code]] = max(0, sellable - allocated)
    return history


def version_offsets() -> dict[str, int]:
    """SKU → by how much its version is ahead of its level's: always the same, for a movement makes one of each."""
    pairs = Sku.objects.values_list("code", "version", "offers__level__version")
    return {code: version - level for code, version, level in pairs if level is not None}


def turned_back(record: Record) -> Iterator[str]:
    """Real time: who asks after an answer was given must not be told of an older version of the same SKU."""
    events: list[tuple[float, int, str, int]] = []
    seen: set[str] = set()
    for attempt in sorted(record.attempts, key=lambda attempt: attempt.asked):
        # The repeat of a key carries the version of its first time.
        first = attempt.key not in seen
        seen.add(attempt.key)
        for sku, version in versions(attempt):
            events.append((attempt.answered, 0, sku, version))
            if first:
                events.append((attempt.asked, 1, sku, version))
    newest: dict[str, int] = defaultdict(int)
    for _, asked, sku, version in sorted(events):
        if not asked:
            newest[sku] = max(newest[sku], version)
        elif version < newest[sku]:
            yield f"{sku}: version {version}, and {newest[sku]} was known before"


def versions(attempt: Attempt) -> Iterator[tuple[str, int]]:
    if attempt.status == PLACED:
        yield from ((line["sku"], line["version"]) for line in json.loads(attempt.body)["lines"])
    for short in shortages(attempt):
        yield short["sku"], short["version"]
