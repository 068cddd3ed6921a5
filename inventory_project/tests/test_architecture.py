"""Rules of the house that no tool knows: one column, one writer; no long module."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
APPS = ("inventory_project", "suppliers", "storefronts", "inventory", "orders", "benchmarks")
MODULES = sorted(
    path
    for app in APPS
    for path in (ROOT / app).rglob("*.py")
    if "migrations" not in path.parts and "var" not in path.relative_to(ROOT).parts
)
LONGEST = 400

# Column of StockLevel → the modules that may write it.  Repair is a person's explicit command.
WRITERS = {
    "allocated": {"stock", "settlement", "audit", "staging"},  # staging inserts new rows, with 0
    "sellable": {"settlement", "staging", "audit"},
    "reported": {"settlement", "staging", "audit"},
    "read_at": {"settlement", "staging", "absences"},
}
_UPDATE = re.compile(r"UPDATE inventory_stocklevel\b.*?\bSET\b(.*?)(?:\bFROM\b|\bWHERE\b|\Z)", re.DOTALL)
_INSERT = re.compile(r"INSERT INTO inventory_stocklevel\s*\((.*?)\)", re.DOTALL)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def texts(tree: ast.AST) -> Iterator[str]:
    """Every string of a module, formatted ones with their constant parts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def columns_written(source: str) -> set[str]:
    """Columns of StockLevel that the SQL and the ORM calls of a module write."""
    tree = ast.parse(source)
    written: set[str] = set()
    for text in texts(tree):
        for assignments in _UPDATE.findall(text):
            written |= set(re.findall(r"(\w+)\s*=", assignments))
        for columns in _INSERT.findall(text):
            written |= set(re.findall(r"\w+", columns))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "update" and "StockLevel" in ast.unparse(node.func):
                written |= {keyword.arg for keyword in node.keywords if keyword.arg}
            if ast.unparse(node.func) in ("StockLevel.objects.create", "StockLevel.objects.bulk_create"):
                written |= set(WRITERS)
    return written


@pytest.mark.parametrize("column", WRITERS)
def test_a_quantity_column_is_written_by_its_owner_only(column):
    writers = {
        path.stem
        for path in MODULES
        if "tests" not in path.parts
        and path.name != "fixtures.py"
        and path.relative_to(ROOT).parts[0] != "benchmarks"
        and column in columns_written(path.read_text())
    }
    assert writers <= WRITERS[column], f"{column} is written by {sorted(writers - WRITERS[column])}"
    assert writers, f"nobody writes {column}: the rule does not see its writers any more"


@pytest.mark.parametrize(
    ("source", "column"),
    [
        ('"UPDATE inventory_stocklevel level SET allocated = 3 WHERE id = 1"', "allocated"),
        ('f"INSERT INTO inventory_stocklevel (supplier_id, sellable) VALUES {rows}"', "sellable"),
        ("StockLevel.objects.filter(pk=1).update(reported=3)", "reported"),
    ],
)
def test_the_rule_sees_a_foreign_writer(source, column):
    assert column in columns_written(source)


def packages_imported(source: str) -> set[str]:
    """Top-level packages that a module imports, anywhere in it."""
    imported: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            imported.add(node.module.partition(".")[0])
    return imported


def test_one_module_takes_redis_locks():
    """Tests may: they hold a lock to see others wait for it.  The plain view of the benchmarks is its own design."""
    takers = {
        name_of(path)
        for path in MODULES
        if "tests" not in path.parts and "redis_lock" in packages_imported(path.read_text())
    }
    assert takers == {"inventory/locks.py", "benchmarks/plain/views.py"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_is_longer_than_a_reader_can_hold(path):
    assert len(path.read_text().splitlines()) <= LONGEST
