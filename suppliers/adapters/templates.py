"""Requests as data with $variables.  A template inserts values and does nothing else: no code, no expressions."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import quote

from suppliers.errors import NotConfigured

Variables = Mapping[str, Any]

NAME = r"[a-z_]+(?:\.[A-Za-z0-9_]+)?"
VARIABLE = re.compile(rf"\$(?:(?P<dollar>\$)|\{{(?P<braced>{NAME})\}}|(?P<bare>{NAME}))")
WHOLE = re.compile(rf"\$(?:\{{(?P<braced>{NAME})\}}|(?P<bare>{NAME}))")


def render(template: Any, variables: Variables) -> Any:
    """Fill a JSON-like template.  "$name" alone keeps the value's type, inside a longer text it becomes text.

    Raises: NotConfigured for a variable that is not known here.
    """
    if isinstance(template, str):
        whole = WHOLE.fullmatch(template)
        return _value(whole, variables) if whole else render_text(template, variables)
    if isinstance(template, dict):
        return {key: render(value, variables) for key, value in template.items()}
    if isinstance(template, list):
        return [render(value, variables) for value in template]
    return template


def render_text(template: str, variables: Variables, encode: Callable[[str], str] = str) -> str:
    """Fill a text; every value passes `encode` on its way in.

    Raises: NotConfigured for an unknown variable, or for a value that is not a single text or number.
    """

    def insert(match: re.Match[str]) -> str:
        return "$" if match["dollar"] else encode(_text(match, variables))

    return VARIABLE.sub(insert, template)


def render_path(template: str, variables: Variables) -> str:
    """Fill a URL path: no value can add a segment, a query or a fragment."""
    return render_text(template, variables, _segment)


def _segment(value: str) -> str:
    if value in {".", ".."}:
        raise NotConfigured("A path cannot hold a value of only dots.")
    return quote(value, safe="")


def variables_of(template: Any) -> Iterator[str]:
    """The names a template uses, for checking it before it is ever sent."""
    if isinstance(template, str):
        for match in VARIABLE.finditer(template):
            if not match["dollar"]:
                yield match["braced"] or match["bare"]
    elif isinstance(template, dict):
        for value in template.values():
            yield from variables_of(value)
    elif isinstance(template, list):
        for value in template:
            yield from variables_of(value)


def _value(match: re.Match[str], variables: Variables) -> Any:
    name = match["braced"] or match["bare"]
    if name not in variables:
        raise NotConfigured(f"${name} is not known here.")
    return variables[name]


def _text(match: re.Match[str], variables: Variables) -> str:
    value = _value(match, variables)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise NotConfigured(f"${match['braced'] or match['bare']} is not a text or number and cannot be part of one.")
    return str(value)
