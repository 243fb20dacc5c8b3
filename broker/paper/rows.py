"""Read and write one client's rows of the paper broker's file, inside the caller's transaction.

Every statement finds its rows by an index, so that none becomes slower as past orders accumulate.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import lru_cache
from typing import Any

from broker.simulated_exchange.model import Mark, Market, MarketStep, NetPosition, Rejection, SimOrder
from domain.broker_reports import BrokerStatus, OrderRef, OrderReport, Position
from domain.commands import UniversalOrderCommand
from domain.enums import OrderType, Side
from domain.money import ZERO, decimal_text, optional_decimal, optional_text

_COLUMNS = (
    "sequence, client_order_id, exchange, symbol, product, side, order_type, quantity, price, trigger_price,"
    " status, filled_quantity, filled_value, code, reason"
)
_BY_SEQUENCE = "NOT INDEXED"  # then SQLite can use only the primary key
_POSITIONS = (
    "SELECT p.exchange, p.symbol, p.product, m.price, net_quantity, open_cost, realized_pnl, traded_on"
    " FROM positions p"
)
_MARKS_AT = (
    "SELECT exchange, symbol, price, available, firm FROM json_each(?1) CROSS JOIN marks "
    "WHERE client_id = ?2 AND exchange = json_each.value ->> 0 AND symbol = json_each.value ->> 1"
)
_WITH_MARK = "LEFT JOIN marks m USING (client_id, exchange, symbol) WHERE p.client_id = ?"
OPEN = "status IN ('OPEN', 'TRIGGER_PENDING')"  # must equal the partial index's condition exactly


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of `orders`."""

    exchange: str
    symbol: str
    client_order_id: str
    order: SimOrder

    def report(self) -> OrderReport:
        """Return the row as the port's callers see it."""
        order = self.order
        return OrderReport(
            broker_order_id=broker_order_id(order.sequence),
            client_order_id=self.client_order_id,
            status=order.status,
            exchange=self.exchange,
            symbol=self.symbol,
            side=order.side,
            quantity=order.quantity,
            filled_quantity=order.filled_quantity,
            average_price=order.average_price,
            reason=order.reason,
            code=order.code,
        )


def broker_order_id(sequence: int) -> str:
    """Return `P` and the sequence, which has the same width for every order."""
    return f"P{sequence:012d}"


def sequence_in(broker_id: str | None) -> int | None:
    """Return the sequence in a broker order id; None if it is not an id of ours."""
    digits = (broker_id or "")[1:]
    known = digits.isascii() and digits.isdigit() and broker_order_id(int(digits)) == broker_id
    return int(digits) if known else None


class ClientRows:
    """Reads and changes one client's part of the file."""

    def __init__(self, connection: sqlite3.Connection, client_id: str) -> None:
        self._db = connection
        self._client = client_id

    # orders -------------------------------------------------------------------------------------------------

    def sequence_of(self, client_order_id: str) -> int | None:
        """Return the sequence of the order with this client order id; None if there is none."""
        row = self._one(
            "SELECT sequence FROM orders WHERE client_id = ? AND client_order_id = ?",
            self._client,
            client_order_id,
        )
        return None if row is None else int(row[0])

    def next_sequence(self) -> int:
        """Return the sequence of the next order of any client. The write transaction keeps it reserved."""
        row = self._one("SELECT coalesce(max(sequence), 0) + 1 FROM orders")
        assert row is not None
        return int(row[0])

    def find(self, ref: OrderRef) -> Entry | None:
        """Find the order by the broker's id, else by the client's."""
        sequence = sequence_in(ref.broker_order_id) or self.sequence_of(ref.client_order_id)
        found = self._entries("sequence = ?", sequence, by=_BY_SEQUENCE)
        return found[0] if found else None

    def open_entries(self) -> list[Entry]:
        """Return all resting orders."""
        return self._entries(OPEN, by="INDEXED BY orders_open")

    def recent_entries(self, since: str, *, limit: int) -> list[Entry]:
        """Return the orders that changed last, and not before `since`."""
        return self._entries("updated_at >= ? ORDER BY updated_at DESC LIMIT ?", since, limit)

    def wanted_entries(self, refs: Sequence[OrderRef]) -> list[Entry]:
        """Return the orders that these refs identify, by either id. An order may be listed twice."""
        tags = json.dumps([ref.client_order_id for ref in refs])
        sequences = json.dumps([sequence_in(ref.broker_order_id) for ref in refs])
        return [
            *self._entries("client_order_id IN (SELECT value FROM json_each(?))", tags),
            *self._entries("sequence IN (SELECT value FROM json_each(?))", sequences, by=_BY_SEQUENCE),
        ]

    def add(self, command: UniversalOrderCommand, order: SimOrder, at: str) -> None:
        """Insert a new order in the state in which the market left it."""
        self._db.execute(
            f"INSERT INTO orders ({_COLUMNS}, client_id, placed_at, updated_at)"
            " VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
            (
                order.sequence,
                command.client_order_id,
                command.exchange,
                command.symbol,
                order.product,
                order.side,
                order.order_type,
                decimal_text(order.quantity),
                optional_text(order.price),
                optional_text(order.trigger_price),
                order.status,
                decimal_text(order.filled_quantity),
                decimal_text(order.filled_value),
                order.code,
                order.reason,
                self._client,
                at,
                at,
            ),
        )

    def update(self, orders: Iterable[SimOrder], at: str) -> None:
        """Update known orders that the market changed."""
        self._db.executemany(
            "UPDATE orders SET status = ?, filled_quantity = ?, filled_value = ?, updated_at = ? WHERE sequence = ?",
            [
                (o.status, decimal_text(o.filled_quantity), decimal_text(o.filled_value), at, o.sequence)
                for o in orders
            ],
        )

    def _entries(self, where: str, *values: object, by: str = "") -> list[Entry]:
        """Return the client's orders that match. `by` names the index where SQLite cannot know which is quickest."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS} FROM orders {by} WHERE client_id = ? AND {where}", (self._client, *values)
        )
        return [_entry(row) for row in rows]

    # the market ---------------------------------------------------------------------------------------------

    def mark(self, exchange: str, symbol: str) -> Mark | None:
        """Return the last price of a symbol; None if there is none."""
        row = self._one(
            "SELECT price, available, firm FROM marks WHERE client_id = ? AND exchange = ? AND symbol = ?",
            self._client,
            exchange,
            symbol,
        )
        return None if row is None else Mark(Decimal(row[0]), optional_decimal(row[1]), bool(row[2]))

    def marks_at(self, places: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Mark]:
        """Return the last prices of these symbols, by exchange and symbol; one without a price is left out."""
        rows = self._db.execute(_MARKS_AT, (json.dumps(list(places)), self._client))
        return {
            (exchange, symbol): Mark(Decimal(price), optional_decimal(available), bool(firm))
            for exchange, symbol, price, available, firm in rows
        }

    def resting(self, exchange: str, symbol: str) -> tuple[SimOrder, ...]:
        """Return the resting orders of a symbol, oldest first."""
        entries = self._entries(f"exchange = ? AND symbol = ? AND {OPEN} ORDER BY sequence", exchange, symbol)
        return tuple(entry.order for entry in entries)

    def positions_in(self, exchange: str, symbol: str) -> dict[str, NetPosition]:
        """Return the positions in a symbol, by product."""
        rows = self._db.execute(
            "SELECT product, net_quantity, open_cost, realized_pnl, traded_on FROM positions"
            " WHERE client_id = ? AND exchange = ? AND symbol = ?",
            (self._client, exchange, symbol),
        )
        return {row[0]: net_position(row[1:]) for row in rows}

    def save_market(self, exchange: str, symbol: str, before: Market, after: Market) -> None:
        """Write the mark and the positions if they changed."""
        key = (self._client, exchange, symbol)
        if after.mark is not None and after.mark != before.mark:
            self._db.execute(
                "INSERT OR REPLACE INTO marks VALUES (?,?,?,?,?,?)",
                (
                    *key,
                    decimal_text(after.mark.price),
                    optional_text(after.mark.available),
                    int(after.mark.firm),
                ),
            )
        for product, position in after.positions.items():
            if position is not before.positions.get(product):
                self._save_position((*key, product), position)

    def _save_position(self, key: tuple[str, ...], position: NetPosition) -> None:
        assert position.traded_on is not None
        money = (position.net_quantity, position.open_cost, position.realized_pnl)
        self._db.execute(
            "INSERT INTO positions VALUES (?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET"
            " net_quantity = excluded.net_quantity, open_cost = excluded.open_cost,"
            " realized_pnl = excluded.realized_pnl, traded_on = excluded.traded_on",
            (*key, *map(decimal_text, money), position.traded_on.isoformat()),
        )

    def positions(self, day: date) -> list[Position]:
        """Return the positions that are not flat or were traded on that trading day."""
        # The indexes are named because SQLite cannot know that both conditions hold for few rows only.
        rows = self._db.execute(
            f"{_POSITIONS} INDEXED BY positions_held {_WITH_MARK} AND net_quantity <> '0'"
            f" UNION {_POSITIONS} INDEXED BY positions_traded {_WITH_MARK} AND traded_on = ?",
            (self._client, self._client, day.isoformat()),
        )
        return [_position(row, day) for row in rows]

    # simulated rejections -----------------------------------------------------------------------------------

    def add_rejection(self, symbol: str, rejection: Rejection) -> None:
        """Add a rejection of one order of this symbol, after the rejections that wait already."""
        self._db.execute(
            "INSERT INTO rejections (client_id, symbol, code, reason, later) VALUES (?,?,?,?,?)",
            (self._client, symbol, rejection.code, rejection.text, int(rejection.later)),
        )

    def take_rejection(self, symbol: str) -> Rejection | None:
        """Return the rejection that waits for the symbol's next order, and delete it."""
        row = self._one(
            "SELECT id, code, reason, later FROM rejections WHERE client_id = ? AND symbol = ? ORDER BY id LIMIT 1",
            self._client,
            symbol,
        )
        if row is None:
            return None
        self._db.execute("DELETE FROM rejections WHERE id = ?", (row[0],))
        return Rejection(row[1], row[2], later=bool(row[3]))

    def _one(self, statement: str, *values: object) -> Any:
        return self._db.execute(statement, values).fetchone()


def changed_orders(*steps: MarketStep) -> dict[int, SimOrder]:
    """Return each order that the steps changed, in its state after the last of them."""
    return {order.sequence: order for step in steps for order in step.changed}


def _entry(row: tuple[Any, ...]) -> Entry:
    order = SimOrder(
        sequence=row[0],
        product=row[4],
        side=Side(row[5]),
        order_type=OrderType(row[6]),
        quantity=Decimal(row[7]),
        price=optional_decimal(row[8]),
        trigger_price=optional_decimal(row[9]),
        status=BrokerStatus(row[10]),
        filled_quantity=Decimal(row[11]),
        filled_value=Decimal(row[12]),
        code=row[13],
        reason=row[14],
    )
    return Entry(row[2], row[3], row[1], order)


def net_position(row: Sequence[Any]) -> NetPosition:
    """Return a position from its net quantity, open cost, realized profit and loss, and last day."""
    net, cost, realized, traded_on = row
    return NetPosition(Decimal(net), Decimal(cost), Decimal(realized), date.fromisoformat(traded_on))


@lru_cache(maxsize=4096)  # most positions are as they were at the last read
def _position(row: tuple[Any, ...], day: date) -> Position:
    exchange, symbol, product, mark = row[:4]
    held, last_price = net_position(row[4:]), optional_decimal(mark)
    return Position(
        exchange=exchange,
        symbol=symbol,
        product=product,
        net_quantity=held.net_quantity,
        average_price=held.average_price,
        last_price=last_price,
        realized_pnl=held.realized_on(day),
        unrealized_pnl=ZERO if last_price is None else held.unrealized(last_price),
    )
