"""What the console needs: a reader of orders.db, and somebody who carries out an operator's wishes."""

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

    PAPER = "paper"
    LIVE = "live"
    DRY = "live trading off"  # a real broker that is sent nothing


class Wanted(TypedDict, total=False):
    """Which orders are asked for; in a text `*` stands for anything."""

    status: Status
    symbol: str
    strategy_name: str
    client_id: str
    since: datetime  # created at or after
    until: datetime  # created before


class ConsoleReader(Protocol):
    """Questions to orders.db. Each raises `StoreUnavailable` when it cannot be read."""

    def ping(self) -> None:
        """Return when the database answers."""

    def orders(
        self, wanted: Wanted, *, limit: int, cursor: str | None = None
    ) -> tuple[list[Row], str | None]:
        """Orders that fit, newest first, and the cursor of the next page, None on the last.

        Raises:
            ValueError: the cursor is none.
        """

    def counts(self, wanted: Wanted) -> dict[str, int]:
        """How many orders fit in each status; the status that is wanted is left aside."""

    def story(self, command_id: str) -> Row | None:
        """`order`, `events`, `intent`, `alert`, `messages` and `siblings` of one order; None: no such order."""

    def strategies(self, client_id: str) -> list[str]:
        """The strategies of which the client has orders, by name."""

    def signals(self, *, since: datetime, settled_before: datetime, side: str | None, limit: int) -> Row:
        """`counts` over all signals of the window, the newest `signals` and the newest `violations`."""

    def heartbeats(self) -> list[Row]: ...

    def exposed(self) -> dict[str, str]: ...

    def accounts(self) -> list[Row]: ...

    def halts(self) -> list[Row]: ...

    def positions(self) -> list[Row]: ...

    def unreadable_positions(self) -> Mapping[str, Sequence[UnreadableRow]]:
        """By client, the rows of the last read of its positions that could not be made out."""

    def holdings(self) -> list[Row]: ...

    def unconfigured(self, configured: Collection[str], served_since: datetime) -> list[UnconfiguredRows]:
        """What clients that are not configured have open, those left out that a watcher has served since then."""

    def unknown_orders(self) -> list[Row]: ...

    def frozen_orders(self, sent_before: datetime, *, limit: int = 500) -> list[Row]:
        """Orders that are SENT_TO_BROKER since before then, oldest first, with `sent_to_broker_at` and `why`."""

    def frozen_count(self, sent_before: datetime) -> int:
        """How many of them there are, all counted."""

    def position_differences(self) -> list[Row]:
        """Positions that are not as our strategies hold them, as they were told and still stand."""

    def outbox(self) -> Row:
        """`pending`, how many messages wait, and `oldest`, since when."""


class ConsoleControl(Protocol):
    """What an operator may do from here. Each raises `StoreUnavailable` when nothing was kept."""

    def halt(self, client_id: str, strategy_name: str | None, by: str, reason: str) -> None:
        """Stop new entries of a client, or of one of its strategies.

        Raises:
            NotFound: no such client.
        """

    def resume(self, client_id: str, strategy_name: str | None, by: str) -> bool:
        """Lift a halt; False when nothing was halted there."""

    def lift(self, client_id: str, by: str, reason: str) -> Lift:
        """Let entries go on after the daily loss limit was hit; what was lifted.

        Raises:
            NotFound: no such client.
            NothingToLift: no limit is latched, or the day's profit and loss is not known.
        """

    def adopt(self, request: AdoptionRequest) -> Adoption:
        """Make units of the account that no strategy holds one strategy's holding.

        Raises:
            NotFound: no such client.
            InvalidAdoption: the request cannot be understood as it is; names the field.
            AdoptionNotPossible: not as things are at present; names the field, and what to do.
        """

    def resolve(
        self, command_id: str, *, by: str, executed: ResolvedFill | None, failed_reason: str | None
    ) -> None:
        """Say what became of an order of unknown outcome: how it was filled, or why the broker does not have it.

        Raises:
            NotFound: no such order.
            ConcurrentUpdate: its outcome is not unknown.
            InvalidResolution: the fill does not fit the order; names the field.
        """

    def cancel(self, command_id: str, *, by: str, reason: str) -> None:
        """Take an order back: one that was not sent ends at once, of a live one the broker is asked.

        Raises:
            NotFound: no such order.
            ConcurrentUpdate: it cannot be cancelled as it stands; says why.
        """

    def set_mark(self, client_id: str, exchange: str, symbol: str, price: Decimal) -> None:
        """Set the last price of a simulated market.

        Raises:
            NotFound: no such client, or its broker has no marks.
        """


Modes = Mapping[str, TradingMode | None]
"""The clients, the first of them the default, and what happens to their orders (None: not said)."""
