"""What the console needs besides the read model of orders.db: the actions of an operator."""

from collections.abc import Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from command_service import ResolvedFill
from domain.account_state import AccountState
from domain.adoption import Adoption, AdoptionRequest
from domain.daily_loss import Lift
from domain.order import Order
from domain.planned_exit import PlannedExit
from domain.risk_view import View


class TradingMode(StrEnum):
    """What happens to a client's orders."""

    SIMULATED = "simulated"
    LIVE = "live"
    DRY = "live trading off"  # a real broker that is sent nothing


class ConsoleControl(Protocol):
    """The actions of an operator. Each raises `StoreUnavailable` when nothing was stored."""

    def halt(self, client_id: str, strategy_name: str | None, by: str, reason: str) -> None:
        """Stop new entries of a client, or of one of its strategies.

        Raises:
            NotFound: no such client.
        """

    def resume(self, client_id: str, strategy_name: str | None, by: str) -> bool:
        """Lift a halt; False when nothing was halted there."""

    def lift(self, client_id: str, by: str, reason: str) -> Lift:
        """Allow entries again after the daily loss limit was hit; returns what was lifted.

        Raises:
            NotFound: no such client.
            NothingToLift: no limit is latched, or the day's profit and loss is not known.
        """

    def adopt(self, request: AdoptionRequest) -> Adoption:
        """Make units of the account that no strategy holds the holding of one strategy.

        Raises:
            NotFound: no such client.
            InvalidAdoption: the request itself is not valid; names the field.
            AdoptionNotPossible: not possible at present; names the field, and what to do.
        """

    def resolve(
        self, command_id: str, *, by: str, executed: ResolvedFill | None, failed_reason: str | None
    ) -> None:
        """Resolve an order of unknown outcome: how it was filled, or why the broker does not have it.

        Raises:
            NotFound: no such order.
            ConcurrentUpdate: its outcome is not unknown.
            InvalidResolution: the fill does not fit the order; names the field.
        """

    def cancel(self, command_id: str, *, by: str, reason: str) -> None:
        """Cancel an order. An order that was not sent ends at once; for a live one the broker is asked to cancel.

        Raises:
            NotFound: no such order.
            ConcurrentUpdate: it cannot be cancelled in its present state; says why.
        """

    def cancel_protection(self, protection_id: str, *, by: str, reason: str) -> None:
        """End a protection, or by a group's id what protects that group as a whole; the position stays.

        Raises:
            NotFound: no such protection or group.
            InvalidProtection: it is over; names the field.
        """

    def tighten_protection(
        self,
        protection_id: str,
        *,
        stop: Decimal | None,
        target: Decimal | None,
        by: str,
        is_confirmed: bool = False,
    ) -> None:
        """Set a tighter stop or another target, as prices.

        Raises:
            NotFound: no such protection.
            InvalidProtection: it is over, the stop would not be tighter, or the last price meets it and it is not
                confirmed; names the field.
        """

    def risk(self, client_id: str) -> View:
        """Return the client's limits with their use and state, and what stops its entries.

        Raises:
            NotFound: no such client.
        """

    def pnl(self, client_id: str) -> View:
        """Return the client's profit and loss of the trading day. Raises as `risk` does."""

    def flatten(self, client_id: str, strategy_name: str | None, symbol: str | None, by: str) -> list[Order]:
        """Ask for exits of what is open; returns their rows.

        Raises:
            NotFound: no such client.
            PositionsNeverRead: what is open is not known.
        """

    def planned_exits(self, client_id: str, symbol: str | None) -> list[PlannedExit]:
        """List the exits that close what the client has open, or what it has of one symbol.

        Raises:
            NotFound: no such client, or its positions were never read.
        """

    def exit_planned(self, planned: PlannedExit, *, id_: str, by: str) -> Order:
        """Ask for an exit and return its row. The same `id_` again asks for nothing more."""

    def set_state(
        self, client_id: str, strategy_name: str | None, state: AccountState, by: str, reason: str
    ) -> None:
        """Let entries of a client, or of one of its strategies, go on, only reduce, or stop.

        Raises:
            NotFound: no such client.
        """

    def set_mark(self, client_id: str, exchange: str, symbol: str, price: Decimal) -> None:
        """Set the last price of a simulated market.

        Raises:
            NotFound: no such client, or its broker has no marks.
        """


Modes = Mapping[str, TradingMode | None]
"""The clients, the default client first, and what happens to their orders (None: not known)."""
