"""Each dangerous setting is refused, and the settings we ship pass."""

import pytest
import redis
from django.core.checks import Tags, run_checks

from inventory_project.checks import server_of

OPTIONS = "-c idle_in_transaction_session_timeout={} -c lock_timeout=3000"


@pytest.fixture
def ids(settings):
    """The ids of our checks' messages under the current settings."""
    return lambda **options: {
        message.id for message in run_checks(**options) if message.id and message.id.startswith("holdfast")
    }


def test_what_we_ship_is_accepted(ids):
    assert ids(include_deployment_checks=True) == set()


@pytest.mark.parametrize(
    ("name", "value", "refused"),
    [
        ("SECRET_KEY", "x" * 49, "holdfast.E001"),
        ("CREDENTIAL_KEYS", [], "holdfast.E002"),
        ("CREDENTIAL_KEYS", ["not a key"], "holdfast.E003"),
        ("DEBUG", True, "holdfast.E004"),
        ("SKU_LOCK_EXPIRE_SECONDS", 4, "holdfast.E006"),
        ("SKU_LOCK_ACQUIRE_SECONDS", 0.5, "holdfast.E006"),
        ("STOCK_TOMBSTONE_SECONDS", 4, "holdfast.E006"),
        ("CELERY_TASK_TIME_LIMIT", 900, "holdfast.E006"),
    ],
)
def test_a_dangerous_setting_is_refused(ids, settings, name, value, refused):
    setattr(settings, name, value)
    assert ids(include_deployment_checks=True) == {refused}


def test_atomic_requests_are_refused(ids, settings, monkeypatch):
    monkeypatch.setitem(settings.DATABASES["default"], "ATOMIC_REQUESTS", 1)
    assert ids() == {"holdfast.E005"}


@pytest.mark.parametrize("milliseconds", ["5000", "0", "6s"])
def test_a_transaction_may_not_idle_longer_than_the_lock_lives(ids, settings, monkeypatch, milliseconds):
    options = {**settings.DATABASES["default"]["OPTIONS"], "options": OPTIONS.format(milliseconds)}
    monkeypatch.setitem(settings.DATABASES["default"], "OPTIONS", options)
    assert ids() == {"holdfast.E006"}


def test_one_redis_for_both_is_refused_whatever_the_database_number(ids, settings):
    settings.CACHE_URL = settings.REDIS_URL.replace("127.0.0.1", "localhost").removesuffix("/0") + "/7?socket_timeout=1"
    assert ids() == {"holdfast.E007"}


def test_servers_are_told_apart():
    assert server_of("redis://a") == server_of("rediss://user:word@a:6379/3")
    assert server_of("redis://a:1") != server_of("redis://a:2")
    assert server_of("unix:///run/a.sock?db=1") == server_of("unix:///run/a.sock")


@pytest.mark.django_db
def test_a_broker_that_evicts_is_refused(ids, settings):
    assert ids(tags=[Tags.database], databases=["default"]) == set()
    settings.REDIS_URL = settings.CACHE_URL  # that one evicts and keeps nothing
    assert ids(tags=[Tags.database], databases=["default"]) == {"holdfast.E008", "holdfast.W001"}


def test_the_broker_of_this_run_keeps_its_messages(settings):
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        assert broker.config_get("appendfsync") == {"appendfsync": "everysec"}
