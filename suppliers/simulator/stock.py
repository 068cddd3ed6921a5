"""What the supplier says it has: the ledger seen through lags, inflation and faulty rows."""

from collections.abc import Sequence
from datetime import UTC, datetime

from .asks import Ask, Told
from .behaviours import Distortion, EmptyBlip, FilterIgnored, JsonRow, PageFault, RowFault
from .behaviours.base import Window
from .ledger import Ledger
from .messages import Call
from .scenario import Scenario

MOST_UNFILTERED = 1_000


def listed(ledger: Ledger, ask: Ask, call: Call, scenario: Scenario) -> Told:
    """A part of the list.  Raises Problem."""
    total = 0 if scenario.striking(EmptyBlip, call) else len(ledger.items)
    size = max(1, ask.size)
    window = Window(ask.start, min(ask.start + size, total), total, size, ask.issued_at)
    for fault in scenario.of_kind(PageFault):
        window = fault.window(window, call)
    rows = rows_of(ledger, window.indexes, call, scenario)
    for fault in scenario.of_kind(PageFault):
        rows = fault.page(rows, call)
    return Told(call.now, rows, window)


def fetched(ledger: Ledger, ask: Ask, call: Call, scenario: Scenario) -> Told:
    """Just these rows."""
    indexes = ask.indexes
    if scenario.striking(FilterIgnored, call):
        indexes = range(min(MOST_UNFILTERED, len(ledger.items)))
    rows = rows_of(ledger, indexes, call, scenario)
    return Told(call.now, rows, Window(0, len(rows), len(rows), max(1, len(rows))))


def rows_of(ledger: Ledger, indexes: Sequence[int], call: Call, scenario: Scenario) -> list[JsonRow]:
    distortions = [item for item in scenario.of_kind(Distortion) if item.strikes(call)]
    faults = [item for item in scenario.of_kind(RowFault) if item.strikes(call)]
    started_at = stamp(ledger.started_at)
    rows: list[JsonRow] = []
    for index in indexes:
        item = ledger.items[index]
        units, at = _reported(ledger, index, call, distortions)
        row = {
            "id": item.uid,
            "sku": item.sku,
            "available": units,
            "location": item.location,
            "updated_at": started_at if at == ledger.started_at else stamp(at),
        }
        rows += _dressed(row, item.sku, call, faults) if faults else [row]
    return rows


def _dressed(row: JsonRow, sku: str, call: Call, faults: Sequence[RowFault]) -> list[JsonRow]:
    rows = [row]
    for fault in faults:
        if fault.covers(sku):
            rows = [shown for each in rows for shown in fault.rows(each, call)]
    return rows


def _reported(ledger: Ledger, index: int, call: Call, distortions: Sequence[Distortion]) -> tuple[int, float]:
    """What the supplier says of one row, and since when it says so."""
    item = ledger.items[index]
    seen_by = [distortion for distortion in distortions if distortion.covers(item.sku)]
    if not seen_by:
        return ledger.now_at(index)
    age = max(distortion.age(item.uid, call) for distortion in seen_by)
    pool = max((distortion.pool_size for distortion in seen_by), default=1)
    seen = [
        ledger.seen_at(each, call.now - age) if age > 0 else ledger.now_at(each) for each in ledger.pool_of(index, pool)
    ]
    units, at = sum(units for units, _ in seen), max(at for _, at in seen)
    for distortion in seen_by:
        units = distortion.number(units, item.uid, call)
    return units, at


def stamp(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
