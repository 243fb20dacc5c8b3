"""Send requests to Alpaca: JSON both ways. An error is `{"code": 42210000, "message": "…"}`."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from broker.fields import text_of
from broker.http_calls import HttpCalls, Request, Timeouts, parsed_json


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its HTTP status, and its JSON (None if it has none). Numbers with a point are `Decimal`."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """True when the broker says that the call succeeded."""
        return 200 <= self.status < 300

    @property
    def code(self) -> str:
        """The broker's number of the error; empty if the answer has none."""
        return text_of(self.body, "code") if isinstance(self.body, dict) and not self.ok else ""

    @property
    def error(self) -> str:
        """The broker's message in one line; empty if the answer is not one of the broker's errors."""
        if not isinstance(self.body, dict) or self.ok:
            return ""
        return " ".join(text_of(self.body, "message").split())[:300]


class Wire:
    """Sends to one base URL with one pair of keys. Safe to call from several threads."""

    def __init__(self, base_url: str, secret_key: str, timeouts: Timeouts) -> None:
        self._secret_key = secret_key
        self._calls = HttpCalls(base_url, timeouts)

    def read(self, path: str, key_id: str) -> Reply:
        """Send a read call, which may be repeated.

        Raises:
            RequestNotSent: there was no connection to send it over.
            AnswerLost: no whole answer came back.
        """
        return _reply(*self._calls.read(self._request("GET", path, key_id, None)))

    def order(
        self,
        method: str,
        path: str,
        key_id: str,
        fields: Mapping[str, object] | None,
        in_time: Callable[[], bool],
    ) -> Reply:
        """Send an order call, once. `in_time` is called just before its body leaves.

        Raises:
            RequestNotSent: there was no connection to send it over, or it was too late.
            AnswerLost: the call may have arrived.
        """
        return _reply(*self._calls.order(self._request(method, path, key_id, fields), in_time))

    def close(self) -> None:
        """Close the connections that are kept."""
        self._calls.close()

    def _request(self, method: str, path: str, key_id: str, fields: Mapping[str, object] | None) -> Request:
        headers = {
            "APCA-API-KEY-ID": key_id,
            "APCA-API-SECRET-KEY": self._secret_key,
            "Accept": "application/json",
        }
        if fields is None:
            return Request(method, path, headers)
        body = json.dumps(fields, separators=(",", ":")).encode()
        return Request(method, path, {**headers, "Content-Type": "application/json"}, body)


def _reply(status: int, content: bytes) -> Reply:
    return Reply(status, parsed_json(content))
