"""Receive the order updates that the broker pushes. They only trigger a poll: the order book stays the one truth."""

import json
import logging
import threading
import time
from collections.abc import Callable
from typing import Any

import websocket

log = logging.getLogger(__name__)

_HEARTBEAT = 30.0  # seconds between two of ours
_SILENCE = 95.0  # three heartbeats without any answer: the connection is dead, even if it seems open
_LOOK = 1.0  # seconds between two checks of the clock
_WAITS = (1.0, 60.0)  # seconds before connecting again, first and longest, doubling
_LASTED = 60.0  # seconds; a shorter connection may have been cut for another one with the same token
_TIMEOUT = 10.0


class OrderUpdates:
    """Listens in a daemon thread of its own and calls `nudge` on each order update. No error leaves the thread.

    Args:
        url: the broker's `wss://` address.
        user_id: used as both user and account.
        key: returns the session's key. It may raise, and is then called again later.
        nudge: wakes the thread that polls the book. It must be quick.
        bearer: True for an OAuth access token (`"t":"a"`), False for a QuickAuth key (`"t":"c"`).
    """

    def __init__(
        self,
        url: str,
        user_id: str,
        key: Callable[[], str],
        nudge: Callable[[], None],
        *,
        bearer: bool,
        wait: Callable[[float], object] | None = None,
    ) -> None:
        self._url = url
        self._user_id = user_id
        self._key = key
        self._nudge = nudge
        self._bearer = bearer
        self._stopping = threading.Event()
        self._wait = wait or self._stopping.wait
        self._socket: websocket.WebSocket | None = None
        self._worked = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Start listening."""
        self._thread = threading.Thread(target=self._run, name="order-updates", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop listening. The thread ends soon after."""
        self._stopping.set()
        socket = self._socket
        if socket is not None:
            _cut(socket)

    def hello(self, key: str) -> dict[str, str]:
        """Return the message that opens the connection, in the form for this kind of key."""
        message = {"uid": self._user_id, "actid": self._user_id, "source": "API"}
        return (
            {"t": "a", **message, "accesstoken": key}
            if self._bearer
            else {"t": "c", **message, "susertoken": key}
        )

    def handle(self, text: str | bytes) -> str:
        """Act on one message and return its type. A message that cannot be read is ignored.

        Raises:
            ConnectionError: the broker refused this connection.
        """
        message = _message(text)
        kind = str(message.get("t", "")).lower()
        if kind in ("ck", "ak"):
            if str(message.get("s", "")).lower() != "ok":
                raise ConnectionError("the broker refused the connection for order updates")
            self._worked = True
            self._send({"t": "o", "actid": self._user_id})
            self._nudge()  # catches up on what happened without a connection
        elif kind == "om":
            self._nudge()
        return kind

    def _run(self) -> None:
        failures = 0
        while not self._stopping.is_set():
            self._worked, began = False, time.monotonic()
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001 - the edge of a thread; the book is polled meanwhile
                if self._stopping.is_set():
                    return
                log.warning("order updates: %s", type(error).__name__)
            lasted = self._worked and time.monotonic() - began >= _LASTED
            failures = 0 if lasted else failures + 1
            self._wait(min(_WAITS[0] * 2 ** min(failures, 10), _WAITS[1]))

    def _listen(self) -> None:
        """Run one connection, from its beginning to its end."""
        self._socket = websocket.create_connection(
            self._url, timeout=_TIMEOUT, http_no_proxy=["*"], redirect_limit=0
        )
        try:
            self._send(self.hello(self._key()))
            self._receive(self._socket)
        finally:
            _cut(self._socket)

    def _receive(self, socket: websocket.WebSocket) -> None:
        heard = beat = time.monotonic()
        socket.settimeout(_LOOK)
        while not self._stopping.is_set():
            try:
                text = socket.recv()
                if not text:
                    raise ConnectionError("the broker closed the connection")
                heard = time.monotonic()
                self.handle(text)
            except websocket.WebSocketTimeoutException:
                pass
            now = time.monotonic()
            if now - heard > _SILENCE:
                raise ConnectionError("the broker is silent")
            if now - beat >= _HEARTBEAT:
                beat = now
                self._send({"t": "h"})

    def _send(self, message: dict[str, str]) -> None:
        if self._socket is not None:
            self._socket.send(json.dumps(message))


def _cut(socket: websocket.WebSocket) -> None:
    socket.shutdown()  # type: ignore[no-untyped-call]  # the library left this one without types


def _message(text: str | bytes) -> dict[str, Any]:
    try:
        message = json.loads(text)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}
