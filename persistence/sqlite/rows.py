"""Convert database rows to domain objects and back."""

import sqlite3
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from domain.alert import Alert, Delivery
from domain.broker_reports import Position
from domain.entry_waits import WaitsFor
from domain.enums import DecisionType, ExecutionType, OrderType, Outcome, Side, TestMode
from domain.money import parse_decimal
from domain.order import Order
from domain.order_events import column
from domain.protection_terms import TrailingType
from domain.states import Phase, Status
from domain.times import parse_time
from persistence.sqlite.queries.statements import statement

ORDER_COLUMNS = tuple(f.name for f in fields(Order))
SELECT_ORDER = f"SELECT {', '.join(ORDER_COLUMNS)} FROM orders"
INSERT_ORDER = (
    f"INSERT INTO orders ({', '.join(ORDER_COLUMNS)}) VALUES ({', '.join('?' * len(ORDER_COLUMNS))})"
)


@cache
def orders_statement(name: str) -> str:
    """Return the statement of the file `<name>.sql`, with the columns that `order_of` reads for `orders.*`."""
    return statement(name).replace("orders.*", ", ".join(ORDER_COLUMNS))


@cache
def move_statement(columns: tuple[str, ...]) -> str:
    """Return the statement that changes these columns of an order's row, unless the row has moved meanwhile.

    Values: the columns', the order, and the head of its chain as the change saw it.
    """
    sets = ", ".join(f"{name} = ?" for name in columns)
    return f"UPDATE orders SET {sets} WHERE command_id = ? AND event_hash = ?"


_Reader = Callable[[Any], Any]


def _member(kind: type[StrEnum]) -> _Reader:
    """Return a lookup by value, three times as fast as calling the enum. An unknown value is a KeyError."""
    return {member.value: member for member in kind}.__getitem__


# A NULL column becomes None. These functions convert all other values.
_READERS: dict[str, _Reader] = {
    "execution_type": _member(ExecutionType),
    "side": _member(Side),
    "quantity": parse_decimal,
    "requested_quantity": parse_decimal,
    "order_type": _member(OrderType),
    "price": parse_decimal,
    "trigger_price": parse_decimal,
    "reference_price": parse_decimal,
    "test_mode": _member(TestMode),
    "created_at": parse_time,
    "expires_at": parse_time,
    "status": _member(Status),
    "phase": _member(Phase),
    "filled_quantity": parse_decimal,
    "average_price": parse_decimal,
    "sent_at": parse_time,
    "not_before": parse_time,
    "cancel_requested_at": parse_time,
    "cancel_sent_at": parse_time,
    "updated_at": parse_time,
    "decision_type": _member(DecisionType),
    "requested_side": _member(Side),
    "provisional_until": parse_time,
    "waits_for": _member(WaitsFor),
    "trailing_type": _member(TrailingType),
    "trailing_value": parse_decimal,
    "trail_when": parse_decimal,
}
_ROW_READERS = tuple((i, _READERS[name]) for i, name in enumerate(ORDER_COLUMNS) if name in _READERS)


def order_of(row: sqlite3.Row | tuple[Any, ...]) -> Order:
    """An order from a row of `SELECT_ORDER`."""
    values = list(row)
    for index, read in _ROW_READERS:
        value = values[index]
        if value is not None:
            values[index] = read(value)
    return Order(*values)


def _optional(read: _Reader) -> _Reader:
    return lambda value: None if value is None else read(value)


_ALERT_COLUMNS = (
    "alert_id, client_id, signal_id, idempotency_key, content_hash, generation, duplicate_of, format, "
    "strategy_name, execution_type, received_at, remote_addr, raw_body, outcome, decision_type, reason_code, "
    "reason_message, context_json"
)
SELECT_ALERT = f"SELECT {_ALERT_COLUMNS} FROM alerts"
INSERT_ALERT = (
    f"INSERT INTO alerts ({_ALERT_COLUMNS}) VALUES ({', '.join('?' * (_ALERT_COLUMNS.count(',') + 1))})"
)


def alert_row(alert: Alert) -> list[Any]:
    """An alert's columns in the order of `INSERT_ALERT`."""
    d = alert.delivery
    return [
        column(value)
        for value in (
            alert.alert_id, alert.client_id, alert.signal_id, alert.idempotency_key, alert.content_hash,
            alert.generation, alert.duplicate_of, d.format, alert.strategy_name, alert.execution_type,
            d.received_at, d.remote_addr, d.raw_body, alert.outcome, alert.decision_type, alert.reason_code,
            alert.reason_message, alert.context_json,
        )
    ]  # fmt: skip


def alert_of(row: tuple[Any, ...]) -> Alert:
    """An alert from a row of `SELECT_ALERT`."""
    (alert_id, client_id, signal_id, key, content, generation, duplicate_of, format_, strategy, execution,
     received_at, remote_addr, raw_body, outcome, decision, code, message, context) = row  # fmt: skip
    return Alert(
        alert_id=alert_id,
        client_id=client_id,
        delivery=Delivery(parse_time(received_at), remote_addr, raw_body, format_),
        outcome=Outcome(outcome),
        idempotency_key=key,
        content_hash=content,
        generation=generation,
        duplicate_of=duplicate_of,
        signal_id=signal_id,
        strategy_name=strategy,
        execution_type=execution and ExecutionType(execution),
        decision_type=decision and DecisionType(decision),
        reason_code=code,
        reason_message=message,
        context_json=context,
    )


SELECT_POSITION = (
    "SELECT exchange, symbol, product, net_quantity, average_price, last_price, realized_pnl, unrealized_pnl, "
    "delivered FROM positions"
)


def position_of(row: tuple[Any, ...]) -> Position:
    """A position from a row of `SELECT_POSITION`."""
    exchange, symbol, product, net, average, last, realized, unrealized, delivered = row
    optional = _optional(parse_decimal)
    return Position(
        exchange,
        symbol,
        product,
        parse_decimal(net),
        optional(average),
        optional(last),
        parse_decimal(realized),
        parse_decimal(unrealized),
        parse_decimal(delivered),
    )


def optional_time(text: str | None) -> datetime | None:
    """Parse a time column that may be NULL."""
    return None if text is None else parse_time(text)
