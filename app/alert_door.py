"""The webhook on the event loop: plain requests are read here instead of by Flask, and answered just the same."""

import asyncio
import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from alerts.receiver import AlertReceiver, Answer, Received, Request
from app.alert_batches import AlertBatches, deliver
from domain.alert import ParsedAlert

ALERTS = "orderwatch.alerts"
"""The key under which a Flask application's `extensions` hold its `AlertApplication`."""

_TOKEN = rb"[A-Za-z0-9_\-]{1,200}"
"""Tokens whose routing is beyond doubt. Flask routes any other path."""
_LARGE = 16_384
"""Bytes of a body from which on a thread reads it, so that the event loop is never busy with one request for long."""

Headers = Iterable[tuple[bytes, bytes]]
SenderOf = Callable[[str, str | None, str | None], tuple[str, str | None]]
"""Returns the sender and the subject of its certificate, given the address of the connection, the X-Forwarded-For
header, and the header that may hold such a subject."""
InThread = Callable[[Callable[[], None]], None]


class AlertApplication(NamedTuple):
    """What a WSGI application offers to the front, beside serving its webhook itself.

    `certificate_header`: the name of the header that may hold the subject of a certificate, in small letters.
    """

    receiver: AlertReceiver
    sender_of: SenderOf
    certificate_header: bytes | None = None


class AlertDoor:
    """Receives alerts on the event loop.

    Args:
        in_thread: runs a call in a thread that may wait.
    """

    def __init__(self, application: AlertApplication, in_thread: InThread) -> None:
        self._receiver = application.receiver
        self._sender_of = application.sender_of
        self._certificate_header = application.certificate_header
        self._in_thread = in_thread
        names = "|".join(application.receiver.formats).encode()
        self._path = re.compile(rb"/webhook(?:/?|/(%b)(?:/?|/(%b)))" % (names, _TOKEN))
        self._batches = AlertBatches(application.receiver.settle_together, self._settle_alone)

    def request_of(self, method: str, raw_path: bytes, headers: Headers, client: str) -> Request | None:
        """The request to the webhook; None for whatever is not plainly one, which the WSGI application answers."""
        if method != "POST":
            return None
        path = self._path.fullmatch(raw_path)
        if path is None:
            return None
        signature = forwarded = subject = None
        for header, value in headers:
            if b"_" in header:  # in some servers' WSGI environs it is one with the name that has hyphens
                return None
            if header == b"x-signature":
                signature = _joined(signature, value)
            elif header == b"x-forwarded-for":
                forwarded = _joined(forwarded, value)
            elif header == self._certificate_header:
                subject = _joined(subject, value)
        sender, certificate = self._sender_of(client, forwarded, subject)
        name, token = [None if part is None else part.decode() for part in path.groups()]
        return Request(sender or "unknown", name, token, signature, certificate)

    def receive(self, request: Request, body: bytes) -> "Answer | asyncio.Future[Answer]":
        """Receive a whole delivery. Call it on the event loop.

        Whatever has to be stored is stored, even when nobody waits for the answer any more.
        """
        if len(body) >= _LARGE:
            return self._in_other_thread(lambda: self._answer(request, body))
        received = self._receiver.receive(request, body)
        if isinstance(received, Answer):
            return received
        if isinstance(received.content, ParsedAlert):
            return self._batches.put(received)
        return self._in_other_thread(lambda: self._receiver.settle(received))

    def _answer(self, request: Request, body: bytes) -> Answer:
        received = self._receiver.receive(request, body)
        return received if isinstance(received, Answer) else self._receiver.settle(received)

    def _in_other_thread(self, call: Callable[[], Answer]) -> "asyncio.Future[Answer]":
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._in_thread(lambda: deliver([(answer, call())]))
        return answer

    def _settle_alone(self, received: Received, take: Callable[[Answer], None]) -> None:
        self._in_thread(lambda: take(self._receiver.settle(received)))


def _joined(before: str | None, value: bytes) -> str:
    """A header that comes twice is one with both values, as in a WSGI environ."""
    text = value.decode("latin-1")
    return text if before is None else f"{before},{text}"
