"""What groups of legs promise, beside the true fills: nothing stays naked, and no hedge leaves before its sold leg."""

import json
import sqlite3
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from domain.enums import Side
from domain.leg_groups import GroupState
from domain.limits import WhenIncomplete
from domain.money import ZERO
from domain.order import Order
from domain.states import Phase
from tests.simulation.legs import own_units
from tests.simulation.scheduler import Scheduler

if TYPE_CHECKING:
    from tests.simulation.exchange import Account, TrueOrder
    from tests.simulation.promises import Promises

UNWOUND_WITHIN = 60.0
"""Seconds of calm in which a group whose time is over is unwound, beside what an unknown leg takes to be known."""
LONG_AGO = float("-inf")

_OPEN = "SELECT group_id, legs, state, deadline, unwinding_since, when_incomplete FROM order_groups WHERE client_id = ?"
_TO_COME = "SELECT 1 FROM order_groups WHERE state IN ('FORMING', 'INCOMPLETE', 'UNWINDING') LIMIT 1"
_OF_EXIT = "SELECT idempotency_key FROM order_intents WHERE command_id = ? AND idempotency_key LIKE 'group|%'"
_UNWOUND = "SELECT group_id, legs FROM order_groups WHERE client_id = ? AND state = 'UNWOUND'"
_GROUP = "SELECT legs FROM order_groups WHERE alert_id = ?"


class Groups:
    """Looks at groups: when the broker takes an exit, after each round of a watcher, and in the end."""

    def __init__(self, connection: sqlite3.Connection, promises: "Promises", scheduler: Scheduler) -> None:
        self._connection = connection
        self._promises = promises
        self._scheduler = scheduler
        self._unknown_at: dict[
            tuple[str, str], float
        ] = {}  # when an outcome was last unknown, by client and symbol

    def order_made(self, account: "Account", order: "TrueOrder") -> None:
        """The broker has an exit: where it sells a hedge for its group, no sold leg of the group is left."""
        assert order.command is not None
        if order.side is not Side.SELL or not order.is_exit:
            return
        found = self._connection.execute(_OF_EXIT, (order.command.command_id,)).fetchone()
        if found is None:
            return
        leg_id = found[0].split("|")[1]
        for leg in self._legs_beside(leg_id):
            if leg.side is not Side.SELL:
                continue
            orders = account.by_tag.get(leg.client_order_id, [])
            is_live = any(o.rest for o in orders) and not any(o.odd or o.revived for o in orders)
            if account.is_clear(leg.symbol) and (is_live or self._left(account, leg) > 0):
                text = f"{order.command.command_id} sells {order.symbol}, and {leg.command_id} {leg.symbol} is sold"
                self._promises.breaks("16 a hedge stays while its sold leg does", text)

    def looked(self, client_id: str) -> None:
        """A watcher has been through the client's groups: those whose time has been over for long are unwound."""
        account, now = self._promises.accounts[client_id], self._scheduler.seconds
        patience = UNWOUND_WITHIN + 2 * account.acceptance_horizon
        for (
            row
        ) in self._promises.unfinished():  # some of them a person has to settle, and exits wait for that
            if row.phase is Phase.UNKNOWN:
                self._unknown_at[row.client_id, row.symbol] = now
        if now - max(account.troubled_at, self._promises.troubled_at) < patience:
            return
        for id_, legs, state, deadline, since, answer in self._connection.execute(
            _OPEN, (client_id,)
        ).fetchall():
            if answer != WhenIncomplete.UNWIND or not GroupState(state).is_open:
                continue
            began = since or deadline
            if began is None or self._seconds_since(began) < patience:
                continue
            rows = [self._promises.rows[each] for each in json.loads(legs)]
            naked = [leg for leg in rows if leg.side is Side.SELL and self._left(account, leg) > 0]
            known_since = max(self._unknown_at.get((client_id, leg.symbol), LONG_AGO) for leg in rows)
            if now - known_since < patience:
                continue
            if naked and all(account.is_clear(leg.symbol) for leg in rows):
                self._promises.breaks(
                    "16 nothing stays naked", f"{id_} is {state}: {naked[0].command_id} is sold"
                )

    def to_come(self) -> bool:
        """Whether a group has not ended."""
        return self._connection.execute(_TO_COME).fetchone() is not None

    def check_end(self, client_ids: Iterable[str]) -> None:
        """What is called unwound is: of no leg is anything left."""
        for client_id in client_ids:
            account = self._promises.accounts[client_id]
            for id_, legs in self._connection.execute(_UNWOUND, (client_id,)).fetchall():
                for leg in (self._promises.rows[each] for each in json.loads(legs)):
                    if account.is_clear(leg.symbol) and self._left(account, leg) > 0:
                        self._promises.breaks("16 unwound is flat", f"{id_}: {leg.command_id} {leg.symbol}")

    def _legs_beside(self, leg_id: str) -> list[Order]:
        rows = self._promises.rows
        for (legs,) in self._connection.execute(_GROUP, (rows[leg_id].alert_id,)).fetchall():
            ids = json.loads(legs)
            if leg_id in ids:
                return [rows[each] for each in ids if each != leg_id]
        return []

    def _left(self, account: "Account", leg: Order) -> Decimal:
        """How many of the leg's true units are there: what its strategy entered up to it, less all that it exited."""
        sign = leg.side.sign
        filled = sum((o.filled for o in account.by_tag.get(leg.client_order_id, [])), ZERO)
        own = own_units(account, self._promises.rows, leg, but_for=leg.side)
        return max(min(filled, own * sign, account.net(leg.symbol) * sign), ZERO)

    def _seconds_since(self, at: str) -> float:
        return self._scheduler.since(datetime.fromisoformat(at))
