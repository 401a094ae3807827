"""Falcon's CORSMiddleware, which has no settings for methods, request headers and the age of a preflight."""

import falcon
from application import BODY, EXPOSED, OK, ORIGIN, OWN, fail, ran, serve_wsgi


class Ok:
    def on_get(self, request, response):
        ran()
        response.media = BODY
        response.set_headers(OK)

    on_put = on_get


class Boom:
    def on_get(self, request, response):
        fail()


class Own:
    def on_get(self, request, response):
        ran()
        response.media = BODY
        response.set_headers(OWN)


cors = falcon.CORSMiddleware(allow_origins=ORIGIN, allow_credentials=ORIGIN, expose_headers=EXPOSED)
app = falcon.App(middleware=[cors])
for at, resource in [("/ok", Ok()), ("/boom", Boom()), ("/acao", Own())]:
    app.add_route(at, resource)
serve_wsgi(app)
