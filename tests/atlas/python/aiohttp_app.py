"""aiohttp-cors, added to every route."""

import aiohttp_cors
from aiohttp import web
from application import ADDRESS, BODY, EXPOSED, HEADERS, MAX_AGE, METHODS, OK, ORIGIN, fail, ran


async def ok(request):
    ran()
    return web.json_response(BODY, headers=OK)


async def boom(request):
    fail()


app = web.Application()
options = aiohttp_cors.ResourceOptions(
    allow_credentials=True,
    expose_headers=EXPOSED,
    allow_headers=HEADERS,
    allow_methods=METHODS,
    max_age=MAX_AGE,
)
cors = aiohttp_cors.setup(app, defaults={ORIGIN: options})
for method, at, handler in [("GET", "/ok", ok), ("PUT", "/ok", ok), ("GET", "/boom", boom)]:
    cors.add(app.router.add_route(method, at, handler))
web.run_app(app, host=ADDRESS[0], port=ADDRESS[1], print=None)
