"""Ids. Everything a broker sees is derived from the order's intent, never from a clock or a counter."""

import hashlib
import json
import re
from datetime import datetime

from domain.alert import LegRequest, ParsedAlert
from domain.money import optional_text

_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: json.dumps makes one at each call
CLIENT_ORDER_ID_LENGTH = 20  # the shortest limit among the brokers we know (Kite's tag)


def content_hash(alert: ParsedAlert) -> str:
    """SHA-256 (hex) of what the alert asks for: two deliveries that ask the same have the same hash.

    The secret, the order of keys, and how numbers are written are no part of it.
    """
    content = [
        alert.client_id,
        alert.strategy_name,
        alert.execution_type,
        alert.signal_id,
        alert.test_mode,
        [_leg_content(leg) for leg in alert.legs],
    ]
    return hashlib.sha256(_encode(content).encode()).hexdigest()


def _leg_content(leg: LegRequest) -> list[str | None]:
    return [
        leg.exchange,
        leg.symbol,
        leg.side,
        optional_text(leg.quantity),
        leg.product,
        leg.order_type,
        optional_text(leg.price),
        optional_text(leg.trigger_price),
        optional_text(leg.reference_price),
    ]


def alert_key(alert: ParsedAlert, content: str) -> str:
    """The alert's idempotency key: its `signal_id` if it has one, else the hash of its content."""
    if alert.signal_id is not None:
        return f"{alert.client_id}|signal|{alert.signal_id}"
    return f"{alert.client_id}|content|{content}"


def intent_key(key: str, generation: int, leg_index: int) -> str:
    """The UNIQUE key of one leg's intent.

    `generation` counts how often the same content was accepted before (always 0 with a signal_id), so that
    two deliveries that both believe to be the first collide in the database.
    """
    return f"{key}|{generation}|{leg_index}"


def client_order_id(intent: str) -> str:
    """The id our broker orders carry: `ow` and 90 bits of the intent's hash, letters and digits only."""
    digest = hashlib.sha256(intent.encode()).digest()
    return "ow" + _base32(int.from_bytes(digest[:12]), CLIENT_ORDER_ID_LENGTH - 2)


def is_ours(tag: str | None) -> bool:
    """True for a client order id of the form that this program gives, whichever database it was sent from."""
    return tag is not None and _OURS.fullmatch(tag) is not None


def command_id(alert_id: str, leg_index: int) -> str:
    """The key of a leg's row: its alert's id and its place there."""
    return f"{alert_id}-{leg_index + 1}"


def ulid(at: datetime, randomness: int) -> str:
    """A ULID in lower case: 48 bits of milliseconds, 80 bits of randomness, 26 characters that sort by time."""
    return _base32((int(at.timestamp() * 1000) << 80) | (randomness & ((1 << 80) - 1)), 26)


_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_OURS = re.compile(f"ow[{_CROCKFORD}]{{{CLIENT_ORDER_ID_LENGTH - 2}}}")


def _base32(value: int, length: int) -> str:
    """The low `5 * length` bits, most significant first: digits and letters that sort as the number does."""
    return "".join([_CROCKFORD[(value >> shift) & 31] for shift in range(5 * (length - 1), -1, -5)])
