"""An application behind django-cors-headers with the settings of a file, which answers what a request asks for."""

import os
import runpy
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from django.urls import re_path

written = runpy.run_path(os.environ["SETTINGS"])
settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of a test",
    INSTALLED_APPS=["corsheaders"],
    MIDDLEWARE=["corsheaders.middleware.CorsMiddleware"],
    **{name: value for name, value in written.items() if name.startswith("CORS_")},
)


def answer(request):
    """Answers with the status and the header line that the request names, and says that it was asked."""
    response = HttpResponse(status=int(request.headers.get("x-want-status", 200)))
    name, _, value = request.headers.get("x-want-header", "").partition("=")
    if name:
        response[name] = value
    response["x-reached"] = "yes"
    return response


urlpatterns = [re_path("^", answer)]


class Handler(WSGIRequestHandler):
    """A handler that writes no line for each request."""

    def log_message(self, *arguments):
        pass


server = WSGIServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
server.set_app(get_wsgi_application())
server.serve_forever()
