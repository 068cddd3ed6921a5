"""`manage.py mark_orders`: a file is taken in whole, or refused with every fault named."""

import io

import pytest
from django.core.management import CommandError, call_command

from inventory.models import Allocation
from inventory.tests.promises import place

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def orders(make_level, make_supplier):
    level = make_level("A", 10, supplier=make_supplier("hand"))
    for number in (1, 2):
        place(f"order-{number}", {"A": 2})
    return level


def run(tmp_path, content: bytes, *options: str) -> str:
    path, out = tmp_path / "marks.csv", io.StringIO()
    path.write_bytes(content)
    call_command("mark_orders", str(path), *options, stdout=out, stderr=out)
    return out.getvalue()


def states() -> list[str]:
    return list(Allocation.objects.order_by("id").values_list("state", flat=True))


HEADER = b"order,supplier,said,upstream_order,at\n"


def test_a_file_marks_its_orders(tmp_path, orders):
    content = HEADER + b"order-1,hand,ordered,SO-1,\norder-2,hand,lost,,\n"
    assert run(tmp_path, content, "--dry-run") == "dry run: 2 orders could be marked\n"
    assert states() == ["committed", "committed"]
    assert run(tmp_path, b"\xef\xbb\xbf" + content) == "2 marked, 0 known already, 0 refused\n"
    assert states() == ["confirmed", "lost"]
    first = Allocation.objects.get(reference="order-1")
    assert first.upstream_order == "SO-1"
    assert first.detail.endswith("marks.csv, line 2")
    assert run(tmp_path, content) == "0 marked, 2 known already, 0 refused\n"


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        (b"order-9,hand,ordered,,", "no such order"),
        (b"order-1,elsewhere,ordered,,", "no supplier 'elsewhere'; there are hand"),
        (b"order-1,hand,sent,,", "is not one of ordered, counted, lost"),
        (b"order-1,hand,ordered,=1+1,", "formula"),
        (b"order-1,hand,ordered,,2026-01-31T18:00:00", "no offset"),
        (b"order-1,hand,ordered,,yesterday", "yesterday"),
        (b"order-1,hand,ordered,,2020-01-31T18:00:00Z", "before the order"),
        (b"order-1,hand,ordered", "as many cells"),
        (b"order-1,hand,ordered,,,,", "as many cells"),
        (b"order-2,hand,ordered,,", "line before"),
        (b"order-\xff,hand,ordered,,", "UTF-8"),
        (b"order-\x00,hand,ordered,,", "not a text"),
        (b'"order-1,hand', "unexpected end"),
    ],
)
def test_a_fault_anywhere_changes_nothing(tmp_path, orders, capsys, line: bytes, fault: str):
    path, out = tmp_path / "marks.csv", io.StringIO()
    path.write_bytes(HEADER + b"order-2,hand,ordered,,\n" + line + b"\n")
    with pytest.raises(CommandError, match="nothing was changed"):
        call_command("mark_orders", str(path), stdout=out, stderr=out)
    assert fault in out.getvalue()
    assert states() == ["committed", "committed"]


@pytest.mark.parametrize("content", [b"", HEADER, b"order,supplier\n", b"order,supplier,said,price\na,b,c,d\n"])
def test_a_file_of_another_kind_is_refused(tmp_path, orders, content: bytes):
    with pytest.raises(CommandError, match="nothing was changed"):
        run(tmp_path, content)
