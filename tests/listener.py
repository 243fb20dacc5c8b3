"""A server on loopback that notes the requests that come, and answers, refuses or hangs as it is told."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Heard:
    """What came; `answer` is the status, None: nothing is answered before the end of the test."""

    url: str = ""
    answer: int | None = 200
    paths: list[str] = field(default_factory=list)
    ended: threading.Event = field(default_factory=threading.Event)


@contextmanager
def listening() -> Iterator[Heard]:
    """Listen on a free port of 127.0.0.1."""
    heard = Heard()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.paths.append(self.path)
            if heard.answer is None:
                heard.ended.wait(60)
                return
            self.send_response(heard.answer)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    heard.url = f"http://127.0.0.1:{server.server_address[1]}/ping/a-secret-id"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield heard
    finally:
        heard.ended.set()
        server.shutdown()
        server.server_close()
