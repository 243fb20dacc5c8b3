"""Holdings: rows of what strategies hold, kept in the transaction that records the fill."""

import json
import sqlite3
from collections.abc import Sequence
from decimal import Decimal

from domain.enums import ExecutionType
from domain.holdings import Held, effects_of, touches_holdings
from domain.money import ZERO, decimal_text, parse_decimal
from domain.order import Order
from domain.order_events import column
from persistence.sqlite.differences import take_elsewhere
from persistence.sqlite.queries.statements import statement

INSERT_FILL = "INSERT OR REPLACE INTO last_fills VALUES (?, ?, ?, ?, ?)"
DELETE_HOLDING = (
    "DELETE FROM holdings WHERE client_id = ? AND symbol = ? AND exchange = ? AND strategy_name = ? "
    "AND product = ?"
)


def follow_fill(connection: sqlite3.Connection, before: Order, after: Order) -> None:
    """Write what a change of an order does to the holdings of its strategy: see `domain.holdings.effects_of`."""
    if not touches_holdings(before, after):
        return
    [before_it] = held_by_product(connection, [after])
    effects = effects_of(before, after, before_it, lambda: still_to_come(connection, after))
    if effects.is_fill:
        connection.execute(INSERT_FILL, fill_row(after))
    if effects.taken_elsewhere:
        take_elsewhere(connection, after, effects.taken_elsewhere)
    for product, held in effects.held.items():
        _write(connection, after, product, held)


def fill_row(order: Order) -> tuple[str | int | None, ...]:
    """Return the values of `INSERT_FILL` for an order that has just been filled further."""
    return order.client_id, order.symbol, order.side, order.product, column(order.updated_at)


def held_by_product(connection: sqlite3.Connection, orders: Sequence[Order]) -> list[dict[str, Held]]:
    """Return for each order what its strategy holds of its symbol, by product."""
    held: list[dict[str, Held]] = [{} for _ in orders]
    places = [(o.client_id, o.symbol, o.exchange, o.strategy_name) for o in orders]
    for key, product, net, entries in connection.execute(
        statement("held_by_strategies"), (json.dumps(places),)
    ):
        held[key][product] = Held(parse_decimal(net), int(entries))
    return held


def _write(connection: sqlite3.Connection, order: Order, product: str, held: Held) -> None:
    key = (order.client_id, order.symbol, order.exchange, order.strategy_name, product)
    if held.net:
        values = (*key, decimal_text(held.net), held.entries, column(order.updated_at))
        connection.execute(statement("put_holding"), values)
    else:
        connection.execute(DELETE_HOLDING, key)


def still_to_come(connection: sqlite3.Connection, order: Order) -> Decimal:
    """What entries at the broker may still fill of what this order, or the exit that it came after, is about."""
    side = order.side if order.execution_type is ExecutionType.ENTRY else order.side.opposite
    rows = connection.execute(
        statement("entries_at_broker"),
        (order.client_id, order.symbol, order.exchange, order.strategy_name, order.product, side),
    )
    return sum((max(parse_decimal(q) - parse_decimal(f), ZERO) for q, f in rows), ZERO)
