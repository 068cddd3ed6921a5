"""How a person describes a supplier: a configuration that is checked, and secrets that are never shown again."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

from django import forms
from django.core.exceptions import ValidationError
from django.forms.fields import InvalidJSONInput
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from suppliers.adapters import ADAPTERS
from suppliers.credentials import Secrets, seal, unseal
from suppliers.errors import NotConfigured
from suppliers.models import Supplier

DEEPEST = 40  # levels; what checks a configuration goes down into it level by level
MONOSPACE = {"style": "font-family: ui-monospace, monospace", "spellcheck": "false", "autocomplete": "off"}


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


class WriteOnlyTextarea(UnfoldAdminTextareaWidget):
    """Never shows what it holds, not even what was just typed into a form with a mistake elsewhere."""

    def format_value(self, value: Any) -> str:  # noqa: ARG002
        return ""


class SupplierForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    sealed = b""  # what was just entered

    adapter = forms.ChoiceField(
        choices=lambda: [(name, f"{name}: {kind.label}") for name, kind in ADAPTERS.items()],
        widget=UnfoldAdminSelectWidget,
        help_text="The adapter that speaks this supplier's API.",
    )
    config = ReadableJson(
        label="Configuration",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 24, **MONOSPACE}),
        help_text="How to read stock and place orders, as JSON. What it may hold stands above.",
    )
    new_credentials = forms.CharField(
        required=False,
        label="New credentials",
        widget=WriteOnlyTextarea(attrs={"rows": 3, **MONOSPACE}),
        help_text=(
            'A JSON object of texts, such as {"token": "…"}: $secret.token in the configuration.'
            " It replaces all that is stored, is encrypted, and is not shown again. Empty: they stay as they are."
        ),
    )

    class Media:
        js = ("suppliers/connection.js",)

    class Meta:
        model = Supplier
        exclude = ("credentials",)  # noqa: DJ006 - the admin's fieldsets name what is shown

    def clean_config(self) -> Any:
        config = self.cleaned_data["config"]
        kind = ADAPTERS.get(self.cleaned_data.get("adapter", ""))
        faults = kind.faults(config) if kind else []  # an unknown adapter is a fault of its own field
        if faults:
            raise ValidationError(faults)
        return config

    def clean_new_credentials(self) -> Secrets | None:
        """The secrets just entered; None: the stored ones stay."""
        text = self.cleaned_data["new_credentials"].strip()
        if not text:
            return None
        try:
            secrets = json.loads(text)
        except ValueError:
            secrets = None
        if not isinstance(secrets, dict) or not all(isinstance(secret, str) for secret in secrets.values()):
            raise ValidationError('Not a JSON object of texts, such as {"token": "…"}. Please enter them again.')
        try:
            self.sealed = seal(secrets)
        except NotConfigured as error:
            raise ValidationError(str(error)) from None
        return secrets

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "config" in cleaned and "new_credentials" in cleaned:
            for fault in self._credential_faults(cleaned):
                self.add_error("new_credentials", fault)
        return cleaned

    def _credential_faults(self, cleaned: dict[str, Any]) -> Iterator[str]:
        if self._sends_secrets_elsewhere(cleaned):
            yield "base_url or auth.token_url names another host: enter the credentials for it."
            return
        secrets = cleaned["new_credentials"]
        try:
            secrets = unseal(self.instance.credentials) if secrets is None else secrets
        except NotConfigured as error:
            yield str(error)
            return
        kind = ADAPTERS.get(cleaned.get("adapter", ""))
        yield from (
            (
                f"{missing}. It is not stored: enter all credentials."
                for missing in kind.missing(cleaned["config"], secrets)
            )
            if kind
            else ()
        )

    def save(self, commit: bool = True) -> Supplier:
        self.instance.credentials = self.sealed or self.instance.credentials
        supplier: Supplier = super().save(commit)
        return supplier

    def _sends_secrets_elsewhere(self, cleaned: dict[str, Any]) -> bool:
        """Whether stored secrets would go to a host that they were not entered for."""
        before, after = self.initial.get("config") or {}, cleaned["config"]
        stored = bool(self.instance.pk and self.instance.credentials)
        return stored and cleaned.get("new_credentials") is None and not _hosts(after) <= _hosts(before)


def _hosts(config: dict[str, Any]) -> set[tuple[str, str]]:
    """Where secrets are sent: to the supplier, and to who gives out its tokens."""
    base_url = config.get("base_url", "")
    urls = [urlsplit(base_url), urlsplit(urljoin(base_url, config.get("auth", {}).get("token_url", "")))]
    return {(url.scheme, url.netloc) for url in urls}
