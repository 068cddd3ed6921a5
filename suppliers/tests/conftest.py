"""A gateway to a supplier that a test plays itself."""

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet

from suppliers.adapters.tokens import held_tokens
from suppliers.credentials import seal
from suppliers.gateway import Gateway, for_supplier
from suppliers.models import Supplier
from suppliers.tests.upstream import Upstream

numbers = itertools.count(1)  # pauses and breakers are kept by slug

SECRETS = {"token": "hush-hush", "user": "anna", "password": "pass-word"}
LIST = {"request": {"path": "/stock"}, "items": "items", "map": {"uid": "id", "sku": "sku", "available": "stock"}}

MakeGateway = Callable[..., Gateway]


@pytest.fixture(autouse=True)
def forget_tokens() -> None:
    held_tokens.clear()


@pytest.fixture
def loopback_suppliers(settings) -> None:
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]


@pytest.fixture
def make_gateway(loopback_suppliers: None) -> MakeGateway:
    """A gateway to this upstream.  Limits are generous and reads are sent once unless `limits` says otherwise."""

    def make(
        upstream: Upstream,
        *,
        slug: str = "",
        limits: dict[str, Any] | None = None,
        secrets: dict[str, str] | None = None,
        **config: Any,
    ) -> Gateway:
        limits = {"rate": 1000, "burst": 1000, "attempts": 1, "breaker_failures": 1000, **(limits or {})}
        whole = {"base_url": upstream.url, "list": LIST, **config, "limits": limits}
        return for_supplier(
            Supplier(slug=slug or f"played-{next(numbers)}", config=whole, credentials=seal(secrets or SECRETS))
        )

    return make


@pytest.fixture
def root(settings: Any, tmp_path: Path) -> Path:
    """The folder below which suppliers' files may be read."""
    settings.SUPPLIER_FILES_ROOT = str(tmp_path)
    return tmp_path
