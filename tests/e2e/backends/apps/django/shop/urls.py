"""The addresses of the API."""

from django.urls import path

from shop import api, views

urlpatterns = [
    path("csrf", views.csrf),
    path("login", views.login),
    path("session", views.session),
    path("stock", views.stock),
    path("orders", api.Orders.as_view()),
    path("reports", api.Reports.as_view()),
]
