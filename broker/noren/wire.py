"""Send requests to the broker: one POST with a Noren form as its body, and a JSON answer."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from broker.fields import text_of
from broker.http_calls import HttpCalls, Request, Timeouts

_FORMS_OWN = re.compile("[&%+#;=]")  # characters that would end or change a form's value


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
        self._bearer = bearer
        self._calls = HttpCalls(base_url, timeouts)

    def read(self, endpoint: str, fields: Mapping[str, str], key: str | None) -> HttpReply:
        """Send a read call, which may be repeated.

        Raises:
            RequestNotSent: there was no connection to send it over.
            AnswerLost: no whole answer came back.
        """
        return _reply(*self._calls.read(self._request(endpoint, fields, key)))

    def order(
        self, endpoint: str, fields: Mapping[str, str], key: str | None, in_time: Callable[[], bool]
    ) -> HttpReply:
        """Send an order call, once. `in_time` is called when the connection is made, just before the order leaves.

        Raises:
            RequestNotSent: there was no connection to send it over, or it was too late.
            AnswerLost: the order may have arrived.
        """
        return _reply(*self._calls.order(self._request(endpoint, fields, key), in_time))

    def close(self) -> None:
        """Close the kept connections."""
        self._calls.close()

    def _request(self, endpoint: str, fields: Mapping[str, str], key: str | None) -> Request:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if key is not None and self._bearer:
            headers["Authorization"] = f"Bearer {key}"
        return Request("POST", endpoint, headers, encode(fields, None if self._bearer else key))


def _reply(status: int, content: bytes) -> HttpReply:
    return HttpReply(status, _json(content))


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
