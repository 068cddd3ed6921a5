"""How a person describes a supplier: a configuration that is checked, and secrets that are never shown again."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urljoin, urlsplit

from django import forms
from django.core.exceptions import ValidationError
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from suppliers.adapters import ADAPTERS
from suppliers.credentials import Secrets, seal, unseal
from suppliers.errors import NotConfigured
from suppliers.form_fields import EnteredSecrets, ReadableJson
from suppliers.models import Supplier

MONOSPACE = {"style": "font-family: ui-monospace, monospace", "spellcheck": "false", "autocomplete": "off"}


class SupplierForm(forms.ModelForm):  # type: ignore[type-arg]  # not subscriptable at run time
    sealed = b""  # what is to be stored in place of the stored credentials

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
    new_credentials = EnteredSecrets(
        required=False,
        label="Credentials",
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 4, **MONOSPACE}),
        help_text=(
            'A JSON object of texts: {"token": "…"} is $secret.token in the configuration. A blank text keeps what is'
            " stored under that name; a name that is taken out is forgotten. Encrypted, and not shown again."
        ),
    )

    class Media:
        js = ("suppliers/connection.js",)

    class Meta:
        model = Supplier
        exclude = ("credentials",)  # noqa: DJ006 - the admin's fieldsets name what is shown

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        try:
            self.initial["new_credentials"] = dict.fromkeys(unseal(self.instance.credentials), "")
        except NotConfigured:  # the page says so beside it; all of them can be entered again
            self.initial["new_credentials"] = None

    def clean_config(self) -> Any:
        config = self.cleaned_data["config"]
        kind = ADAPTERS.get(self.cleaned_data.get("adapter", ""))
        faults = kind.faults(config) if kind else []  # an unknown adapter is a fault of its own field
        if faults:
            raise ValidationError(faults)
        return config

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "config" in cleaned and "new_credentials" in cleaned:
            try:
                for fault in self._credential_faults(cleaned):
                    self.add_error("new_credentials", fault)
            except NotConfigured as error:
                self.add_error("new_credentials", str(error))
        return cleaned

    def _post_clean(self) -> None:
        super()._post_clean()  # type: ignore[misc]  # Django's own
        if self.errors and any((self.cleaned_data.get("new_credentials") or {}).values()):
            self.add_error(None, "Nothing was stored. Credentials are not shown again: enter the new ones once more.")

    def save(self, commit: bool = True) -> Supplier:
        self.instance.credentials = self.sealed or self.instance.credentials
        supplier: Supplier = super().save(commit)
        return supplier

    def _credential_faults(self, cleaned: dict[str, Any]) -> Iterator[str]:
        """Raises: NotConfigured if there is no key for what is stored, or for what is to be."""
        config, entered = cleaned["config"], cleaned["new_credentials"]
        secrets, kept = self._secrets(entered)
        if kept and not _hosts(config) <= _hosts(self.initial.get("config") or {}):
            yield f"base_url or auth.token_url names another host: enter for it {', '.join(sorted(kept))}."
            return
        kind = ADAPTERS.get(cleaned.get("adapter", ""))
        missing = kind.missing(config, secrets) if kind else []
        yield from (f"{one}. It is not stored: enter it here." for one in missing)
        if "new_credentials" in self.changed_data:
            self.sealed = seal(secrets)

    def _secrets(self, entered: Secrets | None) -> tuple[Secrets, set[str]]:
        """All that there will be, and the names of those that are stored already."""
        if entered is not None and all(entered.values()):
            return entered, set()
        stored = unseal(self.instance.credentials)
        secrets = stored if entered is None else {name: new or stored.get(name, "") for name, new in entered.items()}
        secrets = {name: secret for name, secret in secrets.items() if secret}
        return secrets, {name for name in secrets if not (entered or {}).get(name)}


def _hosts(config: dict[str, Any]) -> set[tuple[str, str]]:
    """Where secrets are sent: to the supplier, and to who gives out its tokens."""
    base_url = config.get("base_url", "")
    urls = [urlsplit(base_url), urlsplit(urljoin(base_url, config.get("auth", {}).get("token_url", "")))]
    return {(url.scheme, url.netloc) for url in urls}
