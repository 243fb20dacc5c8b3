"""Move an order: one function makes the next row, its event and its notices together, so that none can be forgotten."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from domain.errors import IllegalTransition
from domain.money import decimal_text
from domain.notices import Notice, notices_for
from domain.order import Order
from domain.states import STATUS_OF, Phase, Status, check_transition
from domain.times import time_text

Column = str | int | None

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode  # made once, not at each call

_COLUMNS = tuple(f.name for f in fields(Order))
_IN_EVENT = frozenset({"status", "phase", "tag", "updated_at", "event_hash"})
"""Columns that an event has in its own fields, not in its detail."""
_values = attrgetter(*_COLUMNS)
_PLACE = {name: place for place, name in enumerate(_COLUMNS)}
_SET = tuple(getattr(Order, name).__set__ for name in _COLUMNS)
"""What sets each field of a new order. An order that exists is never changed."""
_PLAIN = frozenset({str, int, type(None)})  # types whose values are stored as they are


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One link of an order's append-only, hash-chained history."""

    command_id: str
    at: datetime
    from_status: Status | None
    to_status: Status
    from_phase: Phase | None
    to_phase: Phase
    tag: str | None
    actor: str
    detail_json: str
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class OrderChange:
    """A change of one order: the row before (None at registration) and after, its event and its notices.

    `columns`: the names of the columns that may differ. `row`: at registration, all columns as they are written.
    """

    before: Order | None
    after: Order
    event: OrderEvent
    notices: tuple[Notice, ...]
    columns: tuple[str, ...]
    row: Mapping[str, Column] = field(default_factory=dict)


def column(value: Any) -> Column:
    """Convert a field's value to what its column stores."""
    if value is None:
        return None
    writer = _WRITERS.get(type(value))
    return str(value) if writer is None else writer(value)


_WRITERS: dict[type, Callable[[Any], Column]] = {
    str: lambda value: value,
    int: lambda value: value,
    Decimal: decimal_text,
    datetime: time_text,
}


def register(order: Order, *, at: datetime, actor: str) -> OrderChange:
    """Register a row as CREATED/REGISTERED. Its first event has every column that is not NULL."""
    row = {
        name: value if type(value) in _PLAIN else column(value)
        for name, value in zip(_COLUMNS, _values(order), strict=True)
    }
    detail = {name: value for name, value in row.items() if value is not None and name not in _IN_EVENT}
    change = _change(None, order, {"updated_at": at}, detail, at, actor)
    row["updated_at"], row["event_hash"] = time_text(at), change.event.hash
    return OrderChange(None, change.after, change.event, change.notices, change.columns, row)


def advance(order: Order, phase: Phase, *, at: datetime, actor: str, **changes: Any) -> OrderChange:
    """Move an order to a phase, changing the named fields with it.

    Where `reason_message` changes and `reason_detail` is not given, the detail becomes None, or in phase UNKNOWN a copy
    of the message.

    Raises:
        IllegalTransition: the table has no such edge, or the order would be EXECUTED without a broker order id.
    """
    check_transition(order.phase, phase)
    if "reason_message" in changes and "reason_detail" not in changes:
        changes["reason_detail"] = changes["reason_message"] if phase is Phase.UNKNOWN else None
    changed = {name: value for name, value in changes.items() if getattr(order, name) != value}
    detail = {name: column(value) for name, value in changed.items() if name not in _IN_EVENT}
    changed |= {"status": STATUS_OF[phase], "phase": phase, "updated_at": at}
    if changed["status"] is Status.EXECUTED and not changed.get("broker_order_id", order.broker_order_id):
        raise IllegalTransition(f"{order.command_id}: EXECUTED needs a broker order id")
    return _change(order, order, changed, detail, at, actor)


def moved(order: Order, client_id: str, *, at: datetime, actor: str) -> OrderChange:
    """Move a row to another client id of the same account. Nothing else changes, not even its phase."""
    detail: dict[str, Column] = {"client_id": client_id, "moved_from": order.client_id}
    return _change(order, order, {"client_id": client_id, "updated_at": at}, detail, at, actor)


def _change(
    before: Order | None,
    base: Order,
    changed: dict[str, Any],
    detail: dict[str, Column],
    at: datetime,
    actor: str,
) -> OrderChange:
    previous = before.event_hash if before else ""
    detail_json = _encode(detail)
    from_status, from_phase = (before.status, before.phase) if before else (None, None)
    status, phase = changed.get("status", base.status), changed.get("phase", base.phase)
    tag = changed.get("tag", base.tag)
    digest = event_hash(
        previous,
        base.command_id,
        time_text(at),
        from_status,
        status,
        from_phase,
        phase,
        tag,
        actor,
        detail_json,
    )
    event = OrderEvent(
        base.command_id,
        at,
        from_status,
        status,
        from_phase,
        phase,
        tag,
        actor,
        detail_json,
        previous,
        digest,
    )
    changed["event_hash"] = digest
    after = _replaced(base, changed)
    return OrderChange(before, after, event, notices_for(before, after, actor), tuple(changed))


def _replaced(order: Order, changed: Mapping[str, Any]) -> Order:
    """Replace fields like `dataclasses.replace`, but ten times as fast; each field is known to exist.

    The speed matters because an order moves several times.
    """
    values = list(_values(order))
    for name, value in changed.items():
        values[_PLACE[name]] = value
    after = object.__new__(Order)
    for put, value in zip(_SET, values, strict=True):
        put(after, value)
    return after


def event_hash(previous: str, *parts: str | None) -> str:
    """Return the SHA-256 (hex) of the previous event's hash and this event's columns, in the order of the table."""
    return hashlib.sha256(_encode([previous, *parts]).encode()).hexdigest()


def replay(events: Iterable[Mapping[str, Any]]) -> dict[str, Column]:
    """Rebuild a row of `orders` from its events, given in their order as rows of `order_events`.

    Raises:
        ValueError: an event's previous hash is not the hash of the event before it, or an event's hash does not match
            its content.
    """
    row: dict[str, Column] = dict.fromkeys(_COLUMNS)
    previous = ""
    for event in events:
        digest = event_hash(
            event["previous_hash"],
            event["command_id"],
            event["at"],
            event["from_status"],
            event["to_status"],
            event["from_phase"],
            event["to_phase"],
            event["tag"],
            event["actor"],
            event["detail_json"],
        )
        if event["previous_hash"] != previous:
            raise ValueError(f"event {event['event_id']}: does not follow the event before it")
        if event["hash"] != digest:
            raise ValueError(f"event {event['event_id']}: its content was changed")
        previous = digest
        row |= {name: value for name, value in json.loads(event["detail_json"]).items() if name in row}
        row |= {
            "status": event["to_status"],
            "phase": event["to_phase"],
            "tag": event["tag"],
            "updated_at": event["at"],
            "event_hash": digest,
        }
    return row
