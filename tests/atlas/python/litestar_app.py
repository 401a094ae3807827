"""Litestar's CORSConfig."""

from application import BODY, EXPOSED, HEADERS, MAX_AGE, METHODS, OK, ORIGIN, OWN, fail, ran, serve_asgi
from litestar import HttpMethod, Litestar, Response, get, route
from litestar.config.cors import CORSConfig


@route("/ok", http_method=[HttpMethod.GET, HttpMethod.PUT])
async def ok() -> Response:
    ran()
    return Response(BODY, headers=OK)


@get("/boom")
async def boom() -> None:
    fail()


@get("/acao")
async def own() -> Response:
    ran()
    return Response(BODY, headers=OWN)


cors = CORSConfig(
    allow_origins=[ORIGIN],
    allow_methods=METHODS,
    allow_headers=HEADERS,
    expose_headers=EXPOSED,
    allow_credentials=True,
    max_age=MAX_AGE,
)
serve_asgi(Litestar([ok, boom, own], openapi_config=None, cors_config=cors))
