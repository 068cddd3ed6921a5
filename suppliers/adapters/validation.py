"""Every fault of a configuration at once, each with the path to it, before anything is sent."""

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from suppliers import guard
from suppliers.adapters.auth_validation import OF_SECRETS, auth_faults, unknown_variables, zone_faults
from suppliers.adapters.expressions import bind, compile_path, quotes_a_variable
from suppliers.adapters.pushes import HEADER
from suppliers.adapters.schema import VALIDATOR
from suppliers.adapters.searching import compile_search
from suppliers.adapters.templates import variables_of
from suppliers.errors import BlockedAddress, NotConfigured

MESSAGE_CHARACTERS = 200
PAGE_VARIABLES = {"page", "offset", "cursor", "size"}
LINE_VARIABLES = {"line.sku", "line.uid", "line.location", "line.quantity"}
BATCH_VARIABLES = {"skus", "uids", "skus_csv", "uids_csv"}
ROW_VARIABLES = {"sku", "uid", "location"}
EXPRESSION_FIELDS = {
    "when",
    "after",
    "after_per",
    "items",
    "rows",
    "total",
    "key",
    "for_each",
    "keep_when",
    "next",
    "while",
    "token_path",
    "ttl_path",
    "events",
    "accepted",
    "stock_rejected",
    "rejected",
    "not_found",
    "order_id",
}


def faults_of(config: Any) -> list[str]:
    """Each fault as "path: what is wrong"; empty if the configuration can be used."""
    faults = shape_faults(VALIDATOR, config)
    if faults:
        return faults  # what follows relies on the shape
    return [*address_faults(config), *_variable_faults(config), *_expression_faults(config), *_other_faults(config)]


def secrets_of(config: Mapping[str, Any]) -> dict[str, str]:
    """The secrets that a valid configuration uses."""
    names = (name for name in variables_of(config) if name.startswith(OF_SECRETS))
    return {name.removeprefix(OF_SECRETS): f"used as ${name}" for name in names}


def shape_faults(validator: Draft202012Validator, config: Any) -> list[str]:
    """Where a configuration departs from its schema, each as "path: what is wrong"."""
    faults = [_message(error) for error in validator.iter_errors(config)]
    zone = "UTC" if faults else config.get("limits", {}).get("daily_timezone", "UTC")
    return [*faults, *zone_faults("limits.daily_timezone", zone)]


def _message(error: ValidationError) -> str:
    # Of alternatives, the one whose `type` fits is meant.
    for branch in _meant_branches(error):
        return _message(branch)
    path = ".".join(str(part) for part in error.absolute_path) or "configuration"
    return f"{path}: {error.message[:MESSAGE_CHARACTERS]}"


def _meant_branches(error: ValidationError) -> Iterator[ValidationError]:
    branches: dict[Any, list[ValidationError]] = {}
    for child in error.context or []:
        branches.setdefault(child.schema_path[0], []).append(child)
    for children in branches.values():
        if not any(child.validator == "const" or _is_other_shape(child) for child in children):
            yield from children


def _is_other_shape(error: ValidationError) -> bool:
    return error.validator == "type" and not error.relative_path


def address_faults(config: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with `base_url`."""
    try:
        guard.check_url(config["base_url"])
    except BlockedAddress as error:
        yield f"base_url: {error}"
    if "?" in config["base_url"] or "#" in config["base_url"]:
        yield "base_url: no query or fragment; parameters belong to a request."


def _variable_faults(config: Mapping[str, Any]) -> Iterator[str]:
    yield from unknown_variables("headers", config.get("headers", {}), set())
    yield from auth_faults(config.get("auth", {}))
    yield from unknown_variables("list.request", config["list"]["request"], PAGE_VARIABLES)
    if "expand" in config["list"]:
        expand = config["list"]["expand"]["request"]
        yield from unknown_variables("list.expand.request", expand, PAGE_VARIABLES | _items_in(expand))
    if "fetch" in config:
        single = ROW_VARIABLES if config["fetch"].get("batch", 50) == 1 else set()
        yield from unknown_variables(
            "fetch.request", config["fetch"]["request"], PAGE_VARIABLES | BATCH_VARIABLES | single
        )
    if "readback" in config:
        yield from unknown_variables("readback.request", config["readback"]["request"], PAGE_VARIABLES | {"ref"})
        surplus = config["readback"].get("lines", {}).get("surplus", {})
        yield from unknown_variables("readback.lines.surplus", surplus, _items_in(surplus))
    for part, own in (("confirm", set[str]()), ("cancel", {"order_id"})):
        if part in config:
            yield from _step_faults(part, config[part], {"ref", "lines", "attempt"} | own)


def _items_in(template: Any) -> set[str]:
    """What it names of an item: upstream knows which fields there are."""
    return {name for name in variables_of(template) if name.startswith("item.")}


def _step_faults(part: str, config: Mapping[str, Any], known: set[str]) -> Iterator[str]:
    if "surplus" in config.get("lines", {}):
        yield f"{part}.lines.surplus: only a read-back takes back what is beyond the order."
    yield from unknown_variables(f"{part}.line", config.get("line", {}), (known | LINE_VARIABLES) - {"lines"})
    if "request" in config:
        yield from unknown_variables(f"{part}.request", config["request"], known)
    for number, step in enumerate(config.get("steps", [])):
        lines = LINE_VARIABLES if step.get("for_each_line") else set()
        items = _items_in(step["request"]) if "for_each" in step else set[str]()
        yield from unknown_variables(f"{part}.steps.{number}.request", step["request"], known | lines | items)
        known = known | {f"saved.{name}" for name in step.get("save", {})}


def _expression_faults(config: Mapping[str, Any]) -> Iterator[str]:
    for path, text in _expressions(config, ""):
        bound = _may_hold_variables(path)
        if bound and quotes_a_variable(text):
            yield f"{path}: a $variable stands for a quoted value already; take away the quotes around it."
            continue
        yield from _expression_fault(path, text, bound=bound)


def _expression_fault(path: str, text: str, *, bound: bool = False) -> Iterator[str]:
    try:
        bind(text, Anything()) if bound else compile_path(text)
    except NotConfigured as error:
        yield f"{path}: {error}"


def _may_hold_variables(path: str) -> bool:
    return path.startswith(("confirm.", "cancel.", "readback.")) and ".save" not in path and ".paginate" not in path


class Anything(dict[str, Any]):
    """Stands in for the variables of a call: each is a text."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return name


def _expressions(node: Any, path: str) -> Iterator[tuple[str, str]]:
    if not isinstance(node, dict):
        return
    for key, value in node.items():
        here = f"{path}.{key}" if path else key
        if key in {"request", "headers", "limits", "line"}:
            continue
        if key == "map":
            yield from _map_expressions(value, here)
        elif key == "after" and isinstance(value, dict):
            yield from _map_expressions({"available": value}, here)
        elif key in {"save", "lines"}:
            yield from ((f"{here}.{name}", text) for name, text in value.items() if isinstance(text, str))
        elif isinstance(value, str) and key in EXPRESSION_FIELDS:
            yield here, value
        elif isinstance(value, list):
            for number, item in enumerate(value):
                yield from _expressions(item, f"{here}.{number}")
        else:
            yield from _expressions(value, here)


def _map_expressions(mapping: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    for name, value in mapping.items():
        if isinstance(value, str):
            yield f"{path}.{name}", value
        elif name == "available":
            for side, texts in value.items():
                yield from ((f"{path}.{name}.{side}", text) for text in texts)
        elif name == "updated_at":
            yield f"{path}.{name}.path", value["path"]


def _other_faults(config: Mapping[str, Any]) -> Iterator[str]:
    yield from _push_faults(config)
    for number, rule in enumerate(config.get("errors", [])):
        try:
            compile_search(rule.get("after_regex", ""))
        except NotConfigured as error:
            yield f"errors.{number}.after_regex: {error}"
    for part in ("list", "fetch"):
        yield from _map_time_faults(part, config.get(part, {}))
    if "order" in config.get("push", {}).get("map", {}) and "readback" not in config:
        yield "push.map.order: needs a readback; a push about an order is a reason to look it up."
    if "missing_status" in config.get("fetch", {}) and config["fetch"].get("batch", 50) != 1:
        yield "fetch.missing_status: needs a batch of 1; of many rows it would not say which."


def shared_faults(config: Mapping[str, Any]) -> Iterator[str]:
    """Of the parts that other adapters have in common with this one: `map`, in JMESPath, and `push`."""
    yield from _expression_faults({name: config[name] for name in ("map", "push") if name in config})
    yield from _push_faults(config)


def _push_faults(config: Mapping[str, Any]) -> Iterator[str]:
    push = config.get("push", {})
    event_id = push.get("id", HEADER)
    if not event_id.startswith(HEADER):
        yield from _expression_fault("push.id", event_id)
    yield from _map_time_faults("push", push)


def _map_time_faults(path: str, part: Mapping[str, Any]) -> Iterator[str]:
    updated_at = part.get("map", {}).get("updated_at")
    if not isinstance(updated_at, dict):
        return
    yield from zone_faults(f"{path}.map.updated_at.timezone", updated_at.get("timezone", "UTC"))
    if not _is_time_format(updated_at.get("format", "iso")):
        yield f"{path}.map.updated_at.format: neither iso, epoch_s, epoch_ms nor a strptime format."


def _is_time_format(text: str) -> bool:
    if text in {"iso", "epoch_s", "epoch_ms"}:
        return True
    try:
        datetime.strptime(datetime(2000, 1, 2, tzinfo=UTC).strftime(text), text)  # noqa: DTZ007 - only tried
    except (ValueError, re.error):
        return False
    return "%" in text
