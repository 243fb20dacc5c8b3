"""Speak Kite Connect: forms, and answers in an envelope of JSON.

A success is `{"status": "success", "data": …}`, an error `{"status": "error", "error_type": …, "message": …}`.
"""

from typing import Any
from urllib.parse import urlencode

from broker.fields import text_of
from broker.http_calls import Request, Timeouts
from broker.wire import Fields, Reply, Wire

API_VERSION = "3"
_FORM = "application/x-www-form-urlencoded"


def wire_of(base_url: str, api_key: str, timeouts: Timeouts) -> Wire:
    """Return what sends with one API key."""

    def written(method: str, path: str, token: str, fields: Fields | None) -> Request:
        headers = {"X-Kite-Version": API_VERSION}
        if token:
            headers["Authorization"] = f"token {api_key}:{token}"
        if fields is None:
            return Request(method, path, headers)
        return Request(method, path, {**headers, "Content-Type": _FORM}, urlencode(fields).encode("ascii"))

    return Wire(base_url, timeouts, written, reply_of)


def reply_of(status: int, body: Any) -> Reply:
    """Say what an answer is."""
    said = body.get("status") if isinstance(body, dict) else None
    ok = status == 200 and said == "success"
    code, message = (text_of(body, name) if said == "error" else "" for name in ("error_type", "message"))
    return Reply(status, ok, body.get("data") if ok else None, code, " ".join(message.split())[:300])
