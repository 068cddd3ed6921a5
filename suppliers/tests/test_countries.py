import pytest
from django.core.exceptions import ValidationError

from suppliers.models import Supplier


def cleaned(typed: str) -> str:
    field = Supplier._meta.get_field("ships_to")
    return str(field.clean(typed, None))


@pytest.mark.parametrize(
    ("typed", "stored"),
    [("", ""), ("de", "DE"), ("DE, at,CH  AT", "AT CH DE"), (" ", "")],
)
def test_countries_are_stored_in_one_form(typed, stored):
    assert cleaned(typed) == stored


@pytest.mark.parametrize("typed", ["DEU", "Germany", "D", "DE;AT", "DÉ", "12"])
def test_what_is_no_country_code_is_named(typed):
    with pytest.raises(ValidationError, match="is not a country code of two letters"):
        cleaned(typed)
