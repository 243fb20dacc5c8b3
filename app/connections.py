"""One sender's connection: a whole request or an answer has a deadline, and nobody who is slow holds a thread.

gunicorn's own asgi protocol parses and answers. It lacks deadlines for a first head, a trickling body and an answer
that is never read, and a cap on connections; they are added here. It is pinned, and used from inside: look here when
it is renewed.
"""

import math
from typing import Any, Protocol

from gunicorn.asgi.protocol import ASGIProtocol

REQUEST_SECONDS = 10.0
"""From the first byte (or from the connecting) to the last of one request."""
UNREAD_SECONDS = 30.0
"""For the reading of an answer that is larger than what the kernel takes."""
CLOSE_SECONDS = 2.0
"""For the rest of an answer to leave before a closed connection is cut off."""


class FrontServer(Protocol):
    """What a connection needs of the worker that it belongs to."""

    connections: "Connections"
    loop: Any


class Connections:
    """The open connections of one worker, and which of them wait for their sender.

    Where the cap is reached the newest is let in: a sender that sends its request at once is answered long before
    it becomes the oldest of those whose request is not whole.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._all: dict[Connection, None] = {}
        self._arriving: dict[Connection, None] = {}  # the request is not whole; the oldest first
        self._idle: dict[Connection, None] = {}  # between two requests; the longest first

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: "Connection") -> None:
        """Take in a connection; where the cap is reached one that waits for its sender has to go."""
        self._all[connection] = self._arriving[connection] = None
        if len(self._all) > self._cap:
            goes = next(iter(self._arriving if len(self._arriving) > 1 else self._idle), connection)
            goes.cut_off()

    def remove(self, connection: "Connection") -> None:
        """It has ended."""
        self._all.pop(connection, None)
        self.is_busy(connection)

    def is_arriving(self, connection: "Connection") -> None:
        """A request has begun to come."""
        self._idle.pop(connection, None)
        self._arriving[connection] = None

    def is_busy(self, connection: "Connection") -> None:
        """Its request is whole: the next step is ours."""
        self._arriving.pop(connection, None)
        self._idle.pop(connection, None)

    def is_idle(self, connection: "Connection") -> None:
        """It was answered, and may send another request."""
        self._arriving.pop(connection, None)
        self._idle[connection] = None

    def expire(self, now: float) -> None:
        """End whatever is over its deadline."""
        for connection in [c for c in self._all if c.due <= now]:
            connection.expire()

    def close_idle(self) -> None:
        """Close those between two requests: the worker stops."""
        for connection in list(self._idle):
            connection.cut_off()

    def close_arriving(self) -> None:
        """Close those whose request is not whole."""
        for connection in list(self._arriving):
            connection.cut_off()

    @property
    def any_arriving(self) -> bool:
        """True while a request is not whole."""
        return bool(self._arriving)


class Connection(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's connection with a deadline (`due`, on the loop's clock; infinite while the next step is ours)."""

    def __init__(self, worker: FrontServer) -> None:
        super().__init__(worker)
        self._connections = worker.connections
        self._clock = worker.loop.time
        self.due = math.inf
        self._is_idle = False
        self._unread = False

    # what the transport tells ---------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Somebody has connected; the request's time begins."""
        super().connection_made(transport)
        self.due = self._clock() + REQUEST_SECONDS
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Bytes came; after an answered request they are the next one's first."""
        if self._is_idle:
            self._is_idle = False
            self.due = self._clock() + REQUEST_SECONDS
            self._connections.is_arriving(self)
        if not self._closed:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has ended. The request that was being awaited is not awaited any longer."""
        super().connection_lost(exc)
        self._connections.remove(self)
        self._stop_waiting()

    def pause_writing(self) -> None:
        """The sender does not read: it may take its time, once for each answer."""
        super().pause_writing()
        if not self._unread and not self._closed:
            self._unread = True
            self.due = self._clock() + UNREAD_SECONDS

    # what the parser and the request loop tell ----------------------------------------------------------------

    def _on_headers_complete(self) -> bool:
        skip_body = super()._on_headers_complete()
        if self.due == math.inf:  # it was sent behind another one, which is answered now
            self.due = self._clock() + REQUEST_SECONDS
            self._connections.is_arriving(self)
        return bool(skip_body)

    def _on_message_complete(self) -> None:
        super()._on_message_complete()
        self.due = math.inf
        self._connections.is_busy(self)

    def _arm_keepalive_timer(self) -> None:
        self._is_idle = True
        self._unread = False
        self.due = self._clock() + self._keepalive
        self._connections.is_idle(self)

    def _cancel_keepalive_timer(self) -> None:
        """There is no timer: `due` says when."""

    def _close_transport(self) -> None:
        self.due = self._clock() + CLOSE_SECONDS
        self._connections.is_busy(self)
        super()._close_transport()

    def _is_websocket_upgrade(self, request: Any) -> bool:
        return False  # nothing of ours speaks it: the request is answered as any other

    # the end ---------------------------------------------------------------------------------------------------

    def expire(self) -> None:
        """Its time is over."""
        if self._closed or self._unread:
            self.transport.abort()
        elif self._is_idle:
            self.cut_off()
        elif self._current_request is None:
            self._send_error_response(408, "expected a whole request in time")
            self.cut_off()
        elif self._body_receiver is not None:
            self.due = self._clock() + CLOSE_SECONDS
            self._unread = True  # the next time it is cut off
            self._body_receiver.signal_disconnect()  # whoever reads the body answers that it did not come

    def cut_off(self) -> None:
        """Close it, whatever is under way."""
        self._close_transport()
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._request_ready is not None:
            self._request_ready.set()
