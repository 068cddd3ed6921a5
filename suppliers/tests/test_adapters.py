"""What every adapter brings along."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from suppliers.adapters import ADAPTERS, kind_of
from suppliers.adapters.kinds import Kind
from suppliers.errors import NotConfigured
from suppliers.gateway import for_supplier
from suppliers.models import Supplier
from suppliers.readings import Capability
from suppliers.tests.conftest import LIST
from suppliers.tests.upstream import reply, running_upstream

ORDERS = {"request": {"path": "/orders", "method": "POST"}, "accepted": "id"}


@pytest.mark.parametrize("config", [None, [], "text", {}, {"base_url": 7}, {"surprise": {}}], ids=repr)
@pytest.mark.parametrize("kind", ADAPTERS.values(), ids=ADAPTERS)
def test_what_is_no_configuration_is_told_with_its_path(kind: Kind, config: Any):
    faults = kind.faults(config)
    assert faults
    assert all(": " in fault for fault in faults)


def test_an_adapter_that_is_not_there_is_told():
    with pytest.raises(NotConfigured, match=r"'telex'; there is .*rest"):
        kind_of("telex")


def test_every_secret_that_is_missing_is_told(loopback_suppliers):
    auth = {"type": "basic", "username": "$secret.user", "password": "$secret.password"}
    config = {"base_url": "https://a.example", "auth": auth, "list": LIST}
    with pytest.raises(NotConfigured, match=r"lack user: used as \$secret.user · password: "):
        for_supplier(Supplier(slug="bare", config=config))


def test_only_who_says_for_how_long_is_idempotent(make_gateway):
    with running_upstream(lambda _: reply({})) as upstream:
        plain = make_gateway(upstream, confirm=ORDERS)
        lasting = make_gateway(upstream, confirm={**ORDERS, "idempotent_seconds": 3_600})
    assert (Capability.IDEMPOTENT in plain.capabilities, plain.idempotent_seconds) == (False, 0)
    assert (Capability.IDEMPOTENT in lasting.capabilities, lasting.idempotent_seconds) == (True, 3_600)


@pytest.mark.parametrize("name", ["shopify", "top", "aop1688"])
def test_the_examples_of_the_documentation_are_valid(name: str):
    text = (Path(django_settings.BASE_DIR) / "docs" / "platforms.md").read_text()
    section = text.partition(f": `{name}`\n")[2]
    example = re.search(r"```json\n(.*?)```", section, re.DOTALL)
    assert example
    assert ADAPTERS[name].faults(json.loads(example[1])) == []
