"""Faults of a configuration, each with the path to it."""

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from suppliers.adapters.validation import faults_of


def example() -> Any:
    """The complete example of the documentation."""
    text = (Path(django_settings.BASE_DIR) / "docs" / "suppliers.md").read_text()
    found = re.search(r"```json\n(.*?)```", text, re.DOTALL)
    assert found
    return json.loads(found[1])


def fragments() -> list[Any]:
    """The other examples, each a part of a configuration."""
    text = (Path(django_settings.BASE_DIR) / "docs" / "suppliers.md").read_text()
    return [json.loads("{" + found + "}") for found in re.findall(r"```json\n(\".*?)```", text, re.DOTALL)]


def steps() -> Any:
    (found,) = [part for part in fragments() if "steps" in part.get("confirm", {})]
    return found


def test_the_examples_of_the_documentation_are_valid():
    assert faults_of(example()) == []
    assert [faults_of({**example(), **part}) for part in fragments()] == [[]] * len(fragments())


FAULTS: list[tuple[str, Any, str]] = [
    ("base_url", "http://erp.supplier.example", "base_url: .*https"),
    ("base_url", "https://127.1", "base_url: "),
    ("base_url", "https://erp.supplier.example/?key=1", "base_url: no query"),
    ("surprise", 1, "configuration: .*surprise"),
    ("auth", {"type": "basic", "username": 1, "password": ""}, "auth.username: "),
    ("auth", {"type": "bearer", "token": "$token"}, "auth.token: \\$token is not known"),
    ("auth", {"type": "magic"}, "auth: "),
    ("limits.rate", 0, "limits.rate: "),
    ("limits.total_seconds", 100_000, "limits.total_seconds: "),
    ("list.request.path", "stock", "list.request.path: "),
    ("list.request.params.page", "$pages", "list.request: \\$pages is not known"),
    ("list.items", "data[", "list.items: .*not a JMESPath"),
    ("list.paginate", {"type": "cursor"}, "list.paginate: 'next'"),
    ("list.map.available", {"minus": ["a"]}, "list.map.available: "),
    ("list.map.available", {"plus": ["a["]}, "list.map.available.plus: "),
    ("list.map.updated_at", {"path": "at", "timezone": "Mars/Base"}, "list.map.updated_at.timezone: "),
    ("fetch.request.params", {"sku": "$sku"}, "fetch.request: \\$sku is not known"),
    ("fetch.missing_status", [404], "fetch.missing_status: needs a batch of 1"),
    ("errors", [{"when": "a", "is": "throttle", "after_regex": "("}], "errors.0.after_regex: "),
    ("errors", [{"when": "a[", "is": "auth"}], "errors.0.when: "),
    ("confirm.steps", [{"request": {}}], "confirm: "),
    ("confirm.accepted", "[?ref == '$ref']", "confirm.accepted: .*quotes"),
    ("confirm.request.json", {"a": ["$line.sku"]}, "confirm.request: \\$line.sku is not known"),
    ("readback", {"request": {}, "accepted": "a"}, "readback: "),
    ("headers", {"X Y": "1"}, "headers: "),
    ("list.map.updated_at", {"path": "at", "format": "%Y-%Q"}, "list.map.updated_at.format: "),
    ("list.map.updated_at", {"path": "at", "format": "%Y %Y"}, "list.map.updated_at.format: "),
    ("list.paginate", {"type": "keyset"}, "list.paginate: 'key'"),
    ("list.expand", {"for_each": "a", "request": {"path": "/$page/$cursors"}, "items": "@"}, "list.expand.request: "),
    (
        "confirm.lines",
        {"items": "a", "uid": "b", "quantity": "c", "surplus": {}},
        "confirm.lines.surplus: only a read-back",
    ),
]


@pytest.mark.parametrize(("path", "value", "message"), FAULTS)
def test_faults_name_their_path(path: str, value: Any, message: str):
    config = copy.deepcopy(example())
    *parents, name = path.split(".")
    place = config
    for parent in parents:
        place = place[parent]
    place[name] = value
    faults = faults_of(config)
    assert any(re.match(message, fault) for fault in faults), faults


@pytest.mark.parametrize("config", [None, [], "", {}, {"base_url": 1, "list": []}])
def test_what_is_no_configuration_at_all_is_told_and_does_not_break(config: Any):
    assert faults_of(config)


def test_steps_may_use_only_what_was_saved_before_them():
    config = {**example(), **steps()}
    config["confirm"]["steps"].reverse()
    assert any("$saved.basket is not known" in fault for fault in faults_of(config))


@pytest.mark.parametrize(
    "preset",
    sorted((Path(django_settings.BASE_DIR) / "suppliers" / "presets").glob("*.json")),
    ids=lambda path: path.stem,
)
def test_presets_are_valid(preset: Path):
    assert faults_of(json.loads(preset.read_text())) == []
