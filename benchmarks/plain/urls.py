"""The routes of the service, with the plain view in the place of its own."""

from django.urls import path

from benchmarks.plain.views import PlaceOrder
from inventory_project.urls import handler400, handler403, handler404, handler500
from inventory_project.urls import urlpatterns as own

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [path("api/v1/orders", PlaceOrder.as_view()), *own]
