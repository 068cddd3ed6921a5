"""How the admin looks and what its sidebar lists: the two layers, and a party on each side of them."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy


def may_see(permission: str) -> Callable[[HttpRequest], bool]:
    """A rule of the sidebar."""
    return lambda request: request.user.has_perm(permission)


def page(title: str, icon: str, app: str, model: str) -> dict[str, Any]:
    """An entry of the sidebar, for those who may see what it leads to."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{app}_{model}_changelist"),
        "permission": may_see(f"{app}.view_{model}"),
    }


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Holdfast",
    "SITE_HEADER": "Holdfast",
    "SITE_SUBHEADER": "Nothing sold that is not there",
    "SITE_SYMBOL": "anchor",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("holdfast/favicon.svg")},  # noqa: ARG005
    ],
    "SITE_URL": reverse_lazy("admin:index"),
    "SHOW_VIEW_ON_SITE": False,
    "SHOW_HISTORY": True,
    "DASHBOARD_CALLBACK": "inventory_project.dashboard.dashboard",
    "COLORS": {
        "primary": {
            "50": "oklch(97.7% .014 205)",
            "100": "oklch(95% .035 205)",
            "200": "oklch(90% .06 207)",
            "300": "oklch(82% .09 210)",
            "400": "oklch(72% .11 213)",
            "500": "oklch(62% .11 218)",
            "600": "oklch(52% .1 222)",
            "700": "oklch(45% .085 224)",
            "800": "oklch(39% .07 227)",
            "900": "oklch(34% .06 228)",
            "950": "oklch(25% .05 230)",
        },
    },
    "SIDEBAR": {
        "show_search": False,
        "navigation": [
            {"title": "", "items": [{"title": "Overview", "icon": "dashboard", "link": reverse_lazy("admin:index")}]},
            {
                "title": "Query layer",
                "items": [
                    page("SKUs", "sell", "inventory", "sku"),
                    page("Stock levels", "inventory_2", "inventory", "stocklevel"),
                    page("Level policies", "tune", "inventory", "levelpolicy"),
                    page("Learned buffers", "school", "inventory", "learnedbuffer"),
                    page("Offers", "link", "inventory", "offer"),
                    page("Snapshots", "photo_camera", "inventory", "snapshot"),
                    page("Sales events", "local_fire_department", "inventory", "salesevent"),
                    page("Pushes", "move_to_inbox", "inventory", "push"),
                ],
            },
            {
                "title": "Deduction layer",
                "items": [
                    page("Orders", "shopping_cart", "orders", "order"),
                    page("Reservations", "hourglass_top", "orders", "reservation"),
                    page("Allocations", "lock", "inventory", "allocation"),
                    page("Movements", "receipt_long", "inventory", "stockmovement"),
                    page("Effects", "bolt", "inventory", "effect"),
                    page("Discrepancies", "difference", "inventory", "discrepancy"),
                    page("Alerts", "notifications", "inventory", "alert"),
                    page("Alert channels", "campaign", "inventory", "alertchannel"),
                ],
            },
            {
                "title": "Suppliers",
                "items": [
                    page("Suppliers", "local_shipping", "suppliers", "supplier"),
                    page("Switchboard", "front_hand", "suppliers", "switchboard"),
                ],
            },
            {
                "title": "Storefronts",
                "items": [
                    page("Storefronts", "storefront", "storefronts", "storefront"),
                    page("API keys", "key", "storefronts", "apikey"),
                ],
            },
            {
                "title": "People",
                "items": [
                    page("Users", "person", "auth", "user"),
                    page("Groups", "group", "auth", "group"),
                    page("Acts", "history", "admin", "logentry"),
                ],
            },
        ],
    },
}
