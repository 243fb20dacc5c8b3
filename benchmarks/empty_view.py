"""The baseline of the webhook: a Flask view that does nothing, under the very same web server.

`python -m benchmarks.empty_view PORT WORKERS THREADS`
"""

import sys

from flask import Flask, Response

from app.child_process import end_with_parent
from app.web import WebServer, gunicorn_options


def make_app() -> Flask:
    """Build the smallest app that can answer."""
    app = Flask(__name__)

    @app.post("/webhook")
    def webhook() -> Response:
        return Response('{"status": "ok"}', mimetype="application/json")

    @app.get("/healthz")
    def healthz() -> Response:
        return Response("ok")

    return app


def main() -> None:
    """Serve until a signal ends it."""
    end_with_parent()
    port, workers, threads = map(int, sys.argv[1:])
    WebServer(make_app, gunicorn_options("127.0.0.1", port, workers=workers, threads=threads)).run()


if __name__ == "__main__":
    main()
