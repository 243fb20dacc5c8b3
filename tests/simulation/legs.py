"""What the rows of one exit promise together: never more than its leg asks for, and no rest that is forgotten."""

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

from domain.enums import Side
from domain.exit_chase import chase_of, is_superseded, rest_of
from domain.money import ZERO
from domain.order import Order

if TYPE_CHECKING:
    from tests.simulation.exchange import Account, TrueOrder
    from tests.simulation.promises import Promises


def came_before(row: Order, exit_: Order) -> bool:
    """Whether an entry was registered before an exit; of one alert's, the legs that stand before it."""
    return (row.created_at, row.command_id) <= (exit_.created_at, exit_.command_id)


def own_units(
    account: "Account",
    rows: Mapping[str, Order],
    row: Order,
    *,
    with_later: bool = False,
    but_for: Side | None = None,
) -> Decimal:
    """The true units of a row's strategy in its symbol: what it entered (up to that row), less all that it exited.

    `but_for`: exits of that side do not count. They may have closed what was entered later, the other way round.
    """
    own = ZERO
    for o in account.orders.values():
        if o.command is None or o.symbol != row.symbol:
            continue
        of = rows[o.command.command_id]
        if o.is_exit and o.side is but_for:
            continue
        if of.strategy_name == row.strategy_name and (with_later or o.is_exit or came_before(of, row)):
            own += o.filled * o.side.sign
    return own


class Legs:
    """Looks at the parts of exits, by the exchange's truth."""

    def __init__(self, promises: "Promises", largest: Decimal | None) -> None:
        self._promises = promises
        self._largest = largest

    def _rows(self, row: Order) -> list[Order]:
        leg = row.parent_command_id or row.command_id
        return [o for o in self._promises.rows.values() if leg in (o.command_id, o.parent_command_id)]

    def order_made(self, account: "Account", order: "TrueOrder") -> None:
        """The broker has a new order of ours: with it, its leg's live and filled units are no more than it asks for."""
        assert order.command is not None
        row = self._promises.rows[order.command.command_id]
        if self._largest is not None and order.is_exit and order.quantity > self._largest:
            self._promises.breaks("15 too much for one order", f"{row.command_id}: {order.quantity}")
        if row.parent_command_id is None or not order.is_exit or order.symbol in account.odd_symbols:
            return
        rows = self._rows(row)
        asked = sum((self._asked(o, rows) for o in rows), ZERO)
        taken = sum((self._truly(account, o) for o in rows), ZERO)
        if taken > asked:
            self._promises.breaks("15 more than the leg", f"{row.command_id}: {taken} of {asked}")

    @staticmethod
    def _asked(row: Order, rows: list[Order]) -> Decimal:
        """What a row adds to its leg: a slice is of what another row asks for, and so is a rest at a new price."""
        chase = chase_of(row)
        if chase.instead_of is not None or chase.slice_of is not None:
            return ZERO
        if row.requested_quantity is not None:
            return row.requested_quantity
        slices = (o for o in rows if chase_of(o).slice_of == row.command_id)
        return row.quantity + sum((o.requested_quantity or ZERO for o in slices), ZERO)

    @staticmethod
    def _truly(account: "Account", row: Order) -> Decimal:
        there = account.by_tag.get(row.client_order_id, [])
        return sum((o.filled + o.rest for o in there if not o.was_turned_away), ZERO)

    def check_end(self, clear: "dict[str, Account]") -> None:
        """Each order that was cancelled for a new price has been taken over, as far as its leg asks for it."""
        for row in self._promises.rows.values():
            if is_superseded(row) and row.symbol not in clear[row.client_id].odd_symbols:
                now = row.updated_at
                assert now is not None
                rows = self._rows(row)
                if not any(chase_of(o).instead_of == row.command_id for o in rows) and rest_of(
                    row, rows, now
                ):
                    self._promises.breaks("15 a rest goes on", f"{row.command_id}: nothing took over")
