"""Every route of the service."""

from django.contrib import admin
from django.urls import path
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from inventory.hooks import SupplierHook
from inventory.urls import urlpatterns as stock
from inventory_project import health
from orders.urls import urlpatterns as orders

# What fails outside REST framework: problems for programs, pages for people.
handler400 = "storefronts.problems.bad_request"
handler403 = "storefronts.problems.forbidden"
handler404 = "storefronts.problems.not_found"
handler500 = "storefronts.problems.server_error"

urlpatterns = [
    # First and without `include`, which would cost each request more than its authentication does.
    *stock,
    *orders,
    path("admin/", admin.site.urls),
    path("hooks/suppliers/<str:slug>/", SupplierHook.as_view()),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(url_name="schema")),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
