"""A configured share of a file's rows may be bad, and a file may be declared to hold only changes."""

from typing import Any

import pytest

from suppliers.adapters.files import adapter
from suppliers.adapters.files.configuration import faults_of
from suppliers.errors import Malformed, NotConfigured
from suppliers.readings import Capability
from suppliers.tests.file_suppliers import CSV, JSON_MAP, gateway, rows

pytestmark = pytest.mark.usefixtures("root")
TOLERANT = {"tolerate": {"bad_quantities": 0.1, "repeated_rows": 0.1}}
MANY = "".join(f"A{number},{number}\n" for number in range(20))


def test_without_tolerance_one_bad_row_refuses_the_file(root):
    with pytest.raises(Malformed, match="Row 22: A quantity is 'lots'"):
        rows(root, f"Article,Stock\n{MANY}LAMP,lots\n")


@pytest.mark.parametrize("format_", ["csv", "jsonl"])
def test_few_bad_quantities_are_not_counted_and_told(root, format_):
    lines = f"Article,Stock\n{MANY}LAMP,lots\n"
    config: dict[str, Any] = {**TOLERANT, "format": format_}
    if format_ == "jsonl":
        config["map"] = JSON_MAP
        lines = "".join(f'{{"id": "A{number}", "sku": "A{number}", "stock": {number}}}\n' for number in range(20))
        lines += '{"id": "LAMP", "sku": "LAMP", "stock": "lots"}\n'
    (root / "stock.csv").write_text(lines)
    (page,) = gateway(**config).snapshot()
    doubts: Any = page.doubts
    lamp = page.rows[-1]
    assert (lamp.uid, lamp.sku, lamp.available, lamp.flags) == ("LAMP", "LAMP", None, frozenset({"bad_quantity"}))
    assert [row.available for row in page.rows[:20]] == list(range(20))
    assert list(doubts) == ["bad_quantities"]
    assert doubts["bad_quantities"]["rows"] == 1
    assert "'lots'" in doubts["bad_quantities"]["as"][0]


def test_more_than_that_refuses_the_file(root):
    with pytest.raises(Malformed, match=r"3 bad quantities in 23 rows, and 10.00% are tolerated") as refused:
        rows(root, f"Article,Stock\n{MANY}LAMP,lots\nBULB,?\nTUBE,=A1\n", **TOLERANT)
    assert "Row 22" in refused.value.evidence


def test_a_row_without_a_key_is_never_tolerated(root):
    with pytest.raises(Malformed, match="Row 22"):
        rows(root, f"Article,Stock\n{MANY},lots\n", **TOLERANT)


def test_rows_that_come_again_are_not_counted(root, monkeypatch):
    monkeypatch.setattr(adapter, "PAGE_ROWS", 8)
    (root / "stock.csv").write_text(f"Article,Stock\nLAMP,3\n{MANY}LAMP,4\n")
    pages = list(gateway(**TOLERANT).snapshot())
    found = [row for page in pages for row in page.rows]
    assert [(row.uid, row.available, row.flags) for row in found[:2]] == [
        ("LAMP", None, frozenset({"repeated"})),
        ("A0", 0, frozenset()),
    ]
    assert len(found) == 21
    assert pages[-1].doubts == {"repeated_rows": {"rows": 1, "as": ["LAMP"]}}
    for number, page in enumerate(pages[:-1]):
        again = [row for later in gateway(**TOLERANT).snapshot(page.cursor) for row in later.rows]
        assert again == [row for later in pages[number + 1 :] for row in later.rows], "it goes on anywhere"


def test_too_many_that_come_again_refuse_the_file(root):
    with pytest.raises(Malformed, match="3 repeated rows in 23 rows"):
        rows(root, f"Article,Stock\n{MANY}A1,1\nA2,2\nA3,3\n", **TOLERANT)


def test_changes_are_declared_and_lie_elsewhere(root):
    assert Capability.CHANGES not in gateway().capabilities
    changing = gateway(changes={"path": "changes.csv"})
    assert Capability.CHANGES in changing.capabilities
    (root / "changes.csv").write_text("Article,Stock\nLAMP,2\n")
    assert [(row.uid, row.available) for page in changing.changes() for row in page.rows] == [("LAMP", 2)]
    with pytest.raises(NotConfigured, match="changes"):
        next(gateway().changes())
    assert faults_of({**CSV, "changes": {"path": "stock.csv"}}) == ["changes.path: is that of the whole file."]
