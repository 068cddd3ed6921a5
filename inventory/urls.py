"""The stock API."""

from django.urls import path

from inventory.following import StockChanges, StockStream
from inventory.views import Stock, StockOfSku

urlpatterns = [
    path("api/v1/stock", Stock.as_view()),
    # Before the SKUs: one with such a code is asked for by `stock?sku=`.
    path("api/v1/stock/changes", StockChanges.as_view()),
    path("api/v1/stock/stream", StockStream.as_view()),
    path("api/v1/stock/<str:sku>", StockOfSku.as_view()),
]
