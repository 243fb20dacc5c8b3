"""What protections promise, beside the true prices and the true units."""

import sqlite3
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from domain.enums import Side
from domain.money import ZERO
from tests.simulation.scheduler import Scheduler

if TYPE_CHECKING:
    from tests.simulation.exchange import Account
    from tests.simulation.promises import Promises

FIRES_WITHIN = 20
"""Whole seconds of calm in which the price meets a stop all the time: its exit is asked for before they are over."""

_OPEN = (
    "SELECT protection_id, strategy_name, symbol, side, stop_price, "
    "max(active_since, coalesce(retry_at, active_since)), exit_at FROM protections "
    "WHERE client_id = ? AND status = 'ACTIVE' AND quantity <> '0'"
)

_TO_COME = (
    "SELECT 1 FROM protections WHERE client_id = ? AND is_watched = 1 AND (exits <> '[]' "
    "OR quantity <> '0' AND (retry_at IS NOT NULL OR exit_at IS NOT NULL)) LIMIT 1"
)


class Protections:
    """Looks at what is protected, after each round of a watcher and in the end."""

    def __init__(self, connection: sqlite3.Connection, promises: "Promises", scheduler: Scheduler) -> None:
        self._connection = connection
        self._promises = promises
        self._scheduler = scheduler

    def looked(self, client_id: str) -> None:
        """A watcher has been through the client's protections: what the price has met for long has fired."""
        account, now = self._promises.accounts[client_id], self._scheduler.seconds
        if now - max(account.troubled_at, self._promises.troubled_at) < FIRES_WITHIN:
            return
        for id_, strategy, symbol, side, stop, since, exit_at in self._open(client_id):
            sign = Side(side).sign
            if self._seconds_since(since) < FIRES_WITHIN:
                continue  # its entry's fill was not known all that time, or its exit has just failed
            if not self._is_held(account, strategy, symbol, sign):
                continue
            if exit_at is not None and self._seconds_since(exit_at) >= FIRES_WITHIN:
                self._promises.breaks("14 a time to exit fires", f"{id_}: {symbol}, time {exit_at}")
            if stop is None:
                continue
            level, prices = Decimal(stop), account.prices
            path = [prices.at(symbol, now - back) for back in range(FIRES_WITHIN)]
            if all((price - level) * sign <= 0 for price in path):
                self._promises.breaks("14 a stop fires", f"{id_}: {symbol} at {path[0]}, stop {level}")

    def has_to_come(self, client_id: str) -> bool:
        """Whether a protection of the client exits by the clock, follows an exit, or asks again after a failure."""
        return self._connection.execute(_TO_COME, (client_id,)).fetchone() is not None

    def _seconds_since(self, at: str) -> float:
        return self._scheduler.since(datetime.fromisoformat(at))

    def _open(self, client_id: str) -> list[tuple[str, str, str, str, str | None, str, str | None]]:
        return self._connection.execute(_OPEN, (client_id,)).fetchall()

    def _is_held(self, account: "Account", strategy: str, symbol: str, sign: int) -> bool:
        """The strategy had those units all that time, and nobody else has been there."""
        own = self._own(account, strategy, symbol)
        if symbol in account.odd_symbols or account.moved_by_hand(symbol, -1):
            return False
        began = self._scheduler.micros - FIRES_WITHIN * 1_000_000
        is_quiet = not any(at > began for at, name, *_ in account.fills if name == symbol)
        return is_quiet and own * sign > 0 and account.net(symbol) * sign > 0

    def _own(self, account: "Account", strategy: str, symbol: str) -> Decimal:
        rows = self._promises.rows
        return sum(
            (
                o.filled * o.side.sign
                for o in account.orders.values()
                if o.command is not None
                and o.symbol == symbol
                and rows[o.command.command_id].strategy_name == strategy
            ),
            ZERO,
        )

    def check_end(self) -> None:
        """No protection outlives its position. One that covers nothing waits for a late fill of its entry."""
        for client_id, account in self._promises.accounts.items():
            for id_, strategy, symbol, side, *_ in self._open(client_id):
                is_clear = symbol not in account.odd_symbols and not account.moved_by_hand(symbol, -1)
                if is_clear and self._own(account, strategy, symbol) * Side(side).sign <= 0:
                    self._promises.breaks(
                        "14 gone with its position", f"{id_} of {strategy} in {symbol} is open"
                    )
