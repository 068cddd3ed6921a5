"""A test of a supplier for a person: what works, what does not, what it means, and what to do next.

Read-only: it signs in, reads two pages and one row, and never sends an order.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from suppliers.adapters.answers import http_date
from suppliers.adapters.calls import Caller
from suppliers.errors import (
    AuthExpired,
    BlockedAddress,
    CircuitOpen,
    Forbidden,
    Malformed,
    NotConfigured,
    SupplierError,
    Throttled,
    Transient,
    UpstreamTimeout,
)
from suppliers.readings import Capability, FetchResult, Finding, Grade, Page, ProbeReport, Ref, StockRow
from suppliers.transport import Deadline, Request, Response

Result = TypeVar("Result")

PROBE_SECONDS = 25.0  # the whole test: somebody waits for the page
CLOCK_SECONDS = 5.0  # beyond which signatures with a time may be refused
SHOWN_CODES = 3

ADVICE: Sequence[tuple[type[SupplierError], str]] = (
    (AuthExpired, "Check auth, and enter the credentials again: they are wrong, or no longer valid."),
    (Forbidden, "The credentials are right, but may not do this: ask the supplier for the permission to read stock."),
    (Throttled, "Wait a little; if it comes again, lower limits.rate and limits.burst."),
    (CircuitOpen, "It failed too often just now and is left alone for a while: wait half a minute, then test again."),
    (
        UpstreamTimeout,
        "Is the address right? A slow supplier needs more limits.read_seconds and limits.total_seconds.",
    ),
    (Transient, "Check base_url; if it is right, the supplier is down: test again later."),
    (BlockedAddress, "Only public addresses with https are called, and only the host of base_url."),
    (NotConfigured, "Correct the configuration or the credentials."),
    (Malformed, "Compare the answer with what list.items, list.total and list.map name."),
)
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


class Observed:
    """A caller that remembers how long the slowest answer took, and how far the supplier's clock is from ours."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self.calls = 0
        self.slowest = 0.0  # seconds
        self.clock_offset: float | None = None  # seconds that the supplier's clock is ahead

    def __call__(
        self, request: Request, read: Callable[[Response], Result], *, safe: bool, deadline: Deadline
    ) -> Result:
        sent = time.time()

        def note(response: Response) -> Result:
            received = time.time()
            self.calls += 1
            self.slowest = max(self.slowest, received - sent)
            dated = http_date(response.headers.get("Date"))
            if dated is not None:  # a second is cut off below, half of one on average
                self.clock_offset = dated.timestamp() + 0.5 - (sent + received) / 2
            return read(response)

        return self._caller(request, note, safe=safe, deadline=deadline)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is tested.  fetch: None without direct reads.  filters: whether one has found what it asked for alone."""

    pages: Callable[[], Iterator[Page]]
    fetch: Callable[[Sequence[Ref]], FetchResult] | None
    filters: Callable[[], bool]
    capabilities: Capability
    observed: Observed | None = None


@dataclass(slots=True)
class Examination:
    """The findings so far."""

    subject: Subject
    findings: list[Finding] = field(default_factory=list)

    def add(self, subject: str, detail: str, advice: str = "", grade: Grade | None = None) -> None:
        grade = grade or (Grade.NOTE if advice else Grade.GOOD)
        self.findings.append(Finding(subject, grade, detail, advice))

    def fail(self, subject: str, error: SupplierError) -> None:
        evidence = getattr(error, "evidence", "")
        self.findings.append(Finding(subject, Grade.BAD, str(error), advice_for(error), evidence))


def examine(subject: Subject) -> ProbeReport:
    """Everything that can be found out without changing anything; errors are findings."""
    examination = Examination(subject)
    pages = subject.pages()
    page = _first_page(examination, pages)
    if page is not None:
        _second_page(examination, page, pages)
        _codes(examination, page.rows)
        _quantities(examination, page.rows)
        _direct_read(examination, page.rows)
        _orders(examination)
    _wire(examination)
    return report(examination.findings, page)


def report(findings: Sequence[Finding], page: Page | None = None) -> ProbeReport:
    ok = all(finding.grade is not Grade.BAD for finding in findings)
    return ProbeReport(ok, [f"{finding.subject}: {finding.detail}" for finding in findings], page, findings)


def failed(error: SupplierError) -> ProbeReport:
    """The report of what could not even be begun."""
    return report([Finding("Configuration", Grade.BAD, str(error), advice_for(error))])


def advice_for(error: SupplierError) -> str:
    return next((advice for kind, advice in ADVICE if isinstance(error, kind)), "")


def _first_page(examination: Examination, pages: Iterator[Page]) -> Page | None:
    try:
        page = next(pages)
    except (AuthExpired, Forbidden) as error:
        examination.fail("Signing in", error)
        return None
    except SupplierError as error:
        examination.fail("First page", error)
        return None
    examination.add("Signing in", "Accepted.")
    total = "without a total" if page.total is None else f"of {page.total:,} in all"
    age = f", {page.age:.0f} s old by its own word" if page.age else ""
    if page.rows:
        examination.add("First page", f"{counted(len(page.rows), 'row')} {total}{age}.")
    else:
        advice = "If the supplier has stock, list.items names another list, or a parameter filters everything out."
        examination.add("First page", f"No rows {total}.", advice)
    return page


def _second_page(examination: Examination, first: Page, pages: Iterator[Page]) -> None:
    if first.cursor is None:
        whole = first.total is None or first.total == len(first.rows)
        advice = "" if whole else "The first page is not all, but the configuration stops there: see list.paginate."
        examination.add("Paging", "The list ends with the first page.", advice)
        return
    try:
        second = next(pages)
    except SupplierError as error:
        examination.fail("Paging", error)
        return
    twice = _keys(first.rows) & _keys(second.rows)
    if twice:
        advice = "The parameter that turns the page is ignored, or the list has no order: sort by id, and name key."
        examination.add(
            "Paging", f"Of the first page, {counted(len(twice), 'row')} come again on the second.", advice, Grade.BAD
        )
    else:
        examination.add("Paging", f"The second page holds {counted(len(second.rows), 'other row')}.")


def _keys(rows: Sequence[StockRow]) -> set[tuple[str, str]]:
    return {(row.uid, row.location) for row in rows}


def _codes(examination: Examination, rows: Sequence[StockRow]) -> None:
    double = len(rows) - len(_keys(rows))
    if double:
        advice = "map.uid must be the row's own id, and map.location its warehouse where it has several."
        examination.add("Rows", f"Uid and location stand twice for {counted(double, 'row')}.", advice, Grade.BAD)
    uids = {(row.sku, row.uid) for row in rows if row.sku}
    shared = [code for code, times in Counter(code for code, _ in uids).items() if times > 1]
    if shared:
        advice = "They are never merged: offer the right row for the SKU by hand."
        examination.add("Codes", f"On several rows: {_some(shared)}.", advice)
    folded: dict[str, set[str]] = {}
    for code, _ in uids:
        folded.setdefault(code.casefold(), set()).add(code)
    alike = ["/".join(sorted(codes)) for codes in folded.values() if len(codes) > 1]
    if alike:
        advice = "They are different codes to Holdfast; make sure that they are to the supplier."
        examination.add("Codes", f"Different in upper and lower case only: {_some(alike)}.", advice)
    if rows and not (shared or alike):
        examination.add("Codes", f"{counted(len({code for code, _ in uids}), 'code')}, each on one row.")


def counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _some(codes: Sequence[str]) -> str:
    more = len(codes) - SHOWN_CODES
    return ", ".join(sorted(codes)[:SHOWN_CODES]) + (f" and {more} more" if more > 0 else "")


def _quantities(examination: Examination, rows: Sequence[StockRow]) -> None:
    uncounted = sum(row.available is None for row in rows)
    if uncounted:
        advice = "Nothing of them is sold. If there is a number, map.available names another field."
        examination.add("Quantities", f"{uncounted} of {len(rows)} rows are not counted.", advice)
    flags = Counter(flag for row in rows for flag in row.flags)
    for flag, times in sorted(flags.items()):
        examination.add("Quantities", f"{counted(times, 'row')} {FLAGS.get(flag, flag)}.", "See the rows below.")
    if rows and not (uncounted or flags):
        examination.add("Quantities", "All of them are whole numbers.")


def _direct_read(examination: Examination, rows: Sequence[StockRow]) -> None:
    known = next((Ref(row.uid, row.sku, row.location) for row in rows if row.sku), None)
    if examination.subject.fetch is None:
        advice = "Without fetch the number behind a sale is read with the next full snapshot only."
        examination.add("Direct reads", "Not configured.", advice)
        return
    if known is None:
        examination.add("Direct reads", "Not tried.", "No row of the first page has a code to ask for.")
        return
    try:
        result = examination.subject.fetch([known])
    except SupplierError as error:
        examination.fail("Direct reads", error)
        return
    if not result.rows:
        advice = (
            "Compare the parameters of fetch.request with the manual; many suppliers answer a wrong one with nothing."
        )
        examination.add(
            "Direct reads", f"{known.sku} is in the list, but asking for it finds nothing.", advice, Grade.BAD
        )
    elif not examination.subject.filters():
        advice = "The filter of fetch is ignored: every read costs the whole list, and absence proves nothing."
        examination.add("Direct reads", f"Asking for {known.sku} brings other rows too.", advice, Grade.BAD)
    else:
        examination.add("Direct reads", f"Asking for {known.sku} brings just that row: the filter filters.")


def _orders(examination: Examination) -> None:
    able = examination.subject.capabilities
    if Capability.CONFIRM not in able:
        examination.add("Orders", "Cannot be placed.", "They stay subtracted until a person marks them as ordered.")
    elif Capability.READBACK not in able and Capability.IDEMPOTENT not in able:
        advice = "What became of an order without an answer must be found out by a person: add readback."
        examination.add("Orders", "Can be placed, but not looked up.", advice)
    else:
        examination.add("Orders", "Can be placed and looked up. This test has placed none.")
    if Capability.CONFIRM in able and Capability.CANCEL not in able:
        examination.add("Orders", "Cannot be called off.", "A cancelled order must be called off by a person.")


def _wire(examination: Examination) -> None:
    observed = examination.subject.observed
    if observed is None:
        return
    if observed.clock_offset is not None:
        seconds = round(observed.clock_offset)
        advice = "One of the two clocks is wrong; signatures that hold a time may be refused."
        examination.add(
            "Clock",
            f"The supplier's is {abs(seconds)} s {'ahead of' if seconds > 0 else 'behind'} ours."
            if seconds
            else "Equal to ours.",
            advice if abs(seconds) > CLOCK_SECONDS else "",
        )
    if observed.calls:
        examination.add(
            "Speed", f"{counted(observed.calls, 'answer')}, the slowest after {observed.slowest * 1000:,.0f} ms."
        )
