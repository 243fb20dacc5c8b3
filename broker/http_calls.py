"""Send HTTP requests to a broker, without automatic resends, so that it is known what may have arrived.

There are two ways to send, because they may fail in different ways:

- A **read** uses kept connections. It may be repeated, so a connection that the broker dropped costs nothing.
- An **order** uses a connection of its own. On a kept connection that the broker is just closing, nobody can know
  whether the order arrived. On a new connection, most network failures are failures to connect, and those prove that
  nothing left. The new connection costs one handshake and makes unknown outcomes rare.

The proof is the request's body. It is handed over piece by piece, so it is known whether its first byte was requested.
It never is if a name was not resolved, a connection not made, or TLS not agreed on. Without its body there is no order.
A request that has no body proves less: it was not sent only if no connection was made.
"""

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import DEFAULT_CA_BUNDLE_PATH
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
)
from urllib3.util.retry import Retry


class RequestNotSent(Exception):
    """Nothing of the request's body has left this machine."""


class TooLate(RequestNotSent):
    """The connection took so long that the order must not be sent any more."""


class AnswerLost(Exception):
    """The request may have arrived; no whole answer came back."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """The timeouts of one call, in seconds.

    `send_within`: an order's body leaves no later than this long after its call began. The engine judges absence by an
    order book that is read after the last moment at which the order could have left. So an order must never leave late.
    """

    connect: float = 3.0
    read: float = 7.5
    send_within: float = 4.5

    @classmethod
    def within(cls, deadline: float) -> "Timeouts":
        """Return timeouts with which a call that is sent at its last moment still ends before the engine's deadline."""
        return cls(connect=deadline * 0.2, read=deadline * 0.5, send_within=deadline * 0.3)


def always() -> bool:
    """Return True: the request may leave at any time."""
    return True


@dataclass(frozen=True, slots=True)
class Request:
    """One request to an address below the base URL. Its `body` is None if it has none."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes | None = None


class HttpCalls:
    """Sends to one base URL. Safe to call from several threads.

    Args:
        base_url: without a trailing slash.
    """

    def __init__(self, base_url: str, timeouts: Timeouts) -> None:
        self._base_url = base_url
        self._timeouts = timeouts
        # Made once: reading the certificates of the authorities takes longer than an order may take.
        tls = base_url.startswith("https:")
        self._tls = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH) if tls else None
        self._kept = self._new_session()

    def read(self, request: Request) -> tuple[int, bytes]:
        """Send a read call, which may be repeated. Return the HTTP status and the content of the answer.

        Raises:
            RequestNotSent: there was no connection to send it over.
            AnswerLost: no whole answer came back.
        """
        return self._send(self._kept, request, always)

    def order(self, request: Request, in_time: Callable[[], bool]) -> tuple[int, bytes]:
        """Send an order call, once. `in_time` is called when the connection is made, just before the order leaves.

        Raises:
            RequestNotSent: there was no connection to send it over, or it was too late.
            AnswerLost: the order may have arrived.
        """
        with self._new_session() as session:
            session.headers["Connection"] = "close"
            return self._send(session, request, in_time)

    def close(self) -> None:
        """Close the kept connections."""
        self._kept.close()

    def _send(
        self, session: requests.Session, request: Request, in_time: Callable[[], bool]
    ) -> tuple[int, bytes]:
        body = None if request.body is None else _Body(request.body, in_time)
        try:
            with session.request(
                request.method,
                f"{self._base_url}/{request.path}",
                data=body,
                headers=dict(request.headers),
                timeout=(self._timeouts.connect, self._timeouts.read),
                allow_redirects=False,  # a redirect would carry the order and its key to wherever it points
                stream=True,
            ) as response:
                return response.status_code, self._content(response)
        except (requests.RequestException, HTTPError) as error:
            if _never_left(body, error):
                raise RequestNotSent(f"no connection to the broker: {_reason(error)}") from error
            raise AnswerLost(f"no answer from the broker: {_reason(error)}") from error

    def _content(self, response: requests.Response) -> bytes:
        """Read the whole answer within a bounded time: the timeout of `requests` applies only to each piece."""
        give_up = time.monotonic() + self._timeouts.read
        pieces = []
        while piece := response.raw.read1(decode_content=True):  # what has arrived, without waiting for more
            pieces.append(piece)
            if time.monotonic() > give_up:
                raise AnswerLost("no answer from the broker: timed out in the middle of it")
        if response.raw.length_remaining:
            raise AnswerLost("no answer from the broker: it ended before its end")
        return b"".join(pieces)

    def _new_session(self) -> requests.Session:
        session = requests.Session()
        session.trust_env = False  # no proxy and no .netrc of this machine stands between us and the broker
        session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))  # calls share nothing but the key
        for scheme in ("https://", "http://"):
            session.mount(scheme, _Adapter(self._tls))
        return session


def parsed_json(content: bytes) -> Any:
    """Return the JSON of an answer; None if it is truncated, garbage, or a page of HTML.

    Numbers with a point become `Decimal`.
    """
    try:
        return json.loads(content, parse_float=Decimal, parse_constant=_no_number)
    except (ValueError, RecursionError):
        return None


def _no_number(word: str) -> None:
    raise ValueError(word)


class _Body:
    """A body that checks at the last moment whether it may still be sent, and records whether it began to leave.

    `requests` sends it with a Content-Length. It requests the pieces when the connection is made.
    """

    def __init__(self, content: bytes, in_time: Callable[[], bool]) -> None:
        self.left = False
        self._content = content
        self._in_time = in_time

    def __len__(self) -> int:
        return len(self._content)

    def __iter__(self) -> Iterator[bytes]:
        if not self._in_time():
            raise TooLate("the connection took too long: the order was not sent")
        self.left = True
        yield self._content


class _Adapter(HTTPAdapter):
    """Never retries by itself: a library cannot decide whether a request may be repeated."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        super().__init__(max_retries=Retry(0, read=False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Let all connections share one TLS context."""
        if self._tls is not None:
            kwargs["ssl_context"] = self._tls
        super().init_poolmanager(*args, **kwargs)

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: the TLS context verifies already. The default would read the certificates for each connection."""


def _never_left(body: _Body | None, error: Exception) -> bool:
    if body is not None:
        return not body.left
    return isinstance(_cause(error), NewConnectionError | ConnectTimeoutError)


def _reason(error: Exception) -> str:
    """Describe what went wrong in our own text, because the error's text can contain the request."""
    cause = _cause(error)
    kind = type(cause).__name__
    timed_out = isinstance(cause, ReadTimeoutError | ConnectTimeoutError)
    # In urllib3 a refused connection is a kind of timeout.
    return f"timed out ({kind})" if timed_out and not isinstance(cause, NewConnectionError) else kind


def _cause(error: Exception) -> Exception:
    """Return the connection's own error, which `requests` and urllib3 have wrapped."""
    inner = error.args[0] if error.args else None
    if isinstance(error, MaxRetryError):
        inner = error.reason
    return _cause(inner) if isinstance(inner, Exception) and inner is not error else error
