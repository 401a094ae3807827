"""quart-cors."""

from application import BODY, EXPOSED, HEADERS, MAX_AGE, METHODS, OK, ORIGIN, OWN, fail, ran, serve_asgi
from quart import Quart
from quart_cors import cors

app = cors(
    Quart(__name__),
    allow_origin="*" if ORIGIN == "*" else [ORIGIN],
    allow_methods=METHODS,
    allow_headers=HEADERS,
    expose_headers=EXPOSED,
    allow_credentials=True,
    max_age=MAX_AGE,
)


@app.route("/ok", methods=METHODS)
async def ok():
    ran()
    return BODY, 200, OK


@app.get("/boom")
async def boom():
    fail()


@app.get("/acao")
async def own():
    ran()
    return BODY, 200, OWN


serve_asgi(app)
