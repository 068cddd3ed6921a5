"""Two groups of people: who sets policy, and who keeps it running.  Every `migrate` sets them to what stands here.

For other roles make groups of your own: these two do not keep what is changed in the admin.
"""

from collections.abc import Iterator
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.models import Group, Permission

EVERYTHING = {
    "suppliers": ("supplier", "switchboard"),
    "storefronts": ("storefront",),
    "inventory": (
        *("sku", "offer", "stocklevel", "levelpolicy", "learnedbuffer", "allocation", "stockmovement"),
        *("snapshot", "discrepancy", "effect", "salesevent", "push", "alert", "alertchannel"),
    ),
    "orders": ("order", "reservation"),
    "admin": ("logentry",),
}
# Beyond seeing everything.  On rows that only the service writes, `change` is the right to act on them.
MORE = {
    "merchant": {
        "suppliers": ("add_supplier", "change_supplier", "delete_supplier"),
        "inventory": (
            *("add_sku", "change_sku", "delete_sku", "add_offer", "change_offer", "delete_offer"),
            *("add_salesevent", "change_salesevent", "delete_salesevent"),
            *("add_levelpolicy", "change_levelpolicy", "delete_levelpolicy"),
        ),
    },
    "ops": {
        "suppliers": ("operate_supplier", "change_switchboard"),
        "inventory": (
            *("change_stocklevel", "change_allocation", "change_discrepancy", "change_effect"),
            *("add_salesevent", "change_salesevent", "change_alert"),
            *("add_alertchannel", "change_alertchannel", "delete_alertchannel"),
        ),
        "orders": ("change_order",),
    },
}


def grant_roles(app_config: AppConfig, using: str, **_: Any) -> None:
    """After an app's migrations, when its permissions exist: give each group those of this app."""
    app = app_config.label
    if app not in EVERYTHING:
        return
    for role in MORE:
        group, _created = Group.objects.using(using).get_or_create(name=role)
        mine = Permission.objects.using(using).filter(content_type__app_label=app)
        group.permissions.remove(
            *group.permissions.filter(content_type__app_label=app).exclude(codename__in=granted(role, app))
        )
        group.permissions.add(*mine.filter(codename__in=list(granted(role, app))))


def granted(role: str, app: str) -> Iterator[str]:
    """The permissions of a role in an app."""
    yield from (f"view_{model}" for model in EVERYTHING[app])
    yield from MORE[role].get(app, ())
