"""Dialogs of the admin that only ask."""

from typing import Any

from django.http import HttpResponse
from unfold.forms import BaseDialogForm


def confirmation(title: str, description: str, submit: str) -> dict[str, Any]:
    """A dialog that only asks: what follows is posted, with a token against forged requests."""
    return {"title": title, "description": description, "form_class": BaseDialogForm, "form_submit_text": submit}


def close_dialog(url: str) -> HttpResponse:
    """What the page behind a dialog shows next."""
    return HttpResponse(headers={"HX-Redirect": url})
