"""How an order moves: one function makes the next row, its event and its notices together, so none can be forgotten."""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from decimal import Decimal
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
"""Columns that an event carries in its own fields, not in its detail."""
_FIRST_COLUMNS = tuple(name for name in _COLUMNS if name not in _IN_EVENT)


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
    """A move of one order: the row before (None at registration) and after, its event, what is to be told.

    `columns` are the names of those that may differ; `row` is, at registration, all of them as they are written.
    """

    before: Order | None
    after: Order
    event: OrderEvent
    notices: tuple[Notice, ...]
    columns: tuple[str, ...]
    row: Mapping[str, Column] = field(default_factory=dict)


def column(value: Any) -> Column:
    """A field's value as its column holds it."""
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
    """The birth of a row: CREATED/REGISTERED, with every column that is not NULL in its first event."""
    row = {name: column(getattr(order, name)) for name in _COLUMNS}
    detail = {name: row[name] for name in _FIRST_COLUMNS if row[name] is not None}
    change = _change(None, order, {"updated_at": at}, detail, at, actor)
    row |= {"updated_at": time_text(at), "event_hash": change.event.hash}
    return replace(change, row=row)


def advance(order: Order, phase: Phase, *, at: datetime, actor: str, **changes: Any) -> OrderChange:
    """Move an order to a phase, changing the named fields with it.

    A reason's message that comes without its detail stands for itself; that of an unknown outcome is all detail.

    Raises:
        IllegalTransition: the table has no such edge, or EXECUTED would stand without a broker order id.
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
    """Make a row another client id's, of the same account: nothing else of it changes, its phase neither."""
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
    """`dataclasses.replace`, five times as fast: an order moves several times, and each field is known to exist."""
    after = object.__new__(Order)
    for name in _COLUMNS:
        object.__setattr__(after, name, changed[name] if name in changed else getattr(order, name))
    return after


def event_hash(previous: str, *parts: str | None) -> str:
    """SHA-256 (hex) over the previous link and this event's columns, in the order of the table."""
    return hashlib.sha256(_encode([previous, *parts]).encode()).hexdigest()


def replay(events: Iterable[Mapping[str, Any]]) -> dict[str, Column]:
    """Rebuild a row of `orders` from its events, given in their order as rows of `order_events`.

    Raises:
        ValueError: a link of the chain does not fit the one before it, or its hash is not its content's.
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
