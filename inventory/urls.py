"""The stock API, below /api/v1/."""

from django.urls import path

from inventory.views import Stock, StockOfSku

urlpatterns = [
    path("stock", Stock.as_view()),
    path("stock/<str:sku>", StockOfSku.as_view()),
]
