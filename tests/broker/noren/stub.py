"""A small HTTP server on loopback that answers each call exactly as it is told, and notes what came."""

import json
import socket
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

OK = {"stat": "Ok"}
NO_DATA = {"stat": "Not_Ok", "emsg": 'Error Occurred : 5 "no data"'}
EXPIRED = {"stat": "Not_Ok", "emsg": "Session Expired :  Invalid Session Key"}
PLACED = {"stat": "Ok", "norenordno": "26112000000001", "request_time": "09:30:00 20-11-2026"}


@dataclass
class Call:
    endpoint: str
    raw: bytes
    fields: dict
    key: str | None
    headers: dict
    port: int


Behaviour = Callable[["Handler"], None]


def not_ok(emsg):
    return {"stat": "Not_Ok", "request_time": "09:30:00 20-11-2026", "emsg": emsg}


def says(body, status=200) -> Behaviour:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def behave(handler):
        handler.read_call()
        handler.answer(content, status)

    return behave


def drops_before_reading(handler):
    handler.cut()


def drops_after_reading(handler):
    handler.read_call()
    handler.cut()


def truncates(handler):
    """Half of an answer, which claims to be whole."""
    handler.read_call()
    content = json.dumps(PLACED).encode()
    handler.answer(content[: len(content) // 2], 200, declared=len(content))
    handler.cut()


def truncates_silently(handler):
    handler.read_call()
    content = json.dumps(PLACED).encode()
    handler.answer(content[: len(content) // 2], 200)


def slow(seconds, then) -> Behaviour:
    def behave(handler):
        time.sleep(seconds)
        then(handler)

    return behave


def dribbles(handler):
    """An answer that never ends, a byte now and then."""
    handler.read_call()
    handler.send_response(200)
    handler.send_header("Content-Length", "1000")
    handler.end_headers()
    try:
        for _ in range(20):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.1)
    except OSError:
        pass


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "Stub"

    def do_POST(self):
        endpoint = self.path.rpartition("/")[2]
        self.server.behaviour(endpoint)(self)

    def read_call(self) -> Call:
        raw = self.rfile.read(int(self.headers["Content-Length"]))
        form = parse_qs(raw.decode(), keep_blank_values=True, strict_parsing=True)
        call = Call(
            self.path.rpartition("/")[2],
            raw,
            json.loads(form["jData"][0]),
            form.get("jKey", [None])[0],
            {name.lower(): value for name, value in self.headers.items()},
            self.client_address[1],
        )
        with self.server.lock:
            self.server.calls.append(call)
        return call

    def answer(self, content: bytes, status: int, declared: int | None = None) -> None:
        """In one piece: behind two small ones, the second waits for the client's delayed ACK."""
        length = len(content) if declared is None else declared
        head = f"HTTP/1.1 {status} .\r\nContent-Length: {length}\r\nLocation: /elsewhere\r\n\r\n"
        self.wfile.write(head.encode() + content)

    def cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args):
        pass


class Stub(ThreadingHTTPServer):
    """Each call takes its endpoint's next behaviour from `script`, else its standing one."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.calls: list[Call] = []
        self.script = defaultdict(deque)
        self.standing = {
            "QuickAuth": self._log_in,
            "PlaceOrder": says(PLACED),
            "ModifyOrder": says({**OK, "result": "26112000000001"}),
            "CancelOrder": says({**OK, "result": "26112000000001"}),
            "OrderBook": says(NO_DATA),
            "PositionBook": says(NO_DATA),
            "Holdings": says(NO_DATA),
        }
        self.keys = 0
        self.valid: set[str] | None = None  # keys that are accepted; None: any

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/NorenWClientTP"

    def behaviour(self, endpoint: str) -> Behaviour:
        with self.lock:
            script = self.script[endpoint]
            return script.popleft() if script else self.standing[endpoint]

    def tell(self, endpoint: str, *behaviours: Behaviour) -> None:
        """Let the next calls of the endpoint be answered so, in this order."""
        self.script[endpoint].extend(behaviours)

    def of(self, endpoint: str) -> list[Call]:
        return [call for call in self.calls if call.endpoint == endpoint]

    def _log_in(self, handler: Handler) -> None:
        handler.read_call()
        with self.lock:
            self.keys += 1
            key = f"key{self.keys}"
            if self.valid is not None:
                self.valid = {key}
        handler.answer(json.dumps({**OK, "susertoken": key, "uname": "A", "actid": "FA1"}).encode(), 200)

    def checks_keys(self, then: Behaviour) -> Behaviour:
        """Answers `then` to a key that is valid, and to any other that the session expired."""

        def behave(handler):
            call = handler.read_call()
            valid = self.valid is None or call.key in self.valid
            handler.read_call = lambda: call  # `then` must not read the body again
            (then if valid else says(EXPIRED))(handler)
            del handler.read_call  # the connection is kept, and its next call is another

        return behave

    def handle_error(self, request, client_address):
        pass  # clients that leave early are meant to

    def __enter__(self):
        threading.Thread(target=self.serve_forever, args=(0.002,), daemon=True).start()
        return self

    def __exit__(self, *exc):
        self.shutdown()
        self.server_close()
