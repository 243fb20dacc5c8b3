"""Speak DhanHQ: JSON both ways. An error is `{"errorType": …, "errorCode": …, "errorMessage": …}`."""

import json
from typing import Any

from broker.fields import Row, text_of
from broker.http_calls import Request, Timeouts
from broker.wire import Fields, Reply, Wire


def wire_of(base_url: str, client_id: str, timeouts: Timeouts) -> Wire:
    """Return what sends for one account."""

    def written(method: str, path: str, token: str, fields: Fields | None) -> Request:
        headers = {
            "access-token": token,
            "client-id": client_id,
            "Accept": "application/json",
            "Content-Type": "application/json",
        }
        body = None if fields is None else json.dumps(fields, separators=(",", ":")).encode()
        return Request(method, path, headers, body)

    return Wire(base_url, timeouts, written, reply_of)


def reply_of(status: int, body: Any) -> Reply:
    """Say what an answer is. Some of the broker's errors come with a 200."""
    code = _code_in(body) if isinstance(body, dict) else ""
    ok = 200 <= status < 300 and body is not None and not code
    return Reply(status, ok, body if ok else None, code, _error_in(body, code) if code else "")


def _code_in(body: Row) -> str:
    """Return the code of an error: `DH-906`, or of the data API `805`; empty if this is none."""
    code = text_of(body, "errorCode")
    data = body.get("data")
    if not code and text_of(body, "status") in ("failed", "failure") and isinstance(data, dict):
        code = next((name for name in data if str(name).isdigit()), "")  # {"data": {"808": "…"}}
    return code.upper()


def _error_in(body: Row, code: str) -> str:
    told = text_of(body, "errorMessage") or text_of(body.get("data") or {}, code)
    return " ".join(told.split())[:300]
