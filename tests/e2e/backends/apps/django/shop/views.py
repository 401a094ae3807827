"""Plain Django views: login by session cookie and CSRF token, and one that knows no `OPTIONS`."""

import json

from django.contrib import auth
from django.http import JsonResponse
from django.middleware.csrf import get_token
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_GET, require_http_methods, require_POST


@require_GET
def csrf(request):
    """Sets the CSRF cookie and says the token: a page of another origin cannot read the cookie."""
    return JsonResponse({"csrfToken": get_token(request)})


@require_POST
@csrf_protect
def login(request):
    """Begins a session."""
    wanted = json.loads(request.body)
    user = auth.authenticate(request, username=wanted["username"], password=wanted["password"])
    if user is None:
        return JsonResponse({"detail": "wrong name or password"}, status=400)
    auth.login(request, user)
    return JsonResponse({"user": user.username, "csrfToken": get_token(request)})


@require_GET
def session(request):
    """Who the cookies say is asking."""
    return JsonResponse({"user": request.user.username or None})


@csrf_exempt
@require_http_methods(["GET", "PUT"])
def stock(request):
    """Says or changes a number; `OPTIONS` is answered 405, as the decorator does."""
    return JsonResponse({"method": request.method, "left": 7})
