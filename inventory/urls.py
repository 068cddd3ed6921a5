"""The stock API, below /api/v1/."""

from django.urls import path

from inventory.following import StockChanges, StockStream
from inventory.views import Stock, StockOfSku

urlpatterns = [
    path("stock", Stock.as_view()),
    # Before the SKUs: one with such a code is asked for by `stock?sku=`.
    path("stock/changes", StockChanges.as_view()),
    path("stock/stream", StockStream.as_view()),
    path("stock/<str:sku>", StockOfSku.as_view()),
]
