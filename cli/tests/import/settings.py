import os
import re

from corsheaders.defaults import default_headers

DEBUG = False
FRONTEND = "https://shop.example"

INSTALLED_APPS = ["corsheaders", "shop"]
MIDDLEWARE = [
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.common.CommonMiddleware",
]

CORS_ALLOWED_ORIGINS = [
    FRONTEND,
    "https://admin.shop.example/",
    "https://Www.shop.example",
    "https://*.shop.example",
    "http://localhost:3000",
    *os.environ.get("CORS_EXTRA", "").split(","),
]
if DEBUG:
    CORS_ALLOWED_ORIGINS += ["http://localhost:5173"]
CORS_ALLOWED_ORIGIN_REGEXES = [
    r"^https://\w+\.preview\.example$",
    r"^https://pr-[a-z0-9-]+\.shop\.example$",
    re.compile(r"^https://(.*\.)?partner\.example"),
]
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOW_HEADERS = (
    *default_headers,
    "x-tenant",
)
CORS_EXPOSE_HEADERS = ["x-request-id"]
CORS_PREFLIGHT_MAX_AGE = 60 * 10
CORS_URLS_REGEX = r"^/api/.*$"
