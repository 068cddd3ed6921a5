"""`manage.py snapshot`, as a person runs it."""

import threading
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from inventory.models import Feed, Snapshot, StockLevel
from inventory.snapshots import runs
from inventory.tests.upstreams import connect

pytestmark = pytest.mark.django_db(transaction=True)


def snapshot(*arguments: str) -> str:
    out = StringIO()
    call_command("snapshot", *arguments, stdout=out)
    return out.getvalue()


def test_it_shows_its_progress_and_what_it_did(chaos):
    out = snapshot(connect(chaos).slug)
    assert "running: 2 pages, 20 of 25 rows" in out
    assert "25 changed (25 new), 0 missing" in out
    assert Snapshot.objects.get().actor == "manage.py snapshot"


def test_a_dry_run_changes_nothing(chaos):
    supplier = connect(chaos)
    assert "25 rows: 25 new, 0 changed, 0 missing" in snapshot(supplier.slug, "--dry-run")
    assert not StockLevel.objects.exists()
    snapshot(supplier.slug)
    chaos.sell("SKU-000003", 1)
    before = [list(model.objects.order_by("pk").values()) for model in (StockLevel, Feed, Snapshot)]
    assert "25 rows: 0 new, 1 changed, 0 missing" in snapshot(supplier.slug, "--dry-run")
    assert [list(model.objects.order_by("pk").values()) for model in (StockLevel, Feed, Snapshot)] == before
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM inventory_staging")
        assert cursor.fetchone() == (0,)


def test_a_dry_run_says_what_would_be_refused(chaos):
    supplier = connect(chaos)
    chaos.set(unstable_paging={"dup_p": 0.3, "drop_p": 0})
    with pytest.raises(CommandError, match="would be refused: a row came twice"):
        snapshot(supplier.slug, "--dry-run")


def test_an_unknown_supplier(chaos):
    slug = connect(chaos).slug
    with pytest.raises(CommandError, match=f"No supplier 'nobody'; there are: {slug}"):
        snapshot("nobody")


def test_a_supplier_that_is_down(chaos):
    supplier = connect(chaos)
    chaos.set(down={"mode": "503"})
    for arguments in ([supplier.slug], [supplier.slug, "--dry-run"]):
        with pytest.raises(CommandError, match="503"):
            snapshot(*arguments)


def test_two_at_once(chaos):
    supplier = connect(chaos)
    runs.take(supplier, actor="another")
    with pytest.raises(CommandError, match="is being read already"):
        snapshot(supplier.slug)


def test_ctrl_c_leaves_it_resumable(chaos, monkeypatch):
    supplier = connect(chaos)
    seen: list[str] = []

    class Terminal(StringIO):
        def write(self, text: str) -> int:
            seen.append(text)
            if "2 pages" in text:
                raise KeyboardInterrupt
            return len(text)

    with pytest.raises(CommandError, match=f"manage.py snapshot {supplier.slug}` goes on where it stopped") as error:
        call_command("snapshot", supplier.slug, stdout=Terminal())
    assert error.value.returncode == 130
    for thread in threading.enumerate():
        if thread.name.startswith("snapshot-ahead"):
            thread.join(10)  # a page that was asked for ahead may still be on its way
    asked = chaos.chaos()["requests"]["list"]
    assert "25 changed" in snapshot(supplier.slug)
    assert chaos.chaos()["requests"]["list"] == asked + 1
