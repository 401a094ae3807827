"""The settings and the routes that all applications of this folder have in common.

Every application has `/ok` (GET and PUT, with a `Vary` of its own), `/boom` (an exception) and `/acao` (an
`Access-Control-Allow-Origin` of its own). A handler that runs prints a line `ran`.
"""

import os
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

ORIGIN = os.environ["ORIGIN"]
ANY = ORIGIN == "*"
METHODS = ["GET", "PUT"]
HEADERS = ["x-a", "content-type"]
EXPOSED = ["x-id"]
MAX_AGE = 600
ADDRESS = ("127.0.0.1", int(os.environ["PORT"]))

BODY = {"ok": True}
OK = {"Vary": "Accept-Encoding", "X-Id": "1"}
OWN = {"Access-Control-Allow-Origin": "*"}


def ran():
    print("ran", flush=True)


def fail():
    ran()
    raise RuntimeError("boom")


class Quiet(WSGIRequestHandler):
    def log_message(self, *arguments):
        pass


def serve_wsgi(application):
    server = WSGIServer(ADDRESS, Quiet)
    server.set_app(application)
    server.serve_forever()


def serve_asgi(application):
    import uvicorn

    uvicorn.run(application, host=ADDRESS[0], port=ADDRESS[1], log_level="error")
