"""Make ids. Every id that a broker sees is derived from the order's intent, never from a clock or a counter."""

import hashlib
import json
import re
from datetime import datetime

from domain.alert import LegRequest, ParsedAlert
from domain.combined_text import terms_text
from domain.enums import ExecutionType
from domain.further_terms import further_text
from domain.money import optional_text

_encode = json.JSONEncoder(separators=(",", ":")).encode  # made once: json.dumps makes one at each call
CLIENT_ORDER_ID_LENGTH = 20  # the shortest limit among the brokers we know


def content_hash(alert: ParsedAlert) -> str:
    """Return the SHA-256 (hex) of what the alert asks for: two deliveries that ask for the same have the same hash.

    The secret, the order of keys and the notation of numbers do not matter.
    """
    content = [
        alert.client_id,
        alert.strategy_name,
        alert.execution_type,
        alert.signal_id,
        alert.test_mode,
        [_leg_content(leg, alert) for leg in alert.legs],
    ]
    if alert.combined is not None:  # hashes that are stored have none in them
        content += ["combined", terms_text(alert.combined)]
    if alert.group is not None:
        content += ["group", alert.group]
    return hashlib.sha256(_encode(content).encode()).hexdigest()


def _leg_content(leg: LegRequest, alert: ParsedAlert) -> list[str | None]:
    # Hashes that are stored have no kind in them. None is needed for the kinds that follow from the execution type and
    # the quantity, which is what `ParsedAlert` checks. A kind that follows from neither is added: those of ADJUST.
    # The same alert means the same when a master of another day calls its instrument differently.
    exchange, symbol = (leg.exchange, leg.symbol) if leg.instrument is None else leg.instrument.asked
    content = [
        exchange,
        symbol,
        leg.side,
        # What a size comes to moves with the prices, and an alert that is repeated asks for the same.
        optional_text(None if leg.size is not None else leg.quantity),
        leg.product,
        leg.order_type,
        optional_text(leg.price),
        optional_text(leg.trigger_price),
        optional_text(leg.reference_price),
    ]
    p = leg.protection
    if p is not None:  # nor is there any protection in them
        numbers = optional_text(p.trailing_value), optional_text(p.trail_when)
        content += ["protection", p.stop_loss, p.target, p.trailing_type, *numbers]
        further = further_text(p)
        content += [] if further is None else [further]
    if leg.size is not None:  # nor any size that is computed
        content += ["size", leg.size.text]
    return (
        [*content, "kind", leg.kind, leg.order_side]
        if alert.execution_type is ExecutionType.ADJUST
        else content
    )


def alert_key(alert: ParsedAlert, content: str) -> str:
    """Return the alert's idempotency key: its `signal_id` if it has one, else the hash of its content."""
    if alert.signal_id is not None:
        return f"{alert.client_id}|signal|{alert.signal_id}"
    return f"{alert.client_id}|content|{content}"


def intent_key(key: str, generation: int, leg_index: int) -> str:
    """Return the UNIQUE key of one leg's intent.

    `generation` counts how often the same content was accepted before (always 0 with a `signal_id`). So two deliveries
    that both take themselves for the first collide in the database.
    """
    return f"{key}|{generation}|{leg_index}"


def client_order_id(intent: str) -> str:
    """Return the id that our broker orders carry: `ow` and 90 bits of the intent's hash, letters and digits only."""
    digest = hashlib.sha256(intent.encode()).digest()
    return "ow" + _base32(int.from_bytes(digest[:12]), CLIENT_ORDER_ID_LENGTH - 2)


def is_ours(tag: str | None) -> bool:
    """Return True for a client order id in the form that this program makes, whichever database it was sent from."""
    return tag is not None and _OURS.fullmatch(tag) is not None


def command_id(alert_id: str, leg_index: int) -> str:
    """Return the key of a leg's row: its alert's id and the leg's number in the alert, from 1."""
    return f"{alert_id}-{leg_index + 1}"


def exit_id(intent: str, at: datetime) -> str:
    """Return the key of the row of a protection's exit.

    It follows from the exit's intent, of which there is only one, and sorts by time as every order's does.
    """
    digest = hashlib.sha256(intent.encode()).digest()
    return command_id(ulid(at, int.from_bytes(digest[:10])), 0)


def ulid(at: datetime, randomness: int) -> str:
    """Return a ULID in lower case: 48 bits of milliseconds, 80 bits of randomness, 26 characters that sort by time."""
    return _base32((int(at.timestamp() * 1000) << 80) | (randomness & ((1 << 80) - 1)), 26)


_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"
_OURS = re.compile(f"ow[{_CROCKFORD}]{{{CLIENT_ORDER_ID_LENGTH - 2}}}")


def _base32(value: int, length: int) -> str:
    """Encode the low `5 * length` bits, most significant first, in digits and letters that sort as the number does."""
    return "".join([_CROCKFORD[(value >> shift) & 31] for shift in range(5 * (length - 1), -1, -5)])
