"""Send the calls of one account to a broker over HTTP, and read its answers as JSON.

How a call is written, and what an answer says, are two functions of the broker's own.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from broker.http_calls import HttpCalls, Request, Timeouts, parsed_json

Fields = Mapping[str, object]
"""What a call says in its body."""

Write = Callable[[str, str, str, Fields | None], Request]
"""Writes a call by its method, its path, the session's key (empty: it needs none), and its fields if it has a body."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a broker has answered.

    - `status`: that of HTTP.
    - `ok`: the broker says that the call succeeded.
    - `data`: the content of a success; None if there is none. Numbers with a point are `Decimal`.
    - `code`: the broker's own name or number of the error; empty if the answer is none of its errors.
    - `error`: the broker's message in one line; empty if the answer is none of its errors.
    """

    status: int
    ok: bool
    data: Any
    code: str
    error: str


class Wire:
    """Sends to one base URL for one account. Safe to call from several threads.

    Args:
        base_url: without a trailing slash.
        write: writes the calls.
        understand: says what an answer is by its HTTP status and its JSON (None if it is not JSON).
    """

    def __init__(
        self, base_url: str, timeouts: Timeouts, write: Write, understand: Callable[[int, Any], Reply]
    ) -> None:
        self._calls = HttpCalls(base_url, timeouts)
        self._write = write
        self._understand = understand

    def read(self, path: str, token: str, fields: Fields | None = None) -> Reply:
        """Send a read call, which may be repeated; with `fields` as a POST.

        Raises:
            RequestNotSent: there was no connection to send it over.
            AnswerLost: no whole answer came back.
        """
        method = "GET" if fields is None else "POST"
        return self._reply(*self._calls.read(self._write(method, path, token, fields)))

    def order(
        self, method: str, path: str, token: str, fields: Fields | None, in_time: Callable[[], bool]
    ) -> Reply:
        """Send an order call, once. `in_time` is called just before its body leaves.

        Raises:
            RequestNotSent: there was no connection to send it over, or it was too late.
            AnswerLost: the call may have arrived.
        """
        return self._reply(*self._calls.order(self._write(method, path, token, fields), in_time))

    def close(self) -> None:
        """Close the connections that are kept."""
        self._calls.close()

    def _reply(self, status: int, content: bytes) -> Reply:
        return self._understand(status, parsed_json(content))
