"""What is to be known of the rows of a page before they are believed.  Pure."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from suppliers.adapters.findings import bad, counted, good, note
from suppliers.readings import Finding, StockRow

SHOWN_CODES = 3
FLAGS = {
    "negative": "below 0: counts as 0",
    "fraction": "with a fraction: rounded down",
    "string": "written as text",
    "at_least": 'such as "10+": taken as that many',
    "sentinel": "so large that it is declared, not counted",
    "inactive": "inactive: counts as 0",
    "no_sku": "without a code: can be offered by hand only",
    "bad_sku": "with a code that cannot be one",
    "bad_time": "with a time that cannot be read",
}


def of_rows(rows: Sequence[StockRow]) -> Iterator[Finding]:
    if not rows:
        return
    double = len(rows) - len(keys(rows))
    if double:
        advice = "map.uid must be the row's own id, and map.location its warehouse where it has several."
        yield bad("Rows", f"Uid and location stand twice for {counted(double, 'row')}.", advice)
    yield from _codes(rows)
    yield from _quantities(rows)


def keys(rows: Sequence[StockRow]) -> set[tuple[str, str]]:
    return {(row.uid, row.location) for row in rows}


def _codes(rows: Sequence[StockRow]) -> Iterator[Finding]:
    times = Counter(code for code, _ in {(row.sku, row.uid) for row in rows if row.sku})
    shared = [code for code in times if times[code] > 1]
    if shared:
        advice = "They are never merged: offer the right row for the SKU by hand."
        yield note("Codes", f"On several rows: {_some(shared)}.", advice)
    folded: dict[str, set[str]] = defaultdict(set)
    for code in times:
        folded[code.casefold()].add(code)
    alike = ["/".join(sorted(codes)) for codes in folded.values() if len(codes) > 1]
    if alike:
        advice = "They are different codes to Holdfast; make sure that they are to the supplier."
        yield note("Codes", f"Different in upper and lower case only: {_some(alike)}.", advice)
    if not (shared or alike):
        yield good("Codes", f"{counted(len(times), 'code')}, each on one row.")


def _some(codes: Sequence[str]) -> str:
    more = len(codes) - SHOWN_CODES
    return ", ".join(sorted(codes)[:SHOWN_CODES]) + (f" and {more} more" if more > 0 else "")


def _quantities(rows: Sequence[StockRow]) -> Iterator[Finding]:
    uncounted = sum(row.available is None for row in rows)
    if uncounted:
        advice = "Nothing of them is sold. If there is a number, map.available names another field."
        yield note("Quantities", f"{uncounted} of {len(rows)} rows are not counted.", advice)
    flags = Counter(flag for row in rows for flag in row.flags)
    for flag, times in sorted(flags.items()):
        yield note("Quantities", f"{counted(times, 'row')} {FLAGS.get(flag, flag)}.", "See the rows below.")
    if not (uncounted or flags):
        yield good("Quantities", "All of them are whole numbers.")
