from decimal import Decimal

import pytest

from inventory.snapshots.guards import Moves, PageGuard, Refused, Whole, check_moves, check_whole, whole_units
from suppliers.readings import Page, StockRow


def row(uid: str = "r1", sku: str = "A", location: str = "", available: int | None = 1) -> StockRow:
    return StockRow(uid, sku, sku, location, available)


def page(*uids: str, cursor: int | None = 1) -> Page:
    return Page([row(uid) for uid in uids], cursor, None)


def whole(rows: int, total: int | None = None, expected: int = 0, ratio: str = "0.8") -> Whole:
    return Whole(rows, total, expected, Decimal(ratio))


@pytest.mark.parametrize(
    "good",
    [whole(0), whole(5, 5), whole(5, None, 5), whole(80, 80, 100), whole(200, 200, 100), whole(1, 1, 100, "0")],
)
def test_what_is_whole(good):
    check_whole(good)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (whole(4, 5), "4 distinct rows were read of 5 announced"),
        (whole(6, 5), "6 distinct rows were read of 5 announced"),
        (whole(0, 0, 100), "no rows at all"),
        (whole(0, None, 1, "0"), "no rows at all"),
        (whole(79, 79, 100), "80% of them are required"),
    ],
)
def test_what_is_not_whole(bad, reason):
    with pytest.raises(Refused, match=reason):
        check_whole(bad)


HALF = Decimal("0.5")


@pytest.mark.parametrize(
    "good", [Moves(0, 0, 0), Moves(100, 50, 50), Moves(19, 19, 0), Moves(19, 0, 19), Moves(1_000, 21, 21)]
)
def test_a_catalogue_may_move_so_far(good):
    check_moves(good, HALF, HALF)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (
            Moves(100, 51, 0),
            "51 of the 100 rows that were in stock went to 0 at once, and 50% may; raise the supplier's",
        ),
        (Moves(25, 0, 25), "25 of the 25 rows that were in stock jumped at once"),
    ],
)
def test_a_catalogue_does_not_move_as_one(bad, reason):
    with pytest.raises(Refused, match=reason) as refusal:
        check_moves(bad, HALF, HALF)
    assert refusal.value.evidence["in_stock"] == bad.in_stock
    check_moves(bad, None, None)


def test_a_page_that_repeats_its_predecessor():
    guard = PageGuard(asked=None)
    guard.check(page("a", "b", cursor=1))
    guard.check(page("c", cursor=2))
    with pytest.raises(Refused, match="page 3 repeats"):
        guard.check(page("c", cursor=3))


def test_empty_pages_without_end():
    guard = PageGuard(asked=None)
    guard.check(page(cursor=1))
    with pytest.raises(Refused, match="repeats"):
        guard.check(page(cursor=2))


def test_pages_that_are_still_being_prepared_repeat_nothing():
    guard = PageGuard(asked=7)
    for _ in range(3):
        guard.check(Page([], 7, None, pending=True))
    guard.check(page("a", cursor=8))
    assert guard.number == 4


def test_a_page_that_points_to_itself():
    guard = PageGuard(asked=7, number=3)
    with pytest.raises(Refused, match="page 4 points to itself"):
        guard.check(page("a", cursor=7))


def test_the_last_page_points_nowhere():
    PageGuard(asked=None).check(page("a", cursor=None))


@pytest.mark.parametrize(
    "bad", [row(uid=""), row(uid="x" * 201), row(uid="a\x00b"), row(location="x" * 101), row(sku="x" * 201)]
)
def test_a_row_without_a_usable_key(bad):
    with pytest.raises(Refused) as refusal:
        PageGuard(asked=None).check(Page([bad], None, None))
    assert len(str(refusal.value.evidence)) < 2_000


def test_evidence_is_bounded():
    guard = PageGuard(asked=None)
    guard.check(page(*map(str, range(10_000))))
    with pytest.raises(Refused) as refusal:
        guard.check(page(*map(str, range(10_000)), cursor=2))
    assert len(refusal.value.evidence["rows"]) == 5


@pytest.mark.parametrize(
    ("available", "stored"), [(0, 0), (None, None), (2**31 - 1, 2**31 - 1), (2**31, None), (-(2**40), None)]
)
def test_a_number_that_no_column_holds_is_not_counted(available, stored):
    units, flags = whole_units(row(available=available))
    assert units == stored
    assert ("out_of_range" in flags) == (available is not None and stored is None)
