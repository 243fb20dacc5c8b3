"""Send requests to Kite Connect: forms, and answers in an envelope of JSON.

A success is `{"status": "success", "data": …}`, an error `{"status": "error", "error_type": …, "message": …}`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from broker.fields import text_of
from broker.http_calls import HttpCalls, Request, Timeouts, always, parsed_json

API_VERSION = "3"
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its HTTP status, and its JSON (None if it is not JSON). Numbers with a point are `Decimal`."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """True when the broker says that the call succeeded."""
        return self.status == 200 and isinstance(self.body, dict) and self.body.get("status") == "success"

    @property
    def data(self) -> Any:
        """The content of a success; None if there is none."""
        return self.body.get("data") if self.ok else None

    @property
    def error_type(self) -> str:
        """The broker's own name of the error; empty if the answer is not one of the broker's errors."""
        return text_of(self.body, "error_type") if self._is_error else ""

    @property
    def error(self) -> str:
        """The broker's message in one line; empty if the answer is not one of the broker's errors."""
        return " ".join(text_of(self.body, "message").split())[:300] if self._is_error else ""

    @property
    def _is_error(self) -> bool:
        return isinstance(self.body, dict) and self.body.get("status") == "error"


class Wire:
    """Sends to one base URL with one API key. Safe to call from several threads."""

    def __init__(self, base_url: str, api_key: str, timeouts: Timeouts) -> None:
        self._api_key = api_key
        self._calls = HttpCalls(base_url, timeouts)

    def read(self, path: str, token: str) -> Reply:
        """Send a read call, which may be repeated.

        Raises:
            RequestNotSent: there was no connection to send it over.
            AnswerLost: no whole answer came back.
        """
        return _reply(*self._calls.read(Request("GET", path, self._headers(token))))

    def order(
        self,
        method: str,
        path: str,
        token: str,
        fields: Mapping[str, str] | None,
        in_time: Callable[[], bool],
    ) -> Reply:
        """Send an order call, once, with `fields` as its form. `in_time` is called just before the form leaves.

        Raises:
            RequestNotSent: there was no connection to send it over, or it was too late.
            AnswerLost: the call may have arrived.
        """
        headers, body = self._headers(token), None
        if fields is not None:
            headers["Content-Type"] = _FORM
            body = urlencode(fields).encode("ascii")
        return _reply(*self._calls.order(Request(method, path, headers, body), in_time))

    def login(self, fields: Mapping[str, str]) -> Reply:
        """Exchange a request token for an access token. Raises as `order` does."""
        headers = {"X-Kite-Version": API_VERSION, "Content-Type": _FORM}
        request = Request("POST", "session/token", headers, urlencode(fields).encode("ascii"))
        return _reply(*self._calls.order(request, always))

    def close(self) -> None:
        """Close the connections that are kept."""
        self._calls.close()

    def _headers(self, token: str) -> dict[str, str]:
        return {"X-Kite-Version": API_VERSION, "Authorization": f"token {self._api_key}:{token}"}


def _reply(status: int, content: bytes) -> Reply:
    return Reply(status, parsed_json(content))
