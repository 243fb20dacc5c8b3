"""The interfaces that the console needs: a reader of orders.db, and the actions of an operator."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any, Protocol, TypedDict

from command_service import ResolvedFill
from domain.adoption import Adoption, AdoptionRequest
from domain.broker_reports import UnreadableRow
from domain.daily_loss import Lift
from domain.states import Status
from domain.unconfigured_clients import UnconfiguredRows

Row = dict[str, Any]
"""A row as it stands in orders.db: times are ISO-8601 UTC text, money and quantities decimal text."""


class TradingMode(StrEnum):
    """What happens to a client's orders."""

    SIMULATED = "simulated"
    LIVE = "live"
    DRY = "live trading off"  # a real broker that is sent nothing


class Wanted(TypedDict, total=False):
    """A filter for orders; in its texts `*` stands for anything."""

    status: Status
    symbol: str
    strategy_name: str
    client_id: str
    since: datetime  # created at or after
    until: datetime  # created before


class ConsoleReader(Protocol):
    """Queries on orders.db. Each raises `StoreUnavailable` when the database cannot be read."""

    def ping(self) -> None:
        """Return when the database answers."""

    def orders(
        self, wanted: Wanted, *, limit: int, cursor: str | None = None
    ) -> tuple[list[Row], str | None]:
        """Return matching orders, newest first, and the cursor of the next page (None on the last page).

        Raises:
            ValueError: the cursor is not a valid one.
        """

    def counts(self, wanted: Wanted) -> dict[str, int]:
        """Count the matching orders of each status; the status in the filter is ignored."""

    def story(self, command_id: str) -> Row | None:
        """Return `order`, `events`, `intent`, `alert`, `messages` and `siblings` of one order; None: no such order."""

    def strategies(self, client_id: str) -> list[str]:
        """List the strategies that have orders of the client, by name."""

    def signals(self, *, since: datetime, settled_before: datetime, side: str | None, limit: int) -> Row:
        """Return `counts` over all signals of the window, the newest `signals` and the newest `violations`."""

    def heartbeats(self) -> list[Row]: ...

    def exposed(self) -> dict[str, str]: ...

    def accounts(self) -> list[Row]: ...

    def halts(self) -> list[Row]: ...

    def positions(self) -> list[Row]: ...

    def unreadable_positions(self) -> Mapping[str, Sequence[UnreadableRow]]:
        """Return, by client, the rows of its last positions read that could not be parsed."""

    def holdings(self) -> list[Row]: ...

    def unconfigured(self, configured: Collection[str], served_since: datetime) -> list[UnconfiguredRows]:
        """Return what clients have open that are not configured.

        A client for which a watcher has given a heartbeat since `served_since` is left out.
        """

    def unknown_orders(self) -> list[Row]: ...

    def frozen_orders(self, sent_before: datetime, *, limit: int = 500) -> list[Row]:
        """List orders that have been SENT_TO_BROKER since before `sent_before`, oldest first.

        Each row has `sent_to_broker_at` and `why`.
        """

    def frozen_count(self, sent_before: datetime) -> int:
        """Count all orders that have been SENT_TO_BROKER since before `sent_before`."""

    def position_differences(self) -> list[Row]:
        """List the positions whose difference from our strategies' holdings was notified and still stands."""

    def outbox(self) -> Row:
        """Return `pending`, the number of waiting messages, and `oldest`, the time of the oldest (None: none)."""


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

    def set_mark(self, client_id: str, exchange: str, symbol: str, price: Decimal) -> None:
        """Set the last price of a simulated market.

        Raises:
            NotFound: no such client, or its broker has no marks.
        """


Modes = Mapping[str, TradingMode | None]
"""The clients, the default client first, and what happens to their orders (None: not known)."""
