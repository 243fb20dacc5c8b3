"""What alerts that adjust promise: their entries go when their exits are over and have closed what they should."""

from collections.abc import Iterator
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING

from domain.enums import ExecutionType
from domain.money import ZERO
from domain.order import Order
from tests.simulation.legs import own_units

if TYPE_CHECKING:
    from tests.simulation.exchange import Account
    from tests.simulation.promises import Promises


class Adjustments:
    """Looks at each entry that is about to be sent, beside the exits of its alert, by the exchange's truth."""

    def __init__(self, promises: "Promises") -> None:
        self._promises = promises

    def call_begins(self, account: "Account", row: Order) -> None:
        """An entry has just been claimed: no exit of its alert in another symbol is live, or has left anything."""
        if row.execution_type is not ExecutionType.ENTRY:
            return
        for exit_ in self._exits_beside(row):
            if not account.is_clear(exit_.symbol):
                continue
            if any(o.rest for o in account.by_tag.get(exit_.client_order_id, [])):
                self._breaks(row, exit_, "is live")
            elif exit_.is_full_exit and (left := self._left(account, exit_)):
                self._breaks(row, exit_, f"has left {left}")

    def _left(self, account: "Account", exit_: Order) -> Decimal:
        """What is there of its entries before the exit: later exits may have closed what was entered later."""
        rows = self._promises.rows
        older, all_ = own_units(account, rows, exit_), own_units(account, rows, exit_, with_later=True)
        sign = -exit_.side.sign if exit_.filled_quantity else 1 if all_ > 0 else -1
        return max(min(older * sign, all_ * sign), ZERO)

    def _breaks(self, row: Order, exit_: Order, what: str) -> None:
        text = f"{row.command_id} {row.symbol} is sent, and {exit_.command_id} {exit_.symbol} {what}"
        self._promises.breaks("18 out first, then in", text)

    def _exits_beside(self, row: Order) -> Iterator[Order]:
        rows, alert = self._promises.rows, row.command_id.rpartition("-")[0]
        for number in count(1):
            other = rows.get(f"{alert}-{number}")
            if other is None:
                return
            if other.execution_type is ExecutionType.EXIT and other.symbol != row.symbol:
                yield other
