"""One client's part of the paper broker's file for a batch of orders: what is asked of each is read once for all."""

import json
import sqlite3
from collections.abc import Sequence

from broker.paper.rows import OPEN, ClientRows, net_position
from broker.simulated_exchange.model import Mark, NetPosition, Rejection, SimOrder
from domain.commands import UniversalOrderCommand

_AT = "client_id = ?2 AND exchange = asked.value ->> 0 AND symbol = asked.value ->> 1"
_POSITIONS = (
    "SELECT exchange, symbol, product, net_quantity, open_cost, realized_pnl, traded_on "
    f"FROM json_each(?1) AS asked CROSS JOIN positions WHERE {_AT}"
)
_RESTING = (
    "SELECT DISTINCT exchange, symbol FROM json_each(?1) AS asked CROSS JOIN orders INDEXED BY orders_open "
    f"WHERE {OPEN} AND {_AT}"
)


def may_be_read_together(commands: Sequence[UniversalOrderCommand]) -> bool:
    """Return True where no order of a batch changes what is asked for another one of it."""
    symbols = {(command.exchange, command.symbol) for command in commands}
    tags = {command.client_order_id for command in commands}
    return len(symbols) == len(tags) == len(commands)


class BatchRows(ClientRows):
    """As `ClientRows`, for these orders only; `may_be_read_together` holds of them."""

    def __init__(
        self, connection: sqlite3.Connection, client_id: str, commands: Sequence[UniversalOrderCommand]
    ) -> None:
        super().__init__(connection, client_id)
        places = json.dumps([(command.exchange, command.symbol) for command in commands])
        at = (places, client_id)
        self._next = super().next_sequence()
        self._sequences = self._known(client_id, commands)
        self._marks = self.marks_at((command.exchange, command.symbol) for command in commands)
        self._positions: dict[tuple[str, str], dict[str, NetPosition]] = {}
        for exchange, symbol, product, *position in connection.execute(_POSITIONS, at):
            self._positions.setdefault((exchange, symbol), {})[product] = net_position(position)
        self._resting = set(connection.execute(_RESTING, at))
        rejected = connection.execute(
            "SELECT DISTINCT symbol FROM rejections WHERE client_id = ?", (client_id,)
        )
        self._rejected = {symbol for (symbol,) in rejected}

    def _known(self, client_id: str, commands: Sequence[UniversalOrderCommand]) -> dict[str, int]:
        tags = json.dumps([command.client_order_id for command in commands])
        return dict(
            self._db.execute(
                "SELECT client_order_id, sequence FROM orders WHERE client_id = ? "
                "AND client_order_id IN (SELECT value FROM json_each(?))",
                (client_id, tags),
            ).fetchall()
        )

    def sequence_of(self, client_order_id: str) -> int | None:
        return self._sequences.get(client_order_id)

    def next_sequence(self) -> int:
        return self._next

    def add(self, command: UniversalOrderCommand, order: SimOrder, at: str) -> None:
        super().add(command, order, at)
        self._next = order.sequence + 1

    def mark(self, exchange: str, symbol: str) -> Mark | None:
        return self._marks.get((exchange, symbol))

    def positions_in(self, exchange: str, symbol: str) -> dict[str, NetPosition]:
        return self._positions.get((exchange, symbol), {})

    def resting(self, exchange: str, symbol: str) -> tuple[SimOrder, ...]:
        return super().resting(exchange, symbol) if (exchange, symbol) in self._resting else ()

    def take_rejection(self, symbol: str) -> Rejection | None:
        return super().take_rejection(symbol) if symbol in self._rejected else None
