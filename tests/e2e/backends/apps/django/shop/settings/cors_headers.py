"""Settings with django-cors-headers, as its documentation says, for the front end of the same namespace."""

from corsheaders.defaults import default_headers

from shop.settings import *  # noqa: F403
from shop.settings import INSTALLED_APPS, MIDDLEWARE

INSTALLED_APPS = [*INSTALLED_APPS, "corsheaders"]
MIDDLEWARE = ["corsheaders.middleware.CorsMiddleware", *MIDDLEWARE]

CORS_ALLOWED_ORIGIN_REGEXES = [r"^http://front\.[a-z0-9-]+\.svc\.cluster\.local$"]
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOW_HEADERS = [*default_headers]
