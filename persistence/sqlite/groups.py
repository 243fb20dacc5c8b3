"""Write and read leg groups with their history."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import Any

from domain.errors import ConcurrentUpdate
from domain.leg_groups import GroupState, LegGroup
from domain.limits import GroupPolicy, WhenIncomplete
from domain.order_events import column
from domain.times import parse_time, time_text

_COLUMNS = tuple(each.name for each in fields(LegGroup))
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM order_groups"
_INSERT = f"INSERT INTO order_groups ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_UPDATE = f"UPDATE order_groups SET {', '.join(f'{name} = ?' for name in _COLUMNS)} WHERE group_id = ? AND version = ?"
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "policy": GroupPolicy,
    "when_incomplete": WhenIncomplete,
    "state": GroupState,
    "legs": lambda text: tuple(json.loads(text)),
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

    def move_group(self, before: LegGroup, after: LegGroup) -> None:
        done = self._connection.execute(_UPDATE, (*_row(after), before.group_id, before.version))
        if done.rowcount != 1:
            raise ConcurrentUpdate(f"group {before.group_id} moved on")
        self._record_group(before, after, after.why)

    def _record_group(self, before: LegGroup | None, after: LegGroup, detail: str) -> None:
        states = (None if before is None else before.state.value, after.state.value)
        self._connection.execute(
            "INSERT INTO order_group_events (group_id, at, from_state, to_state, detail) VALUES (?, ?, ?, ?, ?)",
            (after.group_id, time_text(after.updated_at), *states, detail),
        )


def open_groups(connection: sqlite3.Connection, client_id: str) -> list[LegGroup]:
    """Return the client's groups that have not ended, oldest first."""
    rows = connection.execute(
        f"{_SELECT} WHERE client_id = ? AND state IN ('FORMING', 'INCOMPLETE', 'UNWINDING') "
        "ORDER BY created_at, group_id",
        (client_id,),
    )
    return [_group(row) for row in rows]


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
    return [column(value) for value in values.values()]


def _group(row: tuple[Any, ...]) -> LegGroup:
    read = {
        name: _READERS[name](value) if value is not None and name in _READERS else value
        for name, value in zip(_COLUMNS, row, strict=True)
    }
    return LegGroup(**read)
