from django.urls import path

from orders import views

urlpatterns = [
    path("orders", views.OrdersView.as_view()),
    path("orders/<str:number>", views.OrderView.as_view()),
    path("orders/<str:number>/cancel", views.CancelView.as_view()),
    path("reservations", views.ReservationsView.as_view()),
    path("reservations/<uuid:reservation>", views.ReservationView.as_view()),
]
