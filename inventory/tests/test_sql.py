"""Statements on their way together: what is left of a connection when one of them fails."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.backends.postgresql.base import DatabaseWrapper
from psycopg_pool import PoolTimeout

from inventory import positions, sql
from inventory.models import Offer, Sku, StockLevel

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def skus_locked_by_somebody_else() -> Iterator[None]:
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("LOCK TABLE inventory_sku IN ACCESS EXCLUSIVE MODE")
            yield
        other.rollback()
    finally:
        other.close()


def test_a_statement_that_failed_in_a_pipeline_can_be_sent_again(make_level):
    make_level("TEA", 3)
    positions.load(["TEA"])  # the second time a statement is prepared
    with connection.cursor() as cursor:
        cursor.execute("SET lock_timeout = 50")
    with skus_locked_by_somebody_else(), pytest.raises(OperationalError), sql.pipeline():
        positions.ask(["TEA"])()
    # On the same connection, or on whatever stands for it.
    with sql.pipeline():
        assert positions.ask(["TEA"])()["TEA"].available() == 3


def custom_plans(parameter: str) -> int:
    """How often the server planned a look at one SKU's stock, of twenty."""
    # A text of its own: what was prepared on this connection before remembers plans for other tables.
    text = f"{positions._BY_CODE.replace(sql.CODES, parameter)} -- {uuid.uuid4()}"
    for _ in range(20):
        sql.rows(sql.execute(text, [["TEA"]]))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT custom_plans FROM pg_prepared_statements WHERE statement = %s", [text.replace("%s", "$1")]
        )
        (count,) = cursor.fetchone()
    return int(count)


def test_a_look_at_stock_is_not_planned_anew_each_time(make_level):
    supplier = make_level("TEA", 3).supplier
    # Of a handful of rows every plan is cheap.
    skus = Sku.objects.bulk_create([Sku(code=f"S-{number}") for number in range(2_000)])
    levels = StockLevel.objects.bulk_create([StockLevel(supplier=supplier, external_id=sku.code) for sku in skus])
    Offer.objects.bulk_create([Offer(sku=sku, level=level) for sku, level in zip(skus, levels, strict=True)])
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE inventory_sku, inventory_offer, inventory_stocklevel, suppliers_supplier")
    assert custom_plans("%s::text[]") >= 15  # the control: an array that the planner can see into
    assert custom_plans(sql.CODES) == 5  # as often as PostgreSQL tries before it keeps one


@pytest.mark.parametrize(
    ("cause", "undecided"),
    [
        (PoolTimeout("no connection"), False),
        (psycopg.errors.LockNotAvailable(), False),
        (psycopg.errors.AdminShutdown(), True),
        (psycopg.OperationalError("server closed the connection unexpectedly"), True),
    ],
)
def test_only_a_lost_connection_leaves_a_commit_undecided(cause, undecided):
    error = OperationalError()
    error.__cause__ = cause
    assert sql.is_undecided(error) is undecided


def test_no_connection_in_time_is_known_by_its_cause():
    """As Django raises it."""
    elsewhere = {"PORT": "1", "OPTIONS": {"pool": {"min_size": 0, "max_size": 1, "timeout": 0.2}}}
    other = DatabaseWrapper({**connection.settings_dict, **elsewhere}, "nowhere")
    with pytest.raises(OperationalError) as raised:
        other.ensure_connection()
    other.close_pool()
    assert not sql.is_undecided(raised.value)
