"""Lists of countries, as a person types them and as they are compared."""

import re
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

_CODE = re.compile(r"[A-Z]{2}")
_EVERY = 800  # characters: every code there is, with a blank between


class CountriesField(models.CharField):  # type: ignore[type-arg]  # not subscriptable at run time
    """ISO 3166-1 alpha-2 codes in upper case, each once, ascending, with a blank between; empty: no limit."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"max_length": _EVERY, "blank": True, "default": "", "db_default": "", **kwargs})

    def deconstruct(self) -> Any:
        """As a plain column: migrations need not know how a person's input is read."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs

    def clean(self, value: Any, model_instance: models.Model | None) -> str:
        """Take what people type: small letters, commas, any order.  Raises: ValidationError naming what is no code."""
        codes = sorted(set(str(value or "").replace(",", " ").upper().split()))
        for code in codes:
            if not _CODE.fullmatch(code):
                raise ValidationError(f"{code} is not a country code of two letters, such as DE.")
        cleaned: str = super().clean(" ".join(codes), model_instance)
        return cleaned
