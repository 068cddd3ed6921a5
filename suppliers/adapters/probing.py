"""A test of a supplier for a person: what works, what does not, what it means, and what to do next.

Read-only: it signs in, reads two pages and one row, and never sends an order.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from suppliers.adapters.findings import bad, counted, failure, good, note
from suppliers.adapters.observed import Observed
from suppliers.adapters.row_findings import keys, of_rows
from suppliers.errors import AuthExpired, Forbidden, SupplierError
from suppliers.readings import Capability, FetchResult, Finding, Grade, Page, ProbeReport, Ref, StockRow

PROBE_SECONDS = 25.0  # the whole test: somebody waits for the page
CLOCK_SECONDS = 5.0  # beyond which signatures with a time may be refused


@dataclass(frozen=True, slots=True)
class Subject:
    """What is tested.  fetch: None without direct reads.  filters: whether one has found what it asked for alone."""

    pages: Callable[[], Iterator[Page]]
    fetch: Callable[[Sequence[Ref]], FetchResult] | None
    filters: Callable[[], bool]
    capabilities: Capability
    observed: Observed | None = None


def examine(subject: Subject) -> ProbeReport:
    """Everything that can be found out without changing anything; errors are findings."""
    pages = subject.pages()
    findings: list[Finding] = []
    page = None
    try:
        page = next(pages)
    except (AuthExpired, Forbidden) as error:
        findings.append(failure("Signing in", error))
    except SupplierError as error:
        findings.append(failure("First page", error))
    if page is not None:
        findings += [good("Signing in", "Accepted."), _first_page(page), _second_page(page, pages)]
        findings += [*of_rows(page.rows), _direct_read(subject, page.rows), *_orders(subject.capabilities)]
    if subject.observed is not None:
        findings += _wire(subject.observed)
    return report(findings, page)


def report(findings: Sequence[Finding], page: Page | None = None) -> ProbeReport:
    ok = all(finding.grade is not Grade.BAD for finding in findings)
    return ProbeReport(ok, [f"{finding.subject}: {finding.detail}" for finding in findings], page, findings)


def failed(error: SupplierError) -> ProbeReport:
    """The report of what could not even be begun."""
    return report([failure("Configuration", error)])


def _first_page(page: Page) -> Finding:
    total = "without a total" if page.total is None else f"of {page.total:,} in all"
    if not page.rows:
        advice = "If the supplier has stock, list.items names another list, or a parameter filters everything out."
        return note("First page", f"No rows {total}.", advice)
    age = f", {page.age:.0f} s old by its own word" if page.age else ""
    return good("First page", f"{counted(len(page.rows), 'row')} {total}{age}.")


def _second_page(first: Page, pages: Iterator[Page]) -> Finding:
    if first.cursor is None:
        detail = "The list ends with the first page."
        if first.total is None or first.total == len(first.rows):
            return good("Paging", detail)
        return note(
            "Paging", detail, "The first page is not all, but the configuration stops there: see list.paginate."
        )
    try:
        second = next(pages)
    except SupplierError as error:
        return failure("Paging", error)
    twice = keys(first.rows) & keys(second.rows)
    if twice:
        advice = "The parameter that turns the page is ignored, or the list has no order: sort by id, and name key."
        return bad("Paging", f"Of the first page, {counted(len(twice), 'row')} come again on the second.", advice)
    return good("Paging", f"The second page holds {counted(len(second.rows), 'other row')}.")


def _direct_read(subject: Subject, rows: Sequence[StockRow]) -> Finding:
    known = next((Ref(row.uid, row.sku, row.location) for row in rows if row.sku), None)
    if subject.fetch is None:
        advice = "Without fetch the number behind a sale is read with the next full snapshot only."
        return note("Direct reads", "Not configured.", advice)
    if known is None:
        return note("Direct reads", "Not tried.", "No row of the first page has a code to ask for.")
    try:
        result = subject.fetch([known])
    except SupplierError as error:
        return failure("Direct reads", error)
    if not result.rows:
        detail = f"{known.sku} is in the list, but asking for it finds nothing."
        advice = "Compare the parameters of fetch.request with the manual; many answer a wrong one with nothing."
        return bad("Direct reads", detail, advice)
    if not subject.filters():
        advice = "The filter of fetch is ignored: every read costs the whole list, and absence proves nothing."
        return bad("Direct reads", f"Asking for {known.sku} brings other rows too.", advice)
    return good("Direct reads", f"Asking for {known.sku} brings just that row: the filter filters.")


def _orders(able: Capability) -> Iterator[Finding]:
    if Capability.CONFIRM not in able:
        yield note("Orders", "Cannot be placed.", "They stay subtracted until a person marks them as ordered.")
        return
    if able & (Capability.READBACK | Capability.IDEMPOTENT):
        yield good("Orders", "Can be placed and looked up. This test has placed none.")
    else:
        advice = "What became of an order without an answer must be found out by a person: add readback."
        yield note("Orders", "Can be placed, but not looked up.", advice)
    if Capability.CANCEL not in able:
        yield note("Orders", "Cannot be called off.", "A cancelled order must be called off by a person.")


def _wire(observed: Observed) -> Iterator[Finding]:
    if observed.clock_offset is not None:
        yield _clock(round(observed.clock_offset))
    if observed.calls:
        answers = counted(observed.calls, "answer")
        yield good("Speed", f"{answers}, the slowest after {observed.slowest * 1000:,.0f} ms.")


def _clock(ahead: int) -> Finding:
    """ahead: seconds that the supplier's is ahead of ours."""
    where = (
        f"The supplier's is {abs(ahead)} s {'ahead of' if ahead > 0 else 'behind'} ours." if ahead else "Equal to ours."
    )
    if abs(ahead) <= CLOCK_SECONDS:
        return good("Clock", where)
    return note("Clock", where, "One of the two clocks is wrong; signatures that hold a time may be refused.")
