"""Write and read leg groups with their history."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from domain.combined import CombinedEvent, Happened
from domain.combined_text import combined_from, combined_text, terms_facts
from domain.errors import ConcurrentUpdate
from domain.leg_groups import GroupState, LegGroup
from domain.limits import GroupPolicy, WhenIncomplete
from domain.order import Order
from domain.order_events import column
from domain.times import parse_time, time_text
from persistence.sqlite.rows import order_of, orders_statement

_COLUMNS = tuple(each.name for each in fields(LegGroup))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM order_groups"
_STORED = (*_COLUMNS, "is_watched")
_INSERT = f"INSERT INTO order_groups ({', '.join(_STORED)}) VALUES ({', '.join('?' * len(_STORED))})"
_UPDATE = f"UPDATE order_groups SET {', '.join(f'{name} = ?' for name in _STORED)} WHERE group_id = ? AND version = ?"
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "policy": GroupPolicy,
    "when_incomplete": WhenIncomplete,
    "state": GroupState,
    "legs": lambda text: tuple(json.loads(text)),
    "combined": combined_from,
    **dict.fromkeys(
        ("created_at", "updated_at", "deadline", "incomplete_since", "unwinding_since"), parse_time
    ),
}


class GroupTables:
    """The methods of a transaction that concern these tables; implements `domain.ports.GroupWrites` and the reads."""

    _connection: sqlite3.Connection

    def open_groups(self, client_id: str) -> list[LegGroup]:
        return open_groups(self._connection, client_id)

    def groups_of_alert(self, alert_id: str) -> list[LegGroup]:
        return groups_of_alert(self._connection, alert_id)

    def halted_because(self, client_id: str, strategy_name: str) -> str | None:
        return halted_because(self._connection, client_id, strategy_name)

    def add_group(self, group: LegGroup) -> None:
        self._connection.execute(_INSERT, _row(group))
        self._record_group(None, group, "")
        if group.combined is not None:
            opened = Happened(CombinedEvent.OPENED, terms_facts(group.combined.terms))
            self._record_combined(group, (opened,))

    def exits_after(self, entry: Order) -> list[Order]:
        return exits_after(self._connection, entry)

    def move_group(self, before: LegGroup, after: LegGroup, events: Sequence[Happened] = ()) -> None:
        done = self._connection.execute(_UPDATE, (*_row(after), before.group_id, before.version))
        if done.rowcount != 1:
            raise ConcurrentUpdate(f"group {before.group_id} moved on")
        if after.state is not before.state:
            self._record_group(before, after, after.why)
        if events:
            self._record_combined(after, events)

    def _record_combined(self, group: LegGroup, events: Sequence[Happened]) -> None:
        at, state = time_text(group.updated_at), group.state.value
        self._connection.executemany(
            "INSERT INTO order_group_events (group_id, at, from_state, to_state, detail, kind) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [(group.group_id, at, state, state, json.dumps(dict(e.facts)), e.kind.value) for e in events],
        )

    def _record_group(self, before: LegGroup | None, after: LegGroup, detail: str) -> None:
        states = (None if before is None else before.state.value, after.state.value)
        self._connection.execute(
            "INSERT INTO order_group_events (group_id, at, from_state, to_state, detail) VALUES (?, ?, ?, ?, ?)",
            (after.group_id, time_text(after.updated_at), *states, detail),
        )


def open_groups(connection: sqlite3.Connection, client_id: str) -> list[LegGroup]:
    """Return the client's groups for which something is still to follow, oldest first."""
    rows = connection.execute(
        f"{_SELECT} WHERE client_id = ? AND is_watched = 1 ORDER BY created_at, group_id",
        (client_id,),
    )
    return [_group(row) for row in rows]


def exits_after(connection: sqlite3.Connection, entry: Order) -> list[Order]:
    """Return the filled exits of the entry's strategy in its symbol that were registered after it, latest first."""
    rows = connection.execute(
        orders_statement("exits_after"),
        (
            entry.client_id,
            entry.symbol,
            entry.strategy_name,
            entry.exchange,
            entry.side.opposite.value,
            entry.command_id,
        ),
    )
    return [order_of(row) for row in rows]


def groups_of_alert(connection: sqlite3.Connection, alert_id: str) -> list[LegGroup]:
    """Return the groups of an alert, one for each client, in their order."""
    rows = connection.execute(f"{_SELECT} WHERE alert_id = ? ORDER BY group_id", (alert_id,))
    return [_group(row) for row in rows]


def halted_because(connection: sqlite3.Connection, client_id: str, strategy_name: str) -> str | None:
    """Return why the client or the strategy is halted; None: it is not."""
    row = connection.execute(
        "SELECT reason FROM halts WHERE client_id = ? AND strategy_name IN ('', ?) LIMIT 1",
        (client_id, strategy_name),
    ).fetchone()
    return None if row is None else str(row[0])


def _row(group: LegGroup) -> Sequence[Any]:
    values = {name: getattr(group, name) for name in _COLUMNS}
    values["legs"] = json.dumps(group.legs)
    values["combined"] = combined_text(group.combined)
    return [*(column(value) for value in values.values()), int(group.is_watched)]


def _group(row: tuple[Any, ...]) -> LegGroup:
    read = {
        name: _READERS[name](value) if value is not None and name in _READERS else value
        for name, value in zip(_COLUMNS, row, strict=True)
    }
    return LegGroup(**read)
