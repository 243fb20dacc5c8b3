"""Send HTTP requests to the broker: one POST with a Noren form as its body, a JSON answer, and no automatic resend.

There are two ways to send, because they may fail in different ways:

- A **read** uses kept connections. It may be repeated, so a connection that the broker dropped costs nothing.
- An **order** uses a connection of its own. On a kept connection that the broker is just closing, nobody can know
  whether the order arrived. On a new connection, most network failures are failures to connect, and those prove that
  nothing left. The new connection costs one handshake and makes unknown outcomes rare.

The proof is the request's body. It is handed over piece by piece, so it is known whether its first byte was requested.
It never is if a name was not resolved, a connection not made, or TLS not agreed on. Without its body there is no order.
"""

import json
import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import quote

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

_FORMS_OWN = re.compile("[&%+#;=]")  # characters that would end or change a form's value


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


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An answer: its HTTP status, and its JSON with keys in lower case (None if it is not JSON)."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """True when the broker's own `stat` is `Ok`."""
        return isinstance(self.body, dict) and text_of(self.body, "stat").lower() == "ok"

    @property
    def error(self) -> str:
        """The broker's `emsg` in one line, empty if it gave none. Some deployments wrap an error into a list."""
        body = self.body
        if isinstance(body, list) and len(body) == 1:
            body = body[0]
        if not isinstance(body, dict) or text_of(body, "stat").lower() == "ok":
            return ""
        return " ".join(text_of(body, "emsg").split())[:300]


def text_of(row: Mapping[str, Any], name: str) -> str:
    """Return a field as text, whether it came as text or as a number; empty if it is missing."""
    value = row.get(name)
    return "" if value is None else str(value).strip()


def encode(fields: Mapping[str, str], key: str | None = None) -> bytes:
    """Encode a request: `jData=<json>`, and `&jKey=<key>` if the session's key goes into the body.

    The `&` in `M&M-EQ` survives: it is sent as a JSON escape. Some of these brokers undo a form's percent-encoding and
    some read the JSON as it stands. JSON's own escapes mean the same to both.
    """
    text = json.dumps(dict(fields), separators=(",", ":"))
    body = "jData=" + _FORMS_OWN.sub(lambda mark: f"\\u{ord(mark[0]):04x}", text)
    if key is not None:
        body += "&jKey=" + quote(key, safe="")
    return body.encode("ascii")


class Wire:
    """Sends to one base URL. Safe to call from several threads.

    Args:
        base_url: without a trailing slash.
        bearer: True where the session's key goes into the `Authorization` header, False where it goes into `jKey`.
    """

    def __init__(self, base_url: str, timeouts: Timeouts, *, bearer: bool) -> None:
        self._base_url = base_url
        self._bearer = bearer
        self._timeouts = timeouts
        # Made once: reading the certificates of the authorities takes longer than an order may take.
        tls = base_url.startswith("https:")
        self._tls = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH) if tls else None
        self._kept = self._new_session()

    def read(self, endpoint: str, fields: Mapping[str, str], key: str | None) -> HttpReply:
        """Send a read call, which may be repeated.

        Raises:
            RequestNotSent: there was no connection to send it over.
            AnswerLost: no whole answer came back.
        """
        return self._post(self._kept, endpoint, fields, key, lambda: True)

    def order(
        self, endpoint: str, fields: Mapping[str, str], key: str | None, in_time: Callable[[], bool]
    ) -> HttpReply:
        """Send an order call, once. `in_time` is called when the connection is made, just before the order leaves.

        Raises:
            RequestNotSent: there was no connection to send it over, or it was too late.
            AnswerLost: the order may have arrived.
        """
        with self._new_session() as session:
            session.headers["Connection"] = "close"
            return self._post(session, endpoint, fields, key, in_time)

    def close(self) -> None:
        """Close the kept connections."""
        self._kept.close()

    def _post(
        self,
        session: requests.Session,
        endpoint: str,
        fields: Mapping[str, str],
        key: str | None,
        in_time: Callable[[], bool],
    ) -> HttpReply:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if key is not None and self._bearer:
            headers["Authorization"] = f"Bearer {key}"
        body = _Body(encode(fields, None if self._bearer else key), in_time)
        try:
            with session.post(
                f"{self._base_url}/{endpoint}",
                data=body,
                headers=headers,
                timeout=(self._timeouts.connect, self._timeouts.read),
                allow_redirects=False,  # a redirect would carry the order and its key to wherever it points
                stream=True,
            ) as response:
                return HttpReply(response.status_code, _json(self._content(response)))
        except (requests.RequestException, HTTPError) as error:
            if not body.left:
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


def _json(content: bytes) -> Any:
    try:
        return _lower_keys(json.loads(content))
    except (ValueError, RecursionError):  # truncated, garbage, or a page of HTML
        return None


def _lower_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name).lower(): _lower_keys(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_lower_keys(each) for each in value]
    return value
