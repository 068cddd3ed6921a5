"""From upstream's items to rows: what is read, what is flagged, what refuses the page."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from suppliers.adapters.mapping import RowMapping
from suppliers.errors import Malformed
from suppliers.readings import StockRow


def row(item: dict[str, Any], **fields: Any) -> StockRow:
    return RowMapping({"uid": "id", "sku": "sku", "available": "stock", **fields}).row({"id": 1, "sku": "A", **item})


@pytest.mark.parametrize(
    ("stock", "available", "flags"),
    [
        (7, 7, set()),
        (0, 0, set()),
        (None, None, set()),
        (2_147_483_647, 2_147_483_647, set()),
        (4.0, 4, set()),
        (4.9, 4, {"fraction"}),
        (-3, 0, {"negative"}),
        (-4.5, 0, {"negative", "fraction"}),
        ("12", 12, {"string"}),
        (" 12.00 ", 12, {"string"}),
        ("-1", 0, {"string", "negative"}),
        ("10+", 10, {"string", "at_least"}),
        (">10", 10, {"string", "at_least"}),
        (1e-300, 0, {"fraction"}),
    ],
)
def test_quantities_that_can_be_read(stock: Any, available: int | None, flags: set[str]):
    result = row({"stock": stock})
    assert (result.available, set(result.flags)) == (available, flags)


@pytest.mark.parametrize(
    "stock",
    [
        *(True, False, [], {}, [5]),
        *(1e308, float("nan"), float("inf"), 2**31, 2**63, 10**400),
        *("", "abc", "1,234", "1e5", "NaN", "Infinity", "１０", "1_000", "0x10", "9" * 5000, "In stock"),
    ],
)
def test_quantities_that_refuse_the_page(stock: Any):
    with pytest.raises(Malformed):
        row({"stock": stock})


def test_an_absent_field_is_not_a_null():
    with pytest.raises(Malformed):
        row({})
    assert row({"stock": None}).available is None


@pytest.mark.parametrize("uid", [None, "", True, 1.0, [], {}, "a\0b", "x" * 201])
def test_uids_that_refuse_the_page(uid: Any):
    with pytest.raises(Malformed):
        row({"id": uid, "stock": 1})


@pytest.mark.parametrize(
    ("sku", "normal", "flags"),
    [
        ("AB-1", "AB-1", set()),
        ("  AB-1\u00a0", "AB-1", set()),
        ("ＡＢ－１", "AB-1", set()),
        ("0012", "0012", set()),
        (12, "12", set()),
        ("", "", {"no_sku"}),
        (None, "", {"no_sku"}),
        ("A\0B", "", {"bad_sku"}),
        ("A\u200bB", "", {"bad_sku"}),
        ("x" * 201, "", {"bad_sku"}),
    ],
)
def test_skus(sku: Any, normal: str, flags: set[str]):
    result = row({"sku": sku, "stock": 1})
    assert (result.sku, set(result.flags)) == (normal, flags)
    assert len(result.raw_sku) <= 200
    assert "\0" not in result.raw_sku


def test_the_sku_as_it_came_is_kept():
    assert row({"sku": " Ａ1 ", "stock": 1}).raw_sku == " Ａ1 "


def test_sums_keep_their_parts():
    available = {"plus": ["levels[].on_hand | sum(@)"], "minus": ["reserved"]}
    result = row({"levels": [{"on_hand": 4.5}, {"on_hand": 3}], "reserved": "2"}, available=available)
    assert (result.available, set(result.flags)) == (5, {"fraction", "string"})
    assert result.components == {"levels[].on_hand | sum(@)": Decimal("7.5"), "reserved": Decimal(2)}


@pytest.mark.parametrize(
    ("item", "outcome"), [({"reserved": None}, None), ({}, Malformed), ({"reserved": []}, Malformed)]
)
def test_a_sum_without_one_part_is_not_counted_or_refused(item: dict[str, Any], outcome: Any):
    available = {"plus": ["on_hand"], "minus": ["reserved"]}
    if outcome is None:
        assert row({"on_hand": 5, **item}, available=available).available is None
    else:
        with pytest.raises(outcome):
            row({"on_hand": 5, **item}, available=available)


def test_an_expression_that_does_not_fit_refuses_the_page():
    with pytest.raises(Malformed):
        row({"levels": ["a"]}, available="sum(levels)")


def test_unknown_inactive_and_sentinel():
    assert row({"stock": "abc", "tracked": False}, unknown_when="tracked == `false`").available is None
    off = row({"stock": 5, "state": "off"}, inactive_when="state == 'off'")
    assert (off.available, set(off.flags)) == (0, {"inactive"})
    assert row({"stock": 99_999}, sentinel_at=9_999).flags == {"sentinel"}


@pytest.mark.parametrize(("lot", "expected"), [(6, 6), ("6", 6), (2.5, 3), (None, 1), (0, 1), (-2, 1)])
def test_lots(lot: Any, expected: int):
    assert row({"stock": 1, "pack": lot}, lot="pack").lot == expected


@pytest.mark.parametrize(
    ("value", "settings"),
    [
        ("2026-01-02 11:04:05", {"format": "%Y-%m-%d %H:%M:%S", "timezone": "Asia/Shanghai"}),
        ("2026-01-02T03:04:05Z", {}),
        ("2026-01-01T21:04:05-06:00", {"format": "iso"}),
        (1767323045, {"format": "epoch_s"}),
        ("1767323045000", {"format": "epoch_ms"}),
    ],
)
def test_moments(value: Any, settings: dict[str, str]):
    result = row({"stock": 1, "at": value}, updated_at={"path": "at", **settings})
    assert result.upstream_updated_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("value", ["yesterday", 1e300, [], True, "0001-01-01T00:00:00+14:00"])
def test_a_senseless_moment_is_flagged_and_the_quantity_stands(value: Any):
    result = row({"stock": 1, "at": value}, updated_at="at")
    assert (result.available, result.upstream_updated_at, set(result.flags)) == (1, None, {"bad_time"})


# --- a page at once ---------------------------------------------------------------------------------

PLAIN = {"id": 7, "sku": "A-1", "place": "north", "stock": 3}
ODD = [
    {"id": "x"},
    {"id": "with blank"},
    {"sku": "A 1"},
    {"sku": "Ä"},
    {"sku": ""},
    {"sku": 5},
    {"sku": None},
    {"sku": "L" * 201},
    {"place": None},
    {"place": ""},
    {"stock": None},
    {"stock": -1},
    {"stock": 2.5},
    {"stock": "4"},
    {"stock": 0},
    {"more": 1},
]
REFUSED = [
    {"id": True},
    {"id": ""},
    {"id": "a\x00"},
    {"id": "L" * 201},
    {"place": 1.5},
    {"place": "L" * 101},
    {"stock": 2**31},
]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("place", [0, 150])
def test_a_page_is_what_its_rows_are(odd: dict[str, Any], place: int):
    mapping = RowMapping({"uid": "id", "sku": "sku", "available": "stock", "location": "place"})
    items = [PLAIN | {"id": number} for number in range(250)]
    items[place] |= odd
    assert mapping.rows(items) == [mapping.row(item) for item in items]


@pytest.mark.parametrize("bad", [*REFUSED, *({"without": name} for name in PLAIN)])
def test_a_page_is_refused_for_one_row(bad: dict[str, Any]):
    mapping = RowMapping({"uid": "id", "sku": "sku", "available": "stock", "location": "place"})
    item = {name: value for name, value in (PLAIN | bad).items() if name != bad.get("without")}
    with pytest.raises(Malformed):
        mapping.rows([PLAIN, item])


@pytest.mark.parametrize("item", ["text", 3, None, ["id"]])
def test_a_page_of_no_objects_is_refused(item: Any):
    with pytest.raises(Malformed):
        RowMapping({"uid": "id", "sku": "sku", "available": "stock"}).rows([item])


def test_an_empty_page_has_no_rows():
    assert RowMapping({"uid": "id", "sku": "sku", "available": "stock"}).rows([]) == []
