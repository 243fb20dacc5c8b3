"""Send requests to DhanHQ: JSON both ways. An error is `{"errorType": …, "errorCode": …, "errorMessage": …}`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from broker.fields import text_of
from broker.http_calls import HttpCalls, Request, Timeouts, parsed_json


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its HTTP status, and its JSON (None if it is not JSON). Numbers with a point are `Decimal`."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """True when the broker says that the call succeeded. Some of its errors come with a 200."""
        return 200 <= self.status < 300 and self.body is not None and not self.code

    @property
    def code(self) -> str:
        """The broker's code of the error, `DH-906` or of its data API `805`; empty if this is none of its errors."""
        if not isinstance(self.body, dict):
            return ""
        code = text_of(self.body, "errorCode")
        data = self.body.get("data")
        if not code and text_of(self.body, "status") in ("failed", "failure") and isinstance(data, dict):
            code = next((name for name in data if str(name).isdigit()), "")  # {"data": {"808": "…"}}
        return code.upper()

    @property
    def error(self) -> str:
        """The broker's message in one line; empty if the answer is not one of the broker's errors."""
        if not self.code:
            return ""
        told = text_of(self.body, "errorMessage") or text_of(self.body.get("data") or {}, self.code)
        return " ".join(told.split())[:300]


class Wire:
    """Sends to one base URL for one account. Safe to call from several threads."""

    def __init__(self, base_url: str, client_id: str, timeouts: Timeouts) -> None:
        self._client_id = client_id
        self._calls = HttpCalls(base_url, timeouts)

    def read(self, path: str, token: str, fields: Mapping[str, object] | None = None) -> Reply:
        """Send a read call, which may be repeated; with `fields` as a POST.

        Raises:
            RequestNotSent: there was no connection to send it over.
            AnswerLost: no whole answer came back.
        """
        method = "GET" if fields is None else "POST"
        return _reply(*self._calls.read(self._request(method, path, token, fields)))

    def order(
        self,
        method: str,
        path: str,
        token: str,
        fields: Mapping[str, object] | None,
        in_time: Callable[[], bool],
    ) -> Reply:
        """Send an order call, once. `in_time` is called just before its body leaves.

        Raises:
            RequestNotSent: there was no connection to send it over, or it was too late.
            AnswerLost: the call may have arrived.
        """
        return _reply(*self._calls.order(self._request(method, path, token, fields), in_time))

    def close(self) -> None:
        """Close the connections that are kept."""
        self._calls.close()

    def _request(self, method: str, path: str, token: str, fields: Mapping[str, object] | None) -> Request:
        headers = {
            "access-token": token,
            "client-id": self._client_id,
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        body = None if fields is None else json.dumps(fields, separators=(",", ":")).encode()
        return Request(method, path, headers, body)


def _reply(status: int, content: bytes) -> Reply:
    return Reply(status, parsed_json(content))
