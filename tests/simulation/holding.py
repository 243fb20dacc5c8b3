"""What strategies are believed to hold, beside the truth: nothing is forgotten on a read alone."""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from domain.enums import ExecutionType
from domain.money import ZERO
from domain.order import Order
from tests.simulation.exchange import Account
from tests.simulation.ownership import A_MOMENT
from tests.simulation.scheduler import SECOND

if TYPE_CHECKING:
    from tests.simulation.promises import Promises

BEHIND = 2.5 * SECOND
"""A read that is older than that is behind by more than the broker promises."""
Key = tuple[str, str, str]
"""Client, strategy, symbol."""


class Holdings:
    """Looks at the holdings after each commit."""

    def __init__(self, connection: sqlite3.Connection, promises: "Promises") -> None:
        self._connection = connection
        self._promises = promises
        self._look: tuple[object, ...] = ()  # what changes with any of them
        self._held: dict[Key, Decimal] = {}

    def committed(self, moved: Sequence[tuple[Order | None, Order]]) -> None:
        """A holding changes by a fill of its strategy; or, where the account truly lacks the units, by reads of it."""
        looks = "SELECT count(*), total(net_quantity), max(updated_at) FROM holdings"
        look = self._connection.execute(looks).fetchone()
        if look == self._look:
            return
        self._look = look
        rows = self._connection.execute(
            "SELECT client_id, strategy_name, symbol, net_quantity, entries FROM holdings"
        ).fetchall()
        before, self._held = self._held, _by_key(rows)
        filled = {_key(after) for was, after in moved if _is_fill(was, after)}
        gone: dict[tuple[str, str], Decimal] = {}
        for key, held in before.items():
            now = self._held.get(key, ZERO)
            if key in filled or now == held or (abs(now) > abs(held) and now * held > 0):
                continue
            where = (key[0], key[2])
            gone[where] = gone.get(where, ZERO) + held - now
        for (client_id, symbol), amount in gone.items():
            total = sum((held for (c, _, s), held in before.items() if (c, s) == (client_id, symbol)), ZERO)
            self._truly_gone(client_id, symbol, amount, total)

    def _not_recorded(self, account: Account, symbol: str) -> Decimal:
        """What orders of ours have filled and no row says: it is not held yet, and closes nothing that is."""
        total = ZERO
        for order in account.orders.values():
            if order.command is not None and order.symbol == symbol:
                row = self._promises.rows[order.command.command_id]
                total += (order.filled - row.filled_quantity) * order.side.sign
        return total

    def _truly_gone(self, client_id: str, symbol: str, amount: Decimal, held: Decimal) -> None:
        account = self._promises.accounts[client_id]
        since = self._promises.micros - A_MOMENT
        if symbol in account.odd_symbols or account.moved_by_hand(symbol, since):
            return
        sign = 1 if amount > 0 else -1
        # Of what was filled a moment ago neither the read nor our own rows may tell yet.
        reads = [
            r for r in account.reads if r.at > since and r.at - r.as_of < BEHIND and symbol not in r.wrong
        ]
        nets = [account.net(symbol), *(account.net_at(symbol, r.as_of) for r in reads)]
        nets.append(account.net(symbol) - self._not_recorded(account, symbol))
        if abs(amount) > max((held - net) * sign for net in nets):
            what = f"{client_id} {symbol}: {amount} of {held} without a fill; the broker has {account.net(symbol)}"
            self._promises.breaks("12 forgotten", what)

    def check_end(self, micros: int) -> None:
        """What strategies are believed to hold is what their account has, or the operator has been told."""
        rows = self._connection.execute("SELECT client_id, symbol, held, at_broker FROM position_differences")
        told: dict[tuple[str, str], Decimal] = {}
        for client_id, symbol, ours, net in rows:
            key = (client_id, symbol)
            told[key] = told.get(key, ZERO) + Decimal(net) - Decimal(ours)
        held: dict[tuple[str, str], Decimal] = {}
        for (client_id, _, symbol), quantity in self._held.items():
            held[client_id, symbol] = held.get((client_id, symbol), ZERO) + quantity
        for client_id, account in self._promises.accounts.items():
            for symbol in dict.fromkeys(symbol for symbol, _ in account.nets_at(micros)):
                ours, net = held.get((client_id, symbol), ZERO), account.net(symbol)
                if ours == net or symbol.startswith("HAND") or symbol in account.odd_symbols:
                    continue
                if told.get((client_id, symbol)) == net - ours:
                    self._promises.told["a position that differs"] += 1
                else:
                    what = f"{client_id} {symbol}: {ours}, and the broker has {net}"
                    self._promises.breaks("holdings are positions", what)


def _key(order: Order) -> Key:
    return order.client_id, order.strategy_name, order.symbol


def _by_key(rows: Sequence[tuple[str, str, str, str, int]]) -> dict[Key, Decimal]:
    held: dict[Key, Decimal] = {}
    for client_id, strategy, symbol, net, entries in rows:
        if entries:  # else an exit's fill came before its entry's: no units, a remark
            key = (client_id, strategy, symbol)
            held[key] = held.get(key, ZERO) + Decimal(net)
    return held


def _is_fill(before: Order | None, after: Order) -> bool:
    if before is None:
        return False
    ended = after.execution_type is ExecutionType.ENTRY and before.may_be_live and not after.may_be_live
    return ended or after.filled_quantity != before.filled_quantity
