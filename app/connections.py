"""Give connections deadlines for whole requests and for answers, so that no slow sender holds a thread.

gunicorn's own asgi protocol parses and answers. It lacks the following, which is added here:

- a deadline for the first head of a connection, for a body that trickles in, and for an answer that is never read
- a cap on connections

gunicorn's version is pinned because this module uses its internals. Check this module when gunicorn is upgraded.
"""

import math
from typing import Any, Protocol

from gunicorn.asgi.protocol import ASGIProtocol

from app.wsgi_handoff import Answer

REQUEST_SECONDS = 10.0
"""From the connecting (for later requests: from the first byte) to the last byte of a request."""
UNREAD_SECONDS = 30.0
"""For the sender to read an answer that is larger than the kernel's buffer."""
CLOSE_SECONDS = 2.0
"""For the rest of an answer to be sent before a closed connection is aborted."""


class FrontServer(Protocol):
    """The parts of its worker that a connection uses."""

    connections: "Connections"
    loop: Any


class Connections:
    """The open connections of one worker, and which of them wait for their sender.

    At the cap the newest connection is accepted and another one is closed: the oldest of those whose request is
    incomplete, or the longest idle one. A sender that sends its request at once is answered long before its
    connection becomes the oldest.
    """

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._all: dict[Connection, None] = {}
        self._arriving: dict[Connection, None] = {}  # the request is incomplete; the oldest first
        self._idle: dict[Connection, None] = {}  # between two requests; the longest idle first

    def __len__(self) -> int:
        return len(self._all)

    def add(self, connection: "Connection") -> None:
        """Add a connection. Beyond the cap one that waits for its sender is closed."""
        self._all[connection] = self._arriving[connection] = None
        if len(self._all) > self._cap:
            goes = next(iter(self._arriving if len(self._arriving) > 1 else self._idle), connection)
            goes.cut_off()

    def remove(self, connection: "Connection") -> None:
        """Forget a connection that has ended."""
        self._all.pop(connection, None)
        self.is_busy(connection)

    def is_arriving(self, connection: "Connection") -> None:
        """Note that a request has begun to arrive."""
        self._idle.pop(connection, None)
        self._arriving[connection] = None

    def is_busy(self, connection: "Connection") -> None:
        """Note that the request is complete: the next step is ours."""
        self._arriving.pop(connection, None)
        self._idle.pop(connection, None)

    def is_idle(self, connection: "Connection") -> None:
        """Note that the request was answered; the sender may send another one."""
        self._arriving.pop(connection, None)
        self._idle[connection] = None

    def expire(self, now: float) -> None:
        """End the connections that are past their deadline."""
        for connection in [c for c in self._all if min(c.due, c.unread_due) <= now]:
            connection.expire()

    def close_idle(self) -> None:
        """Close the connections between two requests, because the worker stops."""
        for connection in list(self._idle):
            connection.cut_off()

    def close_arriving(self) -> None:
        """Close the connections whose request is incomplete."""
        for connection in list(self._arriving):
            connection.cut_off()

    @property
    def any_arriving(self) -> bool:
        """True while a request is incomplete."""
        return bool(self._arriving)


class Connection(ASGIProtocol):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's connection with a deadline (`due`, on the loop's clock; infinite while the next step is ours).

    `unread_due` is that of an answer that its sender does not read. Further requests of that sender do not move it.
    """

    def __init__(self, worker: FrontServer) -> None:
        super().__init__(worker)
        self._connections = worker.connections
        self._clock = worker.loop.time
        self.due = math.inf
        self.unread_due = math.inf
        self._is_idle = False
        self._is_last_step = False

    # calls from the transport ---------------------------------------------------------------------------------

    def connection_made(self, transport: Any) -> None:
        """Start the deadline of the first request."""
        super().connection_made(transport)
        self.due = self._clock() + REQUEST_SECONDS
        self._connections.add(self)

    def data_received(self, data: bytes) -> None:
        """Pass received bytes on. After an answered request they begin the next one, with a new deadline."""
        if self._is_idle:
            self._is_idle = False
            self.due = self._clock() + REQUEST_SECONDS
            self._connections.is_arriving(self)
        if not self._closed:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, and end the wait for its request."""
        super().connection_lost(exc)
        if self._flow_control:
            self._flow_control.resume_writing()  # nobody will read what still waits to be written
        self._connections.remove(self)
        self._stop_waiting()

    def pause_writing(self) -> None:
        """Start the deadline for reading the answer, once for each answer: the sender does not read at present."""
        super().pause_writing()
        if self.unread_due == math.inf and not self._closed:
            self.unread_due = self._clock() + UNREAD_SECONDS

    # calls from the parser and the request loop ---------------------------------------------------------------

    def _on_headers_complete(self) -> bool:
        skip_body = super()._on_headers_complete()
        if self.due == math.inf:  # it was sent right behind another request, which is being answered
            self.due = self._clock() + REQUEST_SECONDS
            self._connections.is_arriving(self)
        return bool(skip_body)

    def _on_message_complete(self) -> None:
        super()._on_message_complete()
        self.due = math.inf
        self._connections.is_busy(self)

    async def _serve_http_request(self, request: Any, sockname: Any, peername: Any) -> bool:
        """Answer a request. The next one of the same sender waits until the answer was read but for a small rest."""
        is_kept = await self._answer_request(request, sockname, peername)
        if self._flow_control:
            await self._flow_control.drain()
        self.unread_due = math.inf
        return is_kept

    async def _answer_request(self, request: Any, sockname: Any, peername: Any) -> bool:
        """Answer an alert that has arrived whole here, which spares it a task and a scope of its own."""
        receiver = self._body_receiver
        hooked = self._pre_request is not None or self._post_request is not None
        if hooked or self.log.access_log_enabled or not receiver._complete:
            return bool(await super()._serve_http_request(request, sockname, peername))
        body = b"".join(receiver._chunks)
        arrived = self.app.alert_answer(
            request.method, request.raw_path, request.headers_bytes, peername, body
        )
        if arrived is None:
            return bool(await super()._serve_http_request(request, sockname, peername))
        receiver._chunks.clear()
        receiver._buffered = 0
        return self._write_answer(request, await arrived)

    def _write_answer(self, request: Any, answer: Answer) -> bool:
        """Write a whole answer; returns whether the connection is kept."""
        if self._closed:
            return False
        ends = bool(self._will_close(request, response_requires_close=False))
        self._send_response_start(answer.status, answer.headers, request, close=ends)
        self._send_body(answer.body)
        return not ends

    def _arm_keepalive_timer(self) -> None:
        self._is_idle = True
        self._is_last_step = False
        self.due = self._clock() + self._keepalive
        self._connections.is_idle(self)

    def _cancel_keepalive_timer(self) -> None:
        """Do nothing: there is no timer, because `due` replaces it."""

    def _close_transport(self) -> None:
        self.due = self._clock() + CLOSE_SECONDS
        self._connections.is_busy(self)
        super()._close_transport()

    def _is_websocket_upgrade(self, request: Any) -> bool:
        return False  # we serve no websockets: the request is answered as any other

    # closing ---------------------------------------------------------------------------------------------------

    def expire(self) -> None:
        """End the connection, whose deadline has passed. An incomplete request is answered first."""
        if self._closed or self._is_last_step or self.unread_due <= self._clock():
            self.transport.abort()
        elif self._is_idle:
            self.cut_off()
        elif self._current_request is None:
            self._send_error_response(408, "expected a whole request in time")
            self.cut_off()
        elif self._body_receiver is not None:
            self.due = self._clock() + CLOSE_SECONDS
            self._is_last_step = True  # the next expiry aborts the connection
            self._body_receiver.signal_disconnect()  # the reader of the body answers that it did not arrive

    def cut_off(self) -> None:
        """Close the connection, whatever is under way."""
        self._close_transport()
        self._stop_waiting()

    def _stop_waiting(self) -> None:
        if self._request_ready is not None:
            self._request_ready.set()
