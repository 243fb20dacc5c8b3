"""Pass whole requests to a WSGI application, in threads that never wait for a sender."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Iterable, Sequence
from io import BytesIO
from queue import SimpleQueue
from typing import Any, NamedTuple
from urllib.parse import unquote_to_bytes, urlsplit

from alerts.receiver import Answer as AlertAnswer
from alerts.receiver import Request as AlertRequest
from app.alert_door import AlertApplication, AlertDoor

log = logging.getLogger(__name__)

Scope = dict[str, Any]
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Environ = dict[str, Any]
Header = tuple[bytes, bytes]
WsgiApp = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

_SWALLOWED = 16 * 1024 * 1024
"""Bytes of a refused body that are read and dropped, so that its sender reads the answer."""
_TOO_LARGE = b'{"error":{"code":"TOO_LARGE","message":"expected a smaller body","field":"body"}}'
_LATE = b'{"error":{"code":"UNREADABLE","message":"expected a complete body in time, got part of one","field":"body"}}'
_FAILED = b'{"error":{"code":"INTERNAL_ERROR","message":"an error of ours","field":null}}'
_MALFORMED = (
    b'{"error":{"code":"UNREADABLE","message":"expected a request target such as /webhook","field":null}}'
)
_JSON: list[Header] = [(b"content-type", b"application/json")]


class Answer(NamedTuple):
    """A whole response."""

    status: int
    headers: list[Header]
    body: bytes


class Threads:
    """A pool of threads that run calls. A submitted call is always run, even when its result is no longer awaited."""

    def __init__(self, count: int, name: str) -> None:
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()
        for number in range(count):
            threading.Thread(target=self._work, name=f"{name}-{number}", daemon=True).start()

    def put(self, call: Callable[[], None]) -> None:
        """Run the call, which raises nothing, in a thread."""
        self._calls.put(call)

    async def run(self, call: Callable[[], Answer]) -> Answer:
        """Run the call in a thread; returns its result.

        Cancelling ends the wait, never the call: an alert that was received is stored.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()

        def take(result: Answer) -> None:
            if not answer.done():
                answer.set_result(result)

        self.put(lambda: _tell(loop, take, call()))
        return await answer

    def _work(self) -> None:
        while True:
            self._calls.get()()


def _tell(loop: asyncio.AbstractEventLoop, take: Callable[[Answer], None], result: Answer) -> None:
    try:
        loop.call_soon_threadsafe(take, result)
    except RuntimeError:  # the event loop has ended; the call itself was carried out
        log.warning("a request was carried out, and its sender is gone with the worker that it asked")


class WholeRequests:
    """An ASGI application that passes whole requests to a WSGI application.

    Alerts have threads of their own, so that a slow page delays no alert. Where the application offers it, plain alerts
    are received on the event loop.
    """

    def __init__(
        self, app: WsgiApp, *, threads: int, max_bytes: int, alerts: AlertApplication | None = None
    ) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._alerts = Threads(threads, "alerts")
        self._others = Threads(threads, "pages")
        self._door = None if alerts is None else AlertDoor(alerts, self._alerts.put)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"{scope['type']} is not served")
        if _announced(scope) > self._max_bytes:
            await _refuse_size(receive, send, more=True)
            return
        body, more = await _whole_body(receive, self._max_bytes)
        if body is None:
            await _send(send, Answer(408, [*_JSON, (b"connection", b"close")], _LATE))
        elif len(body) > self._max_bytes:
            await _refuse_size(receive, send, more=more)
        else:
            await _send(send, await self._answer(scope, body))

    async def _answer(self, scope: Scope, body: bytes) -> Answer:
        raw_path = scope["raw_path"].partition(b"?")[0]
        answer = self.alert_answer(scope["method"], raw_path, scope["headers"], scope.get("client"), body)
        if answer is not None:
            return await answer
        threads = self._alerts if scope["path"].startswith("/webhook") else self._others
        return await threads.run(lambda: call_wsgi(self._app, scope, body))

    def alert_answer(
        self,
        method: str,
        raw_path: bytes,
        headers: Sequence[Header],
        client: tuple[str, int] | None,
        body: bytes,
    ) -> Awaitable[Answer] | None:
        """Receive a whole alert on the event loop; None for what is not plainly one, and for what is too large."""
        if self._door is None or len(body) > self._max_bytes:
            return None
        request = self._door.request_of(method, raw_path, headers, client[0] if client else "")
        return None if request is None else self._received(self._door, request, body)

    @staticmethod
    async def _received(door: AlertDoor, request: AlertRequest, body: bytes) -> Answer:
        answer = door.receive(request, body)
        return _as_flask_would(answer if isinstance(answer, AlertAnswer) else await answer)


def _announced(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value)  # the parser accepts digits only
    return 0


async def _whole_body(receive: Receive, limit: int) -> tuple[bytes | None, bool]:
    """Read the body (None when it did not arrive whole); also returns whether more is still to come over the limit."""
    message = await receive()
    parts, size = [], 0
    while message["type"] == "http.request":
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        more = bool(message.get("more_body"))
        if size > limit or not more:
            return b"".join(parts), more
        message = await receive()
    return None, False


async def _refuse_size(receive: Receive, send: Send, *, more: bool) -> None:
    """Answer at once, and read on for a while: a sender that is cut off while sending does not see the answer."""
    await _send(send, Answer(413, [*_JSON, (b"connection", b"close")], _TOO_LARGE))
    left = _SWALLOWED
    while more and left > 0:
        message = await receive()
        more = message["type"] == "http.request" and bool(message.get("more_body"))
        left -= len(message.get("body", b""))


def _as_flask_would(answer: AlertAnswer) -> Answer:
    headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
    length = (b"content-length", b"%d" % len(answer.body))
    return Answer(answer.status, [*headers, *_JSON, length], answer.body)


async def _send(send: Send, answer: Answer) -> None:
    headers = answer.headers
    if not any(name == b"content-length" for name, _ in headers):
        headers = [*headers, (b"content-length", b"%d" % len(answer.body))]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def call_wsgi(app: WsgiApp, scope: Scope, body: bytes) -> Answer:
    """Call the application; returns its answer. Raises nothing, so that the thread survives every request."""
    try:
        environ = _environ(scope, body)
    except ValueError:  # `GET http://[x/`
        return Answer(400, _JSON, _MALFORMED)
    try:
        return _called(app, environ)
    except Exception:  # the outermost handler: the thread must survive every error
        log.exception("a request met an unexpected error")
        return Answer(500, _JSON, _FAILED)


def _called(app: WsgiApp, environ: Environ) -> Answer:
    started: list[tuple[int, list[Header]]] = []
    parts: list[bytes] = []

    def start_response(status: str, headers: list[tuple[str, str]], exc_info: object = None) -> Any:
        lower = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        started[:] = [(int(status[:3]), lower)]
        return parts.append

    result = app(environ, start_response)
    try:
        parts.extend(result)
    finally:
        close = getattr(result, "close", None)
        if close is not None:
            close()
    status, found = started[0]
    return Answer(status, found, b"".join(parts))


def _environ(scope: Scope, body: bytes) -> Environ:
    """Build the environ of PEP 3333 for the request; a chunked body has a known length by now."""
    path = scope["raw_path"].partition(b"?")[0]
    if not path.startswith(b"/"):  # `GET http://host/path`, as to a proxy, or `OPTIONS *`
        path = urlsplit(path).path or b"/"
    server, client = scope.get("server") or ("", 0), scope.get("client") or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": BytesIO(body),
        "wsgi.input_terminated": True,
        "wsgi.errors": _Errors(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        _add_header(environ, name, value)
    if body or "CONTENT_LENGTH" in environ:
        environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _add_header(environ: Environ, name: bytes, value: bytes) -> None:
    # With an underscore it would be one with the name that has hyphens, which a proxy sets and lets nobody else set.
    if name == b"transfer-encoding" or b"_" in name:
        return
    key = name.decode("latin-1").upper().replace("-", "_")
    if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        key = f"HTTP_{key}"
    text = value.decode("latin-1")
    if key in environ:
        text = f"{environ[key]}{';' if key == 'HTTP_COOKIE' else ','}{text}"
    environ[key] = text


class _Errors:
    """The error stream of the WSGI application; it writes to the log."""

    def write(self, text: str) -> int:
        """Log one piece of text."""
        log.error("%s", text.rstrip())
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Log several pieces of text."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Do nothing: the log needs no flush."""
