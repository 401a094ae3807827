"""The shop behind Django, whose CSRF check and django-cors-headers know another front end than the one of today."""

import os
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.middleware.csrf import get_token
from django.urls import path

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of a test",
    MIDDLEWARE=[
        "corsheaders.middleware.CorsMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
    ],
    INSTALLED_APPS=["corsheaders"],
    CORS_ALLOWED_ORIGINS=["https://old.example"],
    CORS_ALLOW_CREDENTIALS=True,
    CSRF_TRUSTED_ORIGINS=["https://old.example"],
    # TLS ends before the proxy, which says so.
    SECURE_PROXY_SSL_HEADER=("HTTP_X_FORWARDED_PROTO", "https"),
    # Without templates there is no page about a failed CSRF check: the reason is in the answer.
    CSRF_FAILURE_VIEW=f"{__name__}.refuse",
)

orders = 0


def show_orders(request):
    """Counts an order, or says how many there are and the token for the next."""
    global orders
    if request.method == "POST":
        orders += 1
    return JsonResponse({"orders": orders, "csrfToken": get_token(request)})


def refuse(request, reason=""):
    """Says which part of the CSRF check failed."""
    return JsonResponse({"reason": reason}, status=403)


urlpatterns = [path("django/orders", show_orders)]


class Handler(WSGIRequestHandler):
    """A handler that writes no line for each request."""

    def log_message(self, *arguments):
        pass


server = WSGIServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
server.set_app(get_wsgi_application())
server.serve_forever()
