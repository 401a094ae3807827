"""flask-cors."""

from application import BODY, EXPOSED, HEADERS, MAX_AGE, METHODS, OK, ORIGIN, OWN, fail, ran, serve_wsgi
from flask import Flask
from flask_cors import CORS

app = Flask(__name__)
CORS(
    app,
    origins=[ORIGIN],
    methods=METHODS,
    allow_headers=HEADERS,
    expose_headers=EXPOSED,
    supports_credentials=True,
    max_age=MAX_AGE,
)


@app.route("/ok", methods=METHODS)
def ok():
    ran()
    return BODY, 200, OK


@app.get("/acao")
def own():
    ran()
    return BODY, 200, OWN


app.add_url_rule("/boom", view_func=fail)
serve_wsgi(app)
