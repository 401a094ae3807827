import os

from corsheaders.defaults import default_headers

CORS_ALLOWED_ORIGINS = [
    "https://shop.example",
    "https://admin.shop.example/",
    *os.environ.get("CORS_EXTRA_ORIGINS", "").split(","),
]
CORS_ALLOWED_ORIGIN_REGEXES = [
    r"^https://\w+\.preview\.example$",
    r"^https://(.*\.)?partner\.example",
]
CORS_ALLOW_CREDENTIALS = True
CORS_ALLOW_HEADERS = (*default_headers, "x-tenant")
CORS_PREFLIGHT_MAX_AGE = 600
