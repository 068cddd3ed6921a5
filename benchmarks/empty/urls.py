"""The routes of the service, and the empty view."""

from django.urls import path

from benchmarks.empty.views import Empty
from inventory_project.urls import handler400, handler403, handler404, handler500
from inventory_project.urls import urlpatterns as own

__all__ = ["handler400", "handler403", "handler404", "handler500", "urlpatterns"]

urlpatterns = [path("api/v1/empty", Empty.as_view()), *own]
