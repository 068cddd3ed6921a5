from django.urls import path, register_converter
from django.urls.converters import StringConverter

from orders import views


class OrderNumber(StringConverter):
    """What can be the number of an order; a NUL would not even pass as a parameter of the query."""

    regex = "[A-Za-z0-9-]{1,32}"


register_converter(OrderNumber, "number")

urlpatterns = [
    path("api/v1/orders", views.OrdersView.as_view()),
    path("api/v1/orders/<number:number>", views.OrderView.as_view()),
    path("api/v1/orders/<number:number>/cancel", views.CancelView.as_view()),
    path("api/v1/reservations", views.ReservationsView.as_view()),
    path("api/v1/reservations/<uuid:reservation>", views.ReservationView.as_view()),
]
