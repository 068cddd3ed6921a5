"""How rows are called: by the names of what they belong to, where those are loaded."""

from django.db.models import Model


def loaded(row: Model, field: str) -> object:
    """The row behind a foreign key if it is loaded, otherwise its id: a name must not cost a query."""
    return getattr(row, field) if field in row._state.fields_cache else getattr(row, f"{field}_id")  # noqa: SLF001
