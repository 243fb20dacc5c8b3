"""The front with a small WSGI application behind it, in a process of its own: `python -m tests.app.serving PORT`.

Its deadlines are short, so that a test sees them pass.
"""

import sys
import time
from collections.abc import Callable, Iterable
from typing import Any

from app import connections
from app.child_process import end_with_parent
from app.web import WebServer, gunicorn_options

REQUEST_SECONDS = 0.8
CONNECTIONS = 60


class App:
    """Answers with what it was sent; `/slow` takes its time, `/large` answers with more than a socket takes."""

    def __init__(self) -> None:
        self.config = {"MAX_CONTENT_LENGTH": 2048}
        self._done = 0

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        body, path = environ["wsgi.input"].read(), environ["PATH_INFO"]
        if path == "/fails":
            raise RuntimeError("as it must not")
        if path == "/webhook/slow":
            time.sleep(0.5)
            self._done += 1
        if path == "/done":
            body = b"%d" % self._done
        if path == "/large":
            body = b"x" * 30_000_000
        start_response("200 OK", [("X-Sender", environ["REMOTE_ADDR"]), ("X-Path", path)])
        return [body]


def main() -> None:
    """Serve until a signal ends it."""
    end_with_parent()
    connections.REQUEST_SECONDS = REQUEST_SECONDS
    connections.UNREAD_SECONDS = REQUEST_SECONDS
    options = gunicorn_options("127.0.0.1", int(sys.argv[1]), workers=1, threads=2)
    WebServer(App, {**options, "worker_connections": CONNECTIONS, "keepalive": 30}).run()


if __name__ == "__main__":
    main()
