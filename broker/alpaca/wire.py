"""Speak Alpaca's API: JSON both ways. An error is `{"code": 42210000, "message": "…"}`."""

import json
from typing import Any

from broker.fields import text_of
from broker.http_calls import Request, Timeouts
from broker.wire import Fields, Reply, Wire


def wire_of(base_url: str, secret_key: str, timeouts: Timeouts) -> Wire:
    """Return what sends with one pair of keys, of which the session's key is the id."""

    def written(method: str, path: str, key_id: str, fields: Fields | None) -> Request:
        headers = {
            "APCA-API-KEY-ID": key_id,
            "APCA-API-SECRET-KEY": secret_key,
            "Accept": "application/json",
        }
        if fields is None:
            return Request(method, path, headers)
        body = json.dumps(fields, separators=(",", ":")).encode()
        return Request(method, path, {**headers, "Content-Type": "application/json"}, body)

    return Wire(base_url, timeouts, written, reply_of)


def reply_of(status: int, body: Any) -> Reply:
    """Say what an answer is. The content of a success is its JSON, and None for one that has none."""
    ok = 200 <= status < 300
    told = body if isinstance(body, dict) and not ok else {}
    message = " ".join(text_of(told, "message").split())[:300]
    return Reply(status, ok, body if ok else None, text_of(told, "code"), message)
