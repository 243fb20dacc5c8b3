"""The simulator's HTTP server: keep-alive, one thread for each connection, every answer sent in one piece."""

import socket
import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from typing import Any

from broker.simulator.control import control
from broker.simulator.service import Simulator, WireResponse

Route = Callable[[str, str, Mapping[str, str], bytes], WireResponse | None]
"""Answers a call by its method, path with query, headers and body. None: close the connection without an answer."""


class NorenWire:
    """Reads the calls of the Noren wire."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def __call__(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> WireResponse | None:
        """Answer one call."""
        if method != "POST":
            return WireResponse(404, b"Not Found", "text/plain")
        parts = [part for part in path.partition("?")[0].split("/") if part]
        base, endpoint = parts if len(parts) == 2 else ("", "")
        scheme, _, bearer = headers.get("Authorization", "").partition(" ")
        token = bearer.strip() if scheme.lower() == "bearer" else None
        return self._simulator.handle(base, endpoint, body, token)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], simulator: Simulator, route: Route) -> None:
        super().__init__(address, _Handler)
        self.simulator = simulator
        self.route = route
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._ended = False

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in its own thread, and keep track of it while it is open."""
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget a connection that has ended."""
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def cut(self) -> None:
        """End every connection, including those that are kept alive.

        Otherwise a server that no longer listens would go on answering on them.
        """
        with self._lock:
            self._ended = True
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore a client that went away or was cut off. Report anything else: it is a defect."""
        if not self._ended and not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 120

    def do_GET(self) -> None:
        self._take("GET")

    def do_POST(self) -> None:
        self._take("POST")

    def do_PUT(self) -> None:
        self._take("PUT")

    def do_DELETE(self) -> None:
        self._take("DELETE")

    def _take(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        name = self.path.partition("?")[0].strip("/")
        if name.startswith("_"):
            self._control(method, name, body)
        else:
            self._send(self.server.route(method, self.path, dict(self.headers.items()), body))

    def _control(self, method: str, name: str, body: bytes) -> None:
        if ip_address(self.client_address[0]).is_loopback:
            self._send(control(self.server.simulator, method, name, body))
        else:
            self._send(WireResponse(403, b"only from this machine", "text/plain"))

    def _send(self, answer: WireResponse | None) -> None:
        if answer is None:
            self.close_connection = True
            with suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        length = len(answer.body) if answer.length is None else answer.length
        self.close_connection |= length != len(answer.body)
        head = (
            f"HTTP/1.1 {answer.status} {_phrase(answer.status)}\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {length}\r\nConnection: {'close' if self.close_connection else 'keep-alive'}\r\n\r\n"
        )
        with suppress(ConnectionError):  # the client has hung up
            self.wfile.write(head.encode() + answer.body)

    def log_message(self, *args: object) -> None:
        """Log nothing: the journal has what matters."""


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"


class SimulatorServer:
    """Serve a simulator on a port until `stop`. Port 0 takes a free one. `url` is its address."""

    def __init__(
        self, simulator: Simulator, *, host: str = "127.0.0.1", port: int = 0, route: Route | None = None
    ) -> None:
        """Bind the port. Requests are answered from `start` on. `route` is the wire; None: the Noren wire.

        Raises:
            OSError: the port is taken.
        """
        self.simulator = simulator
        self._server = _Server((host, port), simulator, route or NorenWire(simulator))
        self.port: int = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        """Start answering requests, in separate threads."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering on every connection, and release every call that waits."""
        self._server.shutdown()
        self._server.cut()
        self.simulator.close()
        self._server.server_close()
        self._thread.join(5)
