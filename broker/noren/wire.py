"""The wire: one POST, its body as Noren's form wants it, its answer as JSON, and nothing ever sent twice.

Two ways to send, because they may fail in different ways:

- A **read** goes over connections that are kept: it may be repeated, so one that the broker dropped costs nothing.
- An **order** goes over a connection of its own. On a kept connection that the broker is just closing, nobody can
  tell whether the order arrived; on a new one, most failures of the network are failures to connect, and those are
  proof that nothing left. It costs one handshake, and makes unknown outcomes rare.

What proves it is the body: it is handed over piece by piece, so it is known whether its first byte was asked for. It
never is where a name was not resolved, a connection not made, or TLS not agreed on; without it there is no order.
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

_FORMS_OWN = re.compile("[&%+#;=]")  # what would end or change the value of a form


class RequestNotSent(Exception):
    """Nothing of the request's body has left this machine."""


class TooLate(RequestNotSent):
    """The connection took so long that the order must not go any more."""


class AnswerLost(Exception):
    """The request may have arrived; no whole answer came back."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Bounds of one call, in seconds.

    `send_within`: an order's body leaves no later than so long after its call began. The engine judges absence by a
    book that is read after the last moment at which the order could have left, so an order must never leave late.
    """

    connect: float = 3.0
    read: float = 7.5
    send_within: float = 4.5

    @classmethod
    def within(cls, deadline: float) -> "Timeouts":
        """Timeouts with which a call that is sent at its last moment still ends before the engine's deadline."""
        return cls(connect=deadline * 0.2, read=deadline * 0.5, send_within=deadline * 0.3)


@dataclass(frozen=True, slots=True)
class HttpReply:
    """An answer: its HTTP status, and its JSON with keys in lower case (None where it is no JSON)."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """True when the broker itself says so."""
        return isinstance(self.body, dict) and text_of(self.body, "stat").lower() == "ok"

    @property
    def error(self) -> str:
        """The broker's `emsg` in one line; empty when it gave none. Some deployments wrap an error into a list."""
        body = self.body
        if isinstance(body, list) and len(body) == 1:
            body = body[0]
        if not isinstance(body, dict) or text_of(body, "stat").lower() == "ok":
            return ""
        return " ".join(text_of(body, "emsg").split())[:300]


def text_of(row: Mapping[str, Any], name: str) -> str:
    """A field as text, whether it came as text or as a number; empty when it is missing."""
    value = row.get(name)
    return "" if value is None else str(value).strip()


def encode(fields: Mapping[str, str], key: str | None = None) -> bytes:
    """`jData=<json>`, and `&jKey=<key>` where the session's key travels in the body; `&` in `M&M-EQ` survives.

    Some of these brokers undo a form's percent-encoding and some read the JSON as it stands. JSON's own escapes
    mean the same to both.
    """
    text = json.dumps(dict(fields), separators=(",", ":"))
    body = "jData=" + _FORMS_OWN.sub(lambda mark: f"\\u{ord(mark[0]):04x}", text)
    if key is not None:
        body += "&jKey=" + quote(key, safe="")
    return body.encode("ascii")


class Wire:
    """Sends to one base URL. Safe to call from several threads.

    Args:
        base_url: without a slash at its end.
        bearer: True where the session's key goes into the `Authorization` header, False where it goes into `jKey`.
    """

    def __init__(self, base_url: str, timeouts: Timeouts, *, bearer: bool) -> None:
        self._base_url = base_url
        self._bearer = bearer
        self._timeouts = timeouts
        # Made once: reading the authorities' certificates takes longer than an order may.
        tls = base_url.startswith("https:")
        self._tls = ssl.create_default_context(cafile=DEFAULT_CA_BUNDLE_PATH) if tls else None
        self._kept = self._new_session()

    def read(self, endpoint: str, fields: Mapping[str, str], key: str | None) -> HttpReply:
        """Ask for something that may be asked for again.

        Raises:
            Unsent: there was no connection to send it over.
            Lost: no whole answer came back.
        """
        return self._post(self._kept, endpoint, fields, key, lambda: True)

    def order(
        self, endpoint: str, fields: Mapping[str, str], key: str | None, in_time: Callable[[], bool]
    ) -> HttpReply:
        """Send an order call, once; `in_time` is asked when the connection stands, just before the order leaves.

        Raises:
            Unsent: there was no connection to send it over, or it was too late.
            Lost: it may have arrived.
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
                allow_redirects=False,  # it would carry the order and its key to wherever it points
                stream=True,
            ) as response:
                return HttpReply(response.status_code, _json(self._content(response)))
        except (requests.RequestException, HTTPError) as error:
            if not body.left:
                raise RequestNotSent(f"no connection to the broker: {_reason(error)}") from error
            raise AnswerLost(f"no answer from the broker: {_reason(error)}") from error

    def _content(self, response: requests.Response) -> bytes:
        """The whole answer, within a bounded time: the timeout of `requests` is only that of each piece."""
        give_up = time.monotonic() + self._timeouts.read
        pieces = []
        while piece := response.raw.read1(decode_content=True):  # what is there, without waiting for more
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
    """A body that asks, at the last moment, whether it may still go, and knows whether it has begun to.

    `requests` sends it with a Content-Length; it asks for the pieces when the connection stands.
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
    """Never tries again by itself: whether a request may be repeated is not for a library to say."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        super().__init__(max_retries=Retry(0, read=False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Let all connections share one TLS context."""
        if self._tls is not None:
            kwargs["ssl_context"] = self._tls
        super().init_poolmanager(*args, **kwargs)

    def cert_verify(self, *args: Any, **kwargs: Any) -> None:
        """The TLS context verifies already; by default the certificates would be read again for each connection."""


def _reason(error: Exception) -> str:
    """What went wrong, in our words; the error's own text can hold the request."""
    cause = _cause(error)
    kind = type(cause).__name__
    timed_out = isinstance(cause, ReadTimeoutError | ConnectTimeoutError)
    # In urllib3 a refused connection is a kind of timeout.
    return f"timed out ({kind})" if timed_out and not isinstance(cause, NewConnectionError) else kind


def _cause(error: Exception) -> Exception:
    """The error of the connection itself, which `requests` and urllib3 have wrapped."""
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
