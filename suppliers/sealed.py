"""A column of encrypted secrets, so that rotating the keys finds every one of them."""

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.db import models


class SealedField(models.BinaryField):  # type: ignore[type-arg]
    """What `suppliers.credentials.seal` made; empty: no secrets."""

    def deconstruct(self) -> tuple[str, str, Sequence[Any], dict[str, Any]]:
        name, _, arguments, options = super().deconstruct()
        return name, "django.db.models.BinaryField", arguments, options  # to the database it is nothing else


def sealed_fields() -> list[SealedField]:
    """The sealed columns of all models, by the names of these."""
    return [
        field
        for model in sorted(apps.get_models(), key=lambda one: one._meta.label)
        for field in model._meta.get_fields()
        if isinstance(field, SealedField) and field.model is model
    ]
