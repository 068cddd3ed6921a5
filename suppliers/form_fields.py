"""Fields of the form of a supplier: JSON that tells where it is wrong, and secrets that are never shown again."""

import json
from collections import Counter
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput

from suppliers.credentials import Secrets

DEEPEST = 40  # levels; what checks a configuration goes down into it level by level


class ReadableJson(forms.JSONField):
    """JSON on several lines, in the order it was written; a mistake in it is told with its place."""

    def prepare_value(self, value: Any) -> Any:
        if value is None:
            return ""
        if isinstance(value, dict | list):
            return readable(value)
        return super().prepare_value(value)

    def bound_data(self, data: Any, initial: Any) -> Any:  # noqa: ARG002
        return InvalidJSONInput(data or "")  # as it was typed: a form that comes back is not rearranged

    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and value.strip():
            try:
                return _shallow(json.loads(value, object_pairs_hook=_each_key_once, parse_constant=_no_number))
            except json.JSONDecodeError as error:
                raise ValidationError(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from None
            except (ValueError, RecursionError) as error:
                raise ValidationError(f"This is not JSON: {error}.") from None
        return super().to_python(value)


class EnteredSecrets(forms.Field):
    """Name → secret, as a JSON object; a blank text stands for what is stored.  None: nothing was said.

    It shows the names that are stored, each with a blank, and never what was typed.
    """

    def prepare_value(self, value: Any) -> str:
        return readable(value) if isinstance(value, dict) and value else ""

    def bound_data(self, data: Any, initial: Any) -> Any:  # noqa: ARG002
        return initial

    def to_python(self, value: Any) -> Secrets | None:
        if not value or not value.strip():
            return None
        try:
            secrets = json.loads(value, object_pairs_hook=_each_key_once)
        except (ValueError, RecursionError):
            secrets = None
        if not isinstance(secrets, dict) or not all(isinstance(secret, str) for secret in secrets.values()):
            raise ValidationError('Not a JSON object of texts, such as {"token": "…"}. Please enter them again.')
        return secrets

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return self.to_python(data) not in (None, initial)
        except ValidationError:
            return True


def readable(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    for name, times in Counter(name for name, _ in pairs).items():
        if times > 1:  # the last one would win in silence
            raise ValueError(f"{name!r} stands {times} times in one object")
    return dict(pairs)


def _shallow(document: Any) -> Any:
    level, depth = [document], 0
    while level:
        depth += 1
        if depth > DEEPEST:
            raise ValueError(f"it is nested more than {DEEPEST} levels deep")
        inner = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list)]
        level = [one for parts in inner for one in parts]
    return document


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number")
