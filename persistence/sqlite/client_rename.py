"""Move a client's rows to another client id of the same account.

The caller's transaction makes the move all or nothing. Each order is moved by an event, so that its history still
rebuilds it. The orders that move are:

- those that have not ended;
- those that changed so recently that the broker's book may still show them.

Older orders are history and keep the id under which they were sent. Alerts and intents are re-keyed, so that a
`signal_id` still counts only once, for ever.
"""

import json
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

from domain.money import ZERO, decimal_text, parse_decimal
from domain.order import Order
from domain.order_events import OrderChange, moved
from domain.times import time_text
from persistence.sqlite.adoptions import move_adoptions
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import order_of, orders_statement
from persistence.sqlite.told_notices import move_told

IN_BOOKS = timedelta(days=3)
"""How long after its last change an order may still be in a broker's book: a night and a weekend."""

MOVED = ("alerts", "orders", "holdings", "last_fills", "external_orders", "position_differences", "halts",
         "telegram_messages", "accounts", "lifts", "adoptions", "told_notices", "protections",
         "pnl_books", "daily_results", "risk_state", "risk_events", "equity_curve", "order_groups",
         "attention_decisions")  # fmt: skip
"""Tables with a client_id whose rows follow the client."""
DROPPED = ("positions", "heartbeats", "unreadable_positions", "believed_ahead", "marks", "equities")
"""Tables whose rows do not move, because they are read or written anew."""


class RenamedRows(NamedTuple):
    """How many orders and holdings moved with the client."""

    orders: int
    holdings: int


def move_client(
    connection: sqlite3.Connection,
    apply: Callable[[OrderChange], Order],
    old: str,
    new: str,
    *,
    at: datetime,
    actor: str,
) -> RenamedRows:
    """Move the rows of client id `old` to client id `new`.

    Args:
        apply: writes an order's change.
    """
    orders = _orders_to_move(connection, old, at)
    for order in orders:
        apply(moved(order, new, at=at, actor=actor))
    holdings = _move_holdings(connection, old, new)
    _move_differences(connection, old, new)
    _move_external(connection, old, new)
    _rekey(connection, old, new)
    connection.execute(
        "UPDATE telegram_messages SET client_id = ? WHERE client_id = ? AND status = 'PENDING'", (new, old)
    )
    connection.execute(
        statement("move_last_fills"),
        (new, old),
    )
    connection.execute("UPDATE OR IGNORE halts SET client_id = ? WHERE client_id = ?", (new, old))
    connection.execute("UPDATE lifts SET client_id = ? WHERE client_id = ?", (new, old))
    move_adoptions(connection, old, new)
    move_told(connection, old, new)
    _move_account(connection, old, new)
    for table in ("pnl_books", "daily_results", "risk_state", "equity_curve"):
        connection.execute(f"UPDATE OR IGNORE {table} SET client_id = ? WHERE client_id = ?", (new, old))
    for table in ("risk_events", "protections", "order_groups", "attention_decisions"):
        connection.execute(f"UPDATE {table} SET client_id = ? WHERE client_id = ?", (new, old))
    left = ("halts", "last_fills", "pnl_books", "daily_results", "risk_state", "equity_curve", *DROPPED)
    for table in left:
        connection.execute(f"DELETE FROM {table} WHERE client_id = ?", (old,))
    return RenamedRows(len(orders), holdings)


def _orders_to_move(connection: sqlite3.Connection, old: str, at: datetime) -> list[Order]:
    rows = connection.execute(
        orders_statement("orders_to_move"),
        (old, time_text(at - IN_BOOKS)),
    )
    return [order_of(row) for row in rows]


def _move_holdings(connection: sqlite3.Connection, old: str, new: str) -> int:
    """Move the holdings and return how many there were.

    Two holdings of one strategy in one symbol become one, because both are fills of the same account.
    """
    rows = connection.execute(
        "SELECT symbol, exchange, strategy_name, product, net_quantity, entries, updated_at FROM holdings "
        "WHERE client_id = ?",
        (old,),
    ).fetchall()
    for *key, net_text, entries, updated_at in rows:
        place = (new, *key)
        where = "WHERE client_id = ? AND symbol = ? AND exchange = ? AND strategy_name = ? AND product = ?"
        there = connection.execute(f"SELECT net_quantity, entries FROM holdings {where}", place).fetchone()
        net = parse_decimal(net_text) + (parse_decimal(there[0]) if there else ZERO)
        connection.execute(f"DELETE FROM holdings {where}", place)
        if net:
            connection.execute(
                "INSERT INTO holdings VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*place, decimal_text(net), entries + (there[1] if there else 0), updated_at),
            )
    connection.execute("DELETE FROM holdings WHERE client_id = ?", (old,))
    return len(rows)


def _move_differences(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Move the position differences, and delete those of the new id that were found without knowing of the old one.

    They are those in a symbol in which

    - an order was moved from the old id, or
    - the old id has a difference too.
    """
    connection.execute(
        statement("forget_differences_of_moved_orders"),
        (new, old),
    )
    connection.execute(
        statement("forget_differences_of_both"),
        (new, old),
    )
    connection.execute("UPDATE position_differences SET client_id = ? WHERE client_id = ?", (new, old))


def _move_external(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Move the external orders, and delete those that are orders of ours.

    An order that was external under the new id may be one that was moved from the old id.
    """
    connection.execute("UPDATE OR IGNORE external_orders SET client_id = ? WHERE client_id = ?", (new, old))
    connection.execute("DELETE FROM external_orders WHERE client_id = ?", (old,))
    connection.execute(
        statement("forget_own_external_orders"),
        (new,),
    )


def _rekey(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Replace the client id with which idempotency keys begin.

    An intent's key that the new id has already stays as it is.
    """
    length = len(old) + 1
    connection.execute(
        statement("rekey_intents"),
        (new, length, old),
    )
    connection.execute(
        statement("rekey_alerts"),
        (new, length, old),
    )
    connection.execute("UPDATE alerts SET client_id = ? WHERE client_id = ?", (new, old))


def _move_account(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Move the account's row, or merge it into that of the new id if that has an account recorded.

    The day's loss belongs to the account. If both rows are of the same trading day:

    - the lower `lowest_pnl` stands;
    - what either had latched stays latched.
    """
    bound = connection.execute(
        "SELECT trading_day, lowest_pnl, loss_latched FROM accounts WHERE client_id = ? AND broker IS NOT NULL",
        (new,),
    ).fetchone()
    mine = connection.execute(
        "SELECT trading_day, lowest_pnl, loss_latched FROM accounts WHERE client_id = ?", (old,)
    ).fetchone()
    if bound is None:
        connection.execute("DELETE FROM accounts WHERE client_id = ?", (new,))
        connection.execute("UPDATE accounts SET client_id = ? WHERE client_id = ?", (new, old))
        return
    if mine is not None and mine[0] == bound[0]:
        latched = sorted({*json.loads(mine[2]), *json.loads(bound[2])})
        connection.execute(
            "UPDATE accounts SET loss_latched = ? WHERE client_id = ?", (json.dumps(latched), new)
        )
    if mine is not None and mine[0] == bound[0] and None not in (mine[1], bound[1]):
        lowest = min(parse_decimal(mine[1]), parse_decimal(bound[1]))
        connection.execute(
            "UPDATE accounts SET lowest_pnl = ? WHERE client_id = ?", (decimal_text(lowest), new)
        )
    connection.execute("DELETE FROM accounts WHERE client_id = ?", (old,))
