"""Starlette's CORSMiddleware, which FastAPI has, too."""

from application import BODY, EXPOSED, HEADERS, MAX_AGE, METHODS, OK, ORIGIN, OWN, fail, ran, serve_asgi
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse
from starlette.routing import Route


async def ok(request):
    ran()
    return JSONResponse(BODY, headers=OK)


async def boom(request):
    fail()


async def own(request):
    ran()
    return JSONResponse(BODY, headers=OWN)


cors = Middleware(
    CORSMiddleware,
    allow_origins=[ORIGIN],
    allow_methods=METHODS,
    allow_headers=HEADERS,
    expose_headers=EXPOSED,
    allow_credentials=True,
    max_age=MAX_AGE,
)
routes = [Route("/ok", ok, methods=METHODS), Route("/boom", boom), Route("/acao", own)]
serve_asgi(Starlette(routes=routes, middleware=[cors]))
