"""An application behind the middleware that a file adds, which answers what a request asks for."""

import os
import runpy

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response


class Application:
    """Answers with the status and the header line that the request names, and says that it was asked."""

    def __init__(self):
        self.inner = Starlette()
        self.inner.router.default = self.answer

    def add_middleware(self, *arguments, **named):
        self.inner.add_middleware(*arguments, **named)

    async def answer(self, scope, receive, send):
        headers = {name.decode("latin1"): value.decode("latin1") for name, value in scope["headers"]}
        response = Response(status_code=int(headers.get("x-want-status", "200")))
        name, _, value = headers.get("x-want-header", "").partition("=")
        if name:
            response.headers[name] = value
        response.headers["x-reached"] = "yes"
        await response(scope, receive, send)


application = Application()
runpy.run_path(os.environ["SETTINGS"], {"app": application})
uvicorn.run(application.inner, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="error")
