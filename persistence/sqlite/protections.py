"""Write and read protections with their history, and the marks that they look at."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from typing import Any

from domain.enums import Side
from domain.errors import ConcurrentUpdate
from domain.marks import Mark
from domain.money import decimal_text, parse_decimal
from domain.order_events import column
from domain.protection import AskedExit, Protection, ProtectionEvent, ProtectionStatus, Rule, Step
from domain.protection_terms import TrailingType
from domain.times import parse_time, time_text

_COLUMNS = tuple(each.name for each in fields(Protection))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM protections"
_INSERT = f"INSERT INTO protections ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_SETS = ", ".join(f"{name} = ?" for name in _COLUMNS)
_UPDATE = f"UPDATE protections SET {_SETS} WHERE protection_id = ? AND version = ?"
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "side": Side,
    "trailing_type": TrailingType,
    "status": ProtectionStatus,
    "fired_by": Rule,
    "retry_rule": Rule,
    **dict.fromkeys(("is_armed", "is_unknown", "is_watched", "is_at_cost"), bool),
    **dict.fromkeys(
        (
            "created_at",
            "updated_at",
            "active_since",
            "mark_at",
            "over_since",
            "unknown_since",
            "trail_told_at",
            "fired_at",
            "retry_at",
            "exit_at",
        ),
        parse_time,
    ),
    **dict.fromkeys(
        (
            "trailing_value",
            "trail_when",
            "filled",
            "average_price",
            "quantity",
            "exited",
            "stop_price",
            "target_price",
            "best_price",
            "mark_price",
            "fired_price",
            "retry_units",
        ),
        parse_decimal,
    ),
    "targets_sold": lambda text: tuple(parse_decimal(each) for each in json.loads(text)),
    "exits": lambda text: tuple(_asked(each) for each in json.loads(text)),
}


def open_protections(connection: sqlite3.Connection, client_id: str) -> list[Protection]:
    """Return the client's protections that are not over, oldest first."""
    rows = connection.execute(
        f"{_SELECT} INDEXED BY protections_watched WHERE is_watched = 1 AND client_id = ? "
        "ORDER BY created_at, protection_id",
        (client_id,),
    )
    return [_protection(row) for row in rows]


def protection(connection: sqlite3.Connection, protection_id: str) -> Protection | None:
    """Return one protection, or None if there is no such one."""
    row = connection.execute(f"{_SELECT} WHERE protection_id = ?", (protection_id,)).fetchone()
    return None if row is None else _protection(row)


def add(connection: sqlite3.Connection, new: Protection, event: ProtectionEvent) -> None:
    """Write a new protection with its first event."""
    connection.execute(_INSERT, _row(new))
    _record(connection, new.protection_id, (event,))


def move(connection: sqlite3.Connection, step: Step) -> Protection:
    """Write what a step made of a protection.

    Raises:
        ConcurrentUpdate: it moved since the step was made.
    """
    before, after = step.before, step.after
    done = connection.execute(_UPDATE, (*_row(after), before.protection_id, before.version))
    if done.rowcount != 1:
        raise ConcurrentUpdate(f"protection {before.protection_id} moved on")
    if step.exit is not None:
        connection.execute(
            "INSERT INTO protection_exits VALUES (?, ?)", (after.exit_command_id, after.protection_id)
        )
    _record(connection, after.protection_id, step.events)
    return after


def _record(connection: sqlite3.Connection, protection_id: str, events: Sequence[ProtectionEvent]) -> None:
    connection.executemany(
        "INSERT INTO protection_events (protection_id, at, kind, detail_json) VALUES (?, ?, ?, ?)",
        [(protection_id, time_text(e.at), e.kind.value, json.dumps(dict(e.facts))) for e in events],
    )


def _row(p: Protection) -> list[Any]:
    values = {name: getattr(p, name) for name in _COLUMNS}
    values["exits"] = json.dumps([[e.command_id, e.rule, decimal_text(e.units), e.is_all] for e in p.exits])
    values["targets_sold"] = json.dumps([decimal_text(each) for each in p.targets_sold])
    return [int(value) if isinstance(value, bool) else column(value) for value in values.values()]


def _asked(row: list[Any]) -> AskedExit:
    command_id, rule, units, is_all = row
    return AskedExit(command_id, Rule(rule), parse_decimal(units), is_all)


@lru_cache(maxsize=4096)  # each round reads what the round before has read
def _protection(row: tuple[Any, ...]) -> Protection:
    read = {
        name: _READERS[name](value) if value is not None and name in _READERS else value
        for name, value in zip(_COLUMNS, row, strict=True)
    }
    return Protection(**read)


def marks(connection: sqlite3.Connection, client_id: str) -> list[Mark]:
    """Return the stored last prices of a client."""
    rows = connection.execute(
        "SELECT exchange, symbol, price, at, source FROM marks WHERE client_id = ?", (client_id,)
    )
    return [Mark(e, s, parse_decimal(price), parse_time(at), source) for e, s, price, at, source in rows]


def keep_marks(connection: sqlite3.Connection, client_id: str, new: Sequence[Mark]) -> None:
    """Store these last prices."""
    connection.executemany(
        "INSERT OR REPLACE INTO marks VALUES (?, ?, ?, ?, ?, ?)",
        [(client_id, m.exchange, m.symbol, decimal_text(m.price), time_text(m.at), m.source) for m in new],
    )
