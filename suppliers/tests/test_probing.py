"""What a test of a supplier tells a person: each finding, and what to do next."""

import time
from email.utils import formatdate
from typing import Any

import pytest

from suppliers.adapters.findings import advice_for
from suppliers.errors import SupplierError
from suppliers.readings import Finding, Grade, ProbeReport
from suppliers.tests.conftest import LIST, MakeGateway
from suppliers.tests.test_listing import ITEMS, PAGE, asked, fetching, listing
from suppliers.tests.upstream import Seen, reply, running_upstream

ROWS = [{"id": 1, "sku": "A", "stock": 3}, {"id": 2, "sku": "B", "stock": 0}]


def findings(report: ProbeReport, subject: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.subject == subject]


def probe(make_gateway: MakeGateway, answer: Any, **config: Any) -> ProbeReport:
    with running_upstream(answer) as upstream:
        return make_gateway(upstream, **config).probe()


def test_all_is_well(make_gateway):
    def answer(seen: Seen) -> bytes:
        if "sku" in seen.query:
            return asked(seen)
        first = (int(seen.query["page"]) - 1) * 2
        return reply({"items": ITEMS[first : first + 2], "total": 5}, Date=formatdate(usegmt=True))

    order = {"request": {"method": "POST", "path": "/orders"}, "accepted": "id"}
    report = probe(
        make_gateway,
        answer,
        list=listing({"type": "page"}, PAGE, total="total"),
        fetch=fetching(),
        confirm=order,
        readback={"request": {"path": "/orders"}, "items": "@", "accepted": "id"},
        cancel={"request": {"method": "DELETE", "path": "/orders"}},
    )
    assert report.ok
    assert {finding.grade for finding in report.findings} == {Grade.GOOD}, report.findings
    told = " ".join(report.messages)
    assert "2 rows of 5 in all" in told
    assert "2 other rows" in told
    assert "the filter filters" in told
    assert "4 answers" not in told
    assert "3 answers" in told


@pytest.mark.parametrize(
    ("answer", "subject", "advice"),
    [
        (reply(status=401), "Signing in", "Check auth"),
        (reply(status=403), "Signing in", "permission to read stock"),
        (reply(status=429), "First page", "limits.rate"),
        (reply(status=500), "First page", "the supplier is down"),
        (b"", "First page", "the supplier is down"),
        (reply(body=b"<html>Please sign in</html>"), "First page", "list.items"),
        (reply({"data": []}), "First page", "list.items"),
    ],
)
def test_a_failure_says_what_to_do_next(answer: bytes, subject: str, advice: str, make_gateway):
    report = probe(make_gateway, lambda _: answer)
    (found,) = findings(report, subject)
    assert (report.ok, found.grade) == (False, Grade.BAD)
    assert advice in found.advice


def test_every_error_has_an_advice():
    def kinds(kind: type[SupplierError]) -> list[type[SupplierError]]:
        return [kind, *(below for child in kind.__subclasses__() for below in kinds(child))]

    ours = [kind for kind in kinds(SupplierError)[1:] if kind.__module__ == SupplierError.__module__]
    silent = {kind.__name__ for kind in ours if not advice_for(kind.__new__(kind))}
    assert silent <= {"Conflict"}, "a test places no order"


def test_the_answer_that_was_not_understood_is_shown_without_secrets(make_gateway):
    report = probe(make_gateway, lambda _: reply({"you sent": "hush-hush"}), headers={"X-Key": "$secret.token"})
    (found,) = findings(report, "First page")
    assert found.evidence == '{"you sent": "[secret]"}'


@pytest.mark.parametrize(
    ("rows", "subject", "detail", "grade"),
    [
        ([], "First page", "No rows", Grade.NOTE),
        ([*ROWS, {"id": 3, "sku": "A", "stock": 1}], "Codes", "On several rows: A.", Grade.NOTE),
        (
            [*ROWS, {"id": 3, "sku": "a", "stock": 1}],
            "Codes",
            "Different in upper and lower case only: A/a.",
            Grade.NOTE,
        ),
        ([*ROWS, ROWS[0]], "Rows", "Uid and location stand twice for 1 row.", Grade.BAD),
        ([{"id": 1, "sku": "A", "stock": None}], "Quantities", "1 of 1 rows are not counted", Grade.NOTE),
        ([{"id": 1, "sku": "A", "stock": -2}], "Quantities", "1 row below 0", Grade.NOTE),
        ([{"id": 1, "sku": None, "stock": 2}], "Quantities", "1 row without a code", Grade.NOTE),
    ],
)
def test_rows_that_need_a_look(rows: Any, subject: str, detail: str, grade: Grade, make_gateway):
    report = probe(make_gateway, lambda _: reply({"items": rows}))
    found = [one for one in findings(report, subject) if one.detail.startswith(detail)]
    assert [one.grade for one in found] == [grade], report.findings
    assert found[0].advice


def test_a_page_parameter_that_is_ignored(make_gateway):
    report = probe(
        make_gateway, lambda _: reply({"items": ITEMS[:2]}), list=listing({"type": "page"}, {"side": "$page"})
    )
    (found,) = findings(report, "Paging")
    assert (found.grade, "equals the one before" in found.detail) == (Grade.BAD, True)


def test_a_list_that_is_longer_than_what_is_read(make_gateway):
    report = probe(make_gateway, lambda _: reply({"items": ITEMS[:2], "total": 5}), list={**LIST, "total": "total"})
    assert "list.paginate" in findings(report, "Paging")[0].advice


@pytest.mark.parametrize(
    ("rows", "detail", "grade"),
    [
        (ITEMS, "brings other rows too", Grade.BAD),
        ([], "finds nothing", Grade.BAD),
        (ITEMS[:1], "the filter filters", Grade.GOOD),
    ],
)
def test_whether_the_filter_filters(rows: Any, detail: str, grade: Grade, make_gateway):
    def answer(seen: Seen) -> bytes:
        return reply({"items": rows if seen.query else ITEMS})

    (found,) = findings(probe(make_gateway, answer, fetch=fetching()), "Direct reads")
    assert (detail in found.detail, found.grade) == (True, grade)


@pytest.mark.parametrize(("seconds", "grade"), [(0, Grade.GOOD), (900, Grade.NOTE), (-900, Grade.NOTE)])
def test_the_distance_of_the_clocks(seconds: float, grade: Grade, make_gateway):
    report = probe(make_gateway, lambda _: reply({"items": ROWS}, Date=formatdate(time.time() + seconds, usegmt=True)))
    (found,) = findings(report, "Clock")
    assert found.grade is grade
    assert ("behind" in found.detail) == (seconds < 0)


def test_what_it_cannot_do_and_what_follows(make_gateway):
    told = {one.subject: one.advice for one in probe(make_gateway, lambda _: reply({"items": ROWS})).findings}
    assert "until a person marks them" in told["Orders"]
    assert "next full snapshot only" in told["Direct reads"]
