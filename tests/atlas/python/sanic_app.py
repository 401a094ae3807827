"""sanic-ext."""

from application import ADDRESS, BODY, EXPOSED, HEADERS, MAX_AGE, METHODS, OK, ORIGIN, OWN, fail, ran
from sanic import Sanic, json
from sanic_ext import Extend

app = Sanic("atlas")
app.config.update(
    CORS_ORIGINS=ORIGIN,
    CORS_METHODS=METHODS,
    CORS_ALLOW_HEADERS=HEADERS,
    CORS_EXPOSE_HEADERS=EXPOSED,
    CORS_SUPPORTS_CREDENTIALS=True,
    CORS_MAX_AGE=MAX_AGE,
)
Extend(app)


@app.route("/ok", methods=METHODS)
async def ok(request):
    ran()
    return json(BODY, headers=OK)


@app.get("/boom")
async def boom(request):
    fail()


@app.get("/acao")
async def own(request):
    ran()
    return json(BODY, headers=OWN)


if __name__ == "__main__":
    app.run(host=ADDRESS[0], port=ADDRESS[1], single_process=True, motd=False, access_log=False)
