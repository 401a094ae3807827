"""django-cors-headers."""

from application import ANY, BODY, EXPOSED, HEADERS, MAX_AGE, METHODS, OK, ORIGIN, OWN, fail, ran, serve_wsgi
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import JsonResponse
from django.urls import path
from django.views.decorators.http import require_http_methods

settings.configure(
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    SECRET_KEY="of an application for measurements",
    INSTALLED_APPS=["corsheaders"],
    MIDDLEWARE=["corsheaders.middleware.CorsMiddleware", "django.middleware.common.CommonMiddleware"],
    CORS_ALLOW_ALL_ORIGINS=ANY,
    CORS_ALLOWED_ORIGINS=[] if ANY else [ORIGIN],
    CORS_ALLOW_METHODS=METHODS,
    CORS_ALLOW_HEADERS=HEADERS,
    CORS_EXPOSE_HEADERS=EXPOSED,
    CORS_ALLOW_CREDENTIALS=True,
    CORS_PREFLIGHT_MAX_AGE=MAX_AGE,
    LOGGING_CONFIG=None,
)


@require_http_methods(METHODS)
def ok(request):
    ran()
    return JsonResponse(BODY, headers=OK)


def own(request):
    ran()
    return JsonResponse(BODY, headers=OWN)


urlpatterns = [path("ok", ok), path("boom", lambda request: fail()), path("acao", own)]
serve_wsgi(get_wsgi_application())
