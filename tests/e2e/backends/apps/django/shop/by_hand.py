"""CORS headers written by hand, each in a way that is found in real projects, and each wrong."""

from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path

ALLOW_ORIGIN = "Access-Control-Allow-Origin"
ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials"


def answer(request):
    return JsonResponse({"cookies": sorted(request.COOKIES)})


def star(request):
    """`*` and credentials: browsers refuse it as soon as credentials are asked for."""
    response = answer(request)
    response[ALLOW_ORIGIN] = "*"
    response[ALLOW_CREDENTIALS] = "true"
    return response


def reflected(request):
    """Whoever asks is allowed, with credentials; and `Vary` is forgotten."""
    response = answer(request)
    response[ALLOW_ORIGIN] = request.headers.get("Origin", "*")
    response[ALLOW_CREDENTIALS] = "true"
    return response


def listed(request):
    """A list, which the header cannot hold."""
    response = answer(request)
    front = request.get_host().split(":")[0].split(".", 1)[-1]
    response[ALLOW_ORIGIN] = f"http://front.{front}, http://shop.{front}"
    response[ALLOW_CREDENTIALS] = "true"
    return response


def doubled(request):
    """Right in the view; but the server around it adds the same once more, see `application`."""
    return reflected(request)


urlpatterns = [
    path("star", star),
    path("reflected", reflected),
    path("listed", listed),
    path("doubled", doubled),
]

django = get_wsgi_application()


def application(environ, start_response):
    """What gunicorn runs: Django in a wrapper of somebody who did not know that the view sends headers already."""

    def start_with_one_more(status, headers, *rest):
        origin = environ.get("HTTP_ORIGIN")
        if origin and environ["PATH_INFO"] == "/doubled":
            headers = [*headers, (ALLOW_ORIGIN, origin)]
        return start_response(status, headers, *rest)

    return django(environ, start_with_one_more)
