"""How a person describes a supplier: a configuration that is checked, and secrets that are never shown again."""

import json
from typing import Any
from urllib.parse import urljoin, urlsplit

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from suppliers.adapters import ADAPTERS
from suppliers.credentials import seal
from suppliers.errors import NotConfigured
from suppliers.models import Supplier

MONOSPACE = {"style": "font-family: ui-monospace, monospace", "spellcheck": "false", "autocomplete": "off"}


class ReadableJson(forms.JSONField):
    """JSON on several lines, in the order it was written."""

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, dict | list):
            return json.dumps(value, indent=2, ensure_ascii=False)
        return super().prepare_value(value)


class WriteOnlyTextarea(UnfoldAdminTextareaWidget):
    """Never shows what it holds, not even what was just typed into a form with a mistake elsewhere."""

    def format_value(self, value: Any) -> str:  # noqa: ARG002
        return ""


class SupplierForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    adapter = forms.ChoiceField(
        choices=lambda: [(name, f"{name}: {kind.label}") for name, kind in ADAPTERS.items()],
        widget=UnfoldAdminSelectWidget,
        help_text="The adapter that speaks this supplier's API.",
    )
    config = ReadableJson(
        label="Configuration",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 24, **MONOSPACE}),
        help_text="How to read stock and place orders, as JSON: see docs/suppliers.md.",
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

    def clean_new_credentials(self) -> bytes | None:
        """The sealed secrets; None: they stay."""
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
            return seal(secrets)
        except NotConfigured as error:
            raise ValidationError(str(error)) from None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "config" in cleaned and self._sends_secrets_elsewhere(cleaned):
            self.add_error(
                "new_credentials", "base_url or auth.token_url names another host: enter the credentials for it."
            )
        return cleaned

    def save(self, commit: bool = True) -> Supplier:
        if self.cleaned_data.get("new_credentials") is not None:
            self.instance.credentials = self.cleaned_data["new_credentials"]
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
