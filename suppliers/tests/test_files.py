"""Files as suppliers send them: what is read, what is flagged, and what is refused as a whole."""

import gzip
import io
import os
import tracemalloc
import zipfile

import pytest

from suppliers.adapters.files import adapter
from suppliers.adapters.files.configuration import faults_of
from suppliers.errors import BlockedAddress, Malformed, NotConfigured, Transient, Unchanged
from suppliers.readings import Capability
from suppliers.tests.file_suppliers import CSV, JSON_MAP, MAP, gateway, rows, units
from suppliers.tests.workbooks import workbook

pytestmark = pytest.mark.usefixtures("root")
LAMPS = [("LAMP", 3), ("BULB", 0)]


@pytest.mark.parametrize(
    ("content", "config"),
    [
        ("Article,Stock\nLAMP,3\nBULB,0\n", {}),
        ("Article;Stock\r\nLAMP;3\r\nBULB;0", {}),
        ("Article\tStock\nLAMP\t3\nBULB\t0\n", {"format": "tsv"}),
        ("Stock|Name|Article\n3|a lamp|LAMP\n\n0||BULB\n", {}),
        ('"Article","Stock","Name"\n"LAMP","3","two\nlines, one cell"\nBULB,0,\n', {}),
        ("Article,Stock,,\nLAMP,3,,\nBULB,0,,\n", {}),
        ("our list\nof today\nArticle,Stock\nLAMP,3\nBULB,0\n", {"skip_rows": 2}),
        ("LAMP,3\nBULB,0\n", {"header": False, "map": {"uid": 1, "sku": 1, "available": 2}}),
        ("Article,Stock\nLAMP,3\nBULB,0\nEND,2\n", {"trailer": {"text": "END", "column": 2}}),
        (gzip.compress(b"Article,Stock\nLAMP,3\nBULB,0\n"), {}),
        ('{"id": 1, "sku": "LAMP", "stock": 3}\n\n{"id": 2, "sku": "BULB", "stock": 0}', {"format": "jsonl"}),
        ('[{"id": 1, "sku": "LAMP", "stock": 3}, {"id": 2, "sku": "BULB", "stock": 0}]', {"format": "json"}),
        (
            '\ufeff{"a": {"b": [{"id": 1, "sku": "LAMP", "stock": 3.0}, {"id": 2, "sku": "BULB", "stock": 0}]}}',
            {"format": "json", "items": "a.b"},
        ),
    ],
)
def test_every_format_is_read(root, content, config):
    if config.get("format") in ("json", "jsonl"):
        config = {**config, "map": JSON_MAP}
    assert units(root, content, **config) == LAMPS


def test_a_packed_file_is_read_out_of_its_archive(root):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("stock.csv", "Article,Stock\nLAMP,3\nBULB,0\n")
    assert units(root, archive.getvalue()) == LAMPS


CHINESE = "货号,库存\n灯泡-一号,3\n台灯-二号,有货\n缺货的东西,无货\n" * 1


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"])
def test_every_encoding_is_detected(root, encoding):
    config = {"map": {"uid": "货号", "available": "库存"}, "words": {"有货": 10, "无货": 0}}
    found = rows(root, CHINESE.encode(encoding), **config)
    assert [(row.uid, row.available) for row in found] == [("灯泡-一号", 3), ("台灯-二号", 10), ("缺货的东西", 0)]


def test_what_could_be_anything_must_be_configured(root):
    content = "Article,Stock\nLÄMPCHEN-GRÜN,3\n".encode("cp1252")
    with pytest.raises(Malformed, match=r"not UTF-8.*Set `encoding`"):
        rows(root, content)
    assert units(root, content, encoding="cp1252") == [("LÄMPCHEN-GRÜN", 3)]
    with pytest.raises(Malformed, match="encoding"):
        rows(root, content, encoding="utf-8")


WORDS = {"In stock": 10, "call us": None}


@pytest.mark.parametrize(
    ("cell", "config", "expected", "flags"),
    [
        ("12", {}, 12, set()),
        (" 12 ", {}, 12, set()),
        ("１２", {}, 12, set()),
        ("-4", {}, 0, {"negative"}),
        ("4.5", {}, 4, {"fraction"}),
        ("4,5", {"decimal": ","}, 4, {"fraction"}),
        ("1.234,0", {"decimal": ",", "thousands": "."}, 1_234, set()),
        ("1,234,567", {"thousands": ","}, 1_234_567, set()),
        ("1\u00a0234", {"thousands": " "}, 1_234, set()),
        (">10", {}, 10, {"at_least"}),
        ("10+", {}, 10, {"at_least"}),
        (" in  STOCK", {"words": WORDS}, 10, {"word"}),
        ("Call us", {"words": WORDS}, None, {"word"}),
        ("", {}, None, {"empty"}),
    ],
)
def test_quantities_as_people_write_them(root, cell, config, expected, flags):
    (row,) = rows(root, f'Article;Stock\nLAMP;"{cell}"\n', **config)
    assert (row.available, row.flags) == (expected, frozenset(flags))


@pytest.mark.parametrize("cell", ["many", "1,234", "1.2.3", "=A1", "1e3", "NaN", "99999999999999", "12 pcs", "--"])
def test_a_quantity_that_is_none_refuses_the_file(root, cell):
    with pytest.raises(Malformed, match=r"^Row 3: "):
        rows(root, f'Article;Stock\nBULB;1\nLAMP;"{cell}"\n')


def test_thousands_must_be_groups_of_three(root):
    with pytest.raises(Malformed):
        rows(root, 'Article;Stock\nLAMP;"1.23"\n', thousands=".", decimal=",")


@pytest.mark.parametrize(
    ("cell", "uid", "flags"),
    [
        ("1E5", "1E5", {"exponent"}),
        ("1,23E+11", "1,23E+11", {"exponent"}),
        ("123", "123", {"lost_zeros"}),
        ("00123", "00123", set()),
        ('="00123"', "00123", {"formula"}),
    ],
)
def test_what_a_spreadsheet_spoiled_is_flagged(root, cell, uid, flags):
    quoted = cell.replace('"', '""')
    (row,) = rows(root, f'Article;Stock\n"{quoted}";1\n', code_length=5)
    assert (row.uid, row.sku, row.flags) == (uid, uid, frozenset(flags))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("Article,Stock\nLAMP\n", "Row 2: It has 1 cells below 2 columns"),
        ("Article,Stock\nLAMP,1,000\n", "Row 2: It has 3 cells below 2 columns"),
        ("Article,Stock\n,1\n", "Row 2: A uid is empty"),
        ("Article,Stock\n=HYPERLINK(1),1\n", "Row 2: A code is the formula"),
        ("Article,Stock\n\x07,1\n", "Row 2: A uid is too long or holds"),
        ("Code,Stock\nLAMP,1\n", "The column 'Article' is there 0 times; there is 'Code', 'Stock'"),
        ("Article,Stock,Stock\nLAMP,1,2\n", "The column 'Stock' is there 2 times"),
        ("", "The column 'Article' is there 0 times; there is no header"),
        ('Article,Stock\n"LAMP,1\n', "cannot be read as csv"),
        ("Article,Stock\n" + "x" * 200_000 + ",1\n", "cannot be read as csv"),
        (gzip.compress(b"Article,Stock\n" + b"LAMP,3\n" * 999)[:-20], "cannot be read as csv"),
        (b"PK\x03\x04 nonsense", "cannot be read as csv"),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_refused(root, content, reason):
    with pytest.raises(Malformed) as refusal:
        rows(root, content)
    assert reason in str(refusal.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("Article,Stock\nLAMP,3\n", "no trailer"),
        ("Article,Stock\nLAMP,3\nEND,2\n", "has 1 rows, and its trailer says 2"),
        ("Article,Stock\nEND,1\nLAMP,3\n", "Row 3 comes after the trailer"),
        ("Article,Stock\nLAMP,3\nEND,many\n", "does not tell"),
    ],
)
def test_a_trailer_proves_that_nothing_is_missing(root, content, reason):
    with pytest.raises(Malformed, match=reason):
        rows(root, content, trailer={"text": "END", "column": 2})


@pytest.mark.parametrize(
    ("content", "config"),
    [
        ('[{"id": 1, "sku": "LAMP", "stock": 3}, {"id": 2,', {"format": "json"}),
        ('{"rows": []}', {"format": "json", "items": "data"}),
        ("{}", {"format": "json"}),
        ('{"id": 1, "sku": "LAMP"}', {"format": "jsonl"}),
        ('{"id": 1, "sku": "LAMP", "stock": 3}\n{"id": 2,', {"format": "jsonl"}),
        (b'{"id": 1, "sku": "\xff", "stock": 3}', {"format": "jsonl"}),
        ('{"id": "' + "x" * 1_100_000 + '"}', {"format": "jsonl"}),
        ("[" * 100_000, {"format": "json"}),
        ("<html>", {"format": "json"}),
    ],
)
def test_broken_json_is_refused(root, content, config):
    with pytest.raises(Malformed):
        rows(root, content, map=JSON_MAP, **config)


def test_an_empty_list_is_a_list(root):
    assert rows(root, '{"rows": []}', map=JSON_MAP, format="json", items="rows") == []


SHEET = {"format": "xlsx", "path": "stock.xlsx"}


def test_a_workbook_is_read(root):
    content = workbook([["Article", "Stock"], ["LAMP", 3], [123.0, "4"], ["007", None], ["BULB", 2.5]])
    found = rows(root, content, **SHEET)
    assert [(row.uid, row.available, set(row.flags)) for row in found] == [
        ("LAMP", 3, set()),
        ("123", 4, {"numeric"}),
        ("007", None, {"empty"}),
        ("BULB", 2, {"fraction"}),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"Article,Stock\n", "cannot be read as xlsx"),
        (b"", "cannot be read as xlsx"),
        (workbook([["Article", "Stock"]])[:-200], "cannot be read as xlsx"),
        (workbook([["Article"], ["LAMP"]]), "The column 'Stock'"),
        (workbook([["Article", "Stock"], ["LAMP", "x"]]), "Row 2: A quantity"),
    ],
)
def test_a_workbook_that_is_none_is_refused(root, content, reason):
    with pytest.raises(Malformed) as refusal:
        rows(root, content, **SHEET)
    assert reason in str(refusal.value)


def test_a_sheet_that_is_not_there_is_named(root):
    with pytest.raises(Malformed, match="WorksheetNotFound: Prices"):
        rows(root, workbook([["Article", "Stock"]]), sheet="Prices", **SHEET)


@pytest.mark.parametrize("format_", ["csv", "xlsx"])
def test_a_bomb_is_not_unpacked(root, format_):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed, packed.open("xl/bomb", "w") as bomb:
        for _ in range(50):
            bomb.write(b"\x00" * 1_000_000)
    (root / "stock.csv").write_bytes(archive.getvalue())
    tracemalloc.start()
    with pytest.raises(Malformed, match="unpacks to"):
        list(gateway(format=format_, limits={"max_unpacked_bytes": 1_000_000}).snapshot())
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_a_file_above_the_cap_is_not_read(root):
    with pytest.raises(Malformed, match="larger than 1,000 bytes"):
        rows(root, "Article,Stock\n" + "LAMP,1\n" * 1_000, limits={"max_bytes": 1_000})


def test_pages_can_be_gone_on_from(root, monkeypatch):
    monkeypatch.setattr(adapter, "PAGE_ROWS", 3)
    content = "Article,Stock\n" + "".join(f"A-{number},{number}\n" for number in range(8))
    (root / "stock.csv").write_text(content)
    pages = list(gateway().snapshot())
    assert [len(page.rows) for page in pages] == [3, 3, 2]
    assert [page.total for page in pages] == [None, None, 8]
    rest = list(gateway().snapshot(pages[0].cursor))
    assert [row.uid for page in rest for row in page.rows] == [f"A-{number}" for number in range(3, 8)]
    assert rest[-1].total == 8
    (root / "stock.csv").write_text(content.replace("A-7", "B-7"))
    with pytest.raises(Malformed, match="another one"):
        next(gateway().snapshot(pages[0].cursor))


def test_a_full_last_page_is_the_last(root, monkeypatch):
    monkeypatch.setattr(adapter, "PAGE_ROWS", 2)
    (root / "stock.csv").write_text("Article,Stock\nA,1\nB,2\nC,3\nD,4\n")
    assert [(len(page.rows), page.cursor is None) for page in gateway().snapshot()] == [(2, False), (2, True)]


def test_the_age_is_that_of_the_file(root):
    rows(root, "Article,Stock\nLAMP,1\n")
    os.utime(root / "stock.csv", (0, (root / "stock.csv").stat().st_mtime - 3_600))
    (page,) = gateway().snapshot()
    assert page.age == pytest.approx(3_600, abs=10)


def test_the_same_bytes_are_no_news_whenever_they_were_written(root):
    rows(root, "Article,Stock\nLAMP,1\n")
    (page,) = gateway().snapshot()
    os.utime(root / "stock.csv", (0, (root / "stock.csv").stat().st_mtime - 60))
    with pytest.raises(Unchanged):
        next(gateway().snapshot(unless=page.mark))
    # Read another way it is another catalogue.
    assert next(gateway(map={**MAP, "available": 2}).snapshot(unless=page.mark)).rows
    rows(root, "Article,Stock\nLAMP,2\n")
    assert next(gateway().snapshot(unless=page.mark)).rows


def test_a_file_that_is_being_written_is_left_alone(root):
    (root / "stock.csv").write_text("Article,Stock\nLAMP,1\n")
    with pytest.raises(Transient, match="it is read when"):
        next(gateway(still_seconds=60).snapshot())
    os.utime(root / "stock.csv", (0, (root / "stock.csv").stat().st_mtime - 61))
    assert next(gateway(still_seconds=60).snapshot()).rows


def test_a_marker_says_that_the_file_is_whole(root):
    (root / "stock.csv").write_text("Article,Stock\nLAMP,1\n")
    with pytest.raises(Transient, match=r"'stock.csv.done' cannot be opened"):
        next(gateway(done="{path}.done").snapshot())
    (root / "stock.csv.done").touch()
    assert next(gateway(done="{path}.done").snapshot()).rows


def test_nothing_outside_the_root_is_read(root, tmp_path_factory, settings):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.csv"
    secret.write_text("Article,Stock\nLAMP,1\n")
    (root / "link.csv").symlink_to(secret)
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe.csv")
    for path in (str(secret), f"../{secret.parent.name}/secret.csv", "link.csv", "folder", "pipe.csv", ".", "a/../.."):
        with pytest.raises(BlockedAddress):
            next(gateway(path=path).snapshot())
    settings.SUPPLIER_FILES_ROOT = ""
    with pytest.raises(NotConfigured, match="SUPPLIER_FILES_ROOT"):
        next(gateway().snapshot())


def test_such_a_supplier_can_only_be_read():
    assert gateway().capabilities == Capability.SNAPSHOT


def test_a_test_shows_rows_and_flags(root):
    rows(root, "Article,Stock\n1E5,1\n")
    report = gateway().probe()
    assert report.ok
    assert report.messages[-1] == "Flags in these rows: exponent."
    assert "NotConfigured" not in str(gateway(path="absent.csv").probe().messages)
    assert not gateway(path="absent.csv").probe().ok


@pytest.mark.parametrize(
    "change",
    [
        {"format": "pdf"},
        {"map": {"uid": "Article"}},
        {"map": {**MAP, "lot": "Lot"}},
        {"base_url": "folder:///etc"},
        {"base_url": "file:///etc/passwd"},
        {"base_url": "ftp://files.example"},
        {"base_url": "https://127.0.0.1", "path": "/stock.csv"},
        {"base_url": "https://files.example", "path": "stock.csv"},
        {"base_url": "sftp://files.example"},
        {"base_url": "sftp://169.254.169.254", "sftp": {}},
        {"encoding": "klingon"},
        {"decimal": ",", "thousands": ","},
        {"header": False},
        {"words": {"many": -1}},
        {"limits": {"max_bytes": 1_000_000_000}},
        {"map": {**MAP, "updated_at": {"column": "At", "timezone": "Mars"}}},
        {"items": "a"},
    ],
)
def test_a_configuration_with_a_fault_is_refused(change, settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = False
    assert faults_of({**CSV, **change})


def test_configurations_that_can_be_used():
    key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
    sftp = {"username": "us", "password": "$secret.password", "host_key": key}
    for change in (
        {},
        {"base_url": "https://files.example", "path": "/stock.csv", "headers": {"X-Key": "$secret.key"}},
        {"base_url": "sftp://files.example:2222", "sftp": sftp},
        {"format": "xlsx", "sheet": "Stock"},
        {"format": "json", "items": "data.rows", "map": JSON_MAP},
        {"map": {**MAP, "updated_at": {"column": "At", "format": "%d.%m.%Y", "timezone": "Asia/Shanghai"}}},
    ):
        assert faults_of({**CSV, **change}) == [], change
