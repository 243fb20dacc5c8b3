"""Holdings of our strategies, positions at the broker, and their differences."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from domain.adoption import Adoption, AdoptionFacts
from domain.broker_reports import PositionsSnapshot
from domain.daily_loss import DayLoss
from domain.enums import Side
from domain.position_comparison import Difference, Place
from domain.risk_facts import Holding


class HoldingReads(Protocol):
    """What strategies hold, and where the broker differs."""

    def holdings(self, client_id: str) -> list[Holding]: ...

    def last_fill_at(
        self, client_id: str, symbol: str, side: Side | None = None, product: str | None = None
    ) -> datetime | None:
        """Return when a fill in the symbol was last recorded, of that side and product or of any."""

    def told_differences(self, client_id: str) -> list[Difference]:
        """List the positions' differences that were notified and still exist."""

    def differences_since(self, client_id: str) -> dict[Place, datetime]:
        """Return since when reads have shown each notified difference without a gap."""

    def has_disputed(self, client_id: str, since: datetime) -> bool:
        """Return True when reads have shown a difference since `since`, and it is not believed yet."""

    def may_forget(self, client_id: str, exchange: str, symbol: str) -> bool:
        """Return True when something was recorded that may explain why the broker shows the symbol flat."""


class PositionStore(Protocol):
    """What was last read of the broker's positions, and of the day's profit and loss."""

    def saved_positions(self, client_id: str) -> PositionsSnapshot | None:
        """Return the positions as last read, with the time of that read; None when they were never read."""

    def save_positions(
        self,
        client_id: str,
        snapshot: PositionsSnapshot,
        day: date,
        *,
        day_starts: datetime | None = None,
        compared_at: datetime | None = None,
    ) -> None:
        """Save a successful read: positions, profit and loss, and their effect on the day's loss.

        Without `day_starts` nothing counts as the day before's: the whole profit and loss counts as today's.
        `compared_at`: when an earlier read was last compared with the holdings. None leaves the saved time as it is.
        """

    def save_read_error(self, client_id: str, at: datetime, error: str) -> None:
        """Record that the broker could not be read; the positions saved before stay, with their time."""

    def day_loss(self, client_id: str) -> DayLoss | None:
        """Return the trading day's profit and loss; None while positions were never read."""


class HoldingWrites(Protocol):
    """Holdings and differences, in a transaction."""

    def holding(self, client_id: str, strategy_name: str, exchange: str, symbol: str) -> list[Holding]: ...

    def held_as_asked(
        self, client_id: str, strategy_name: str, asked: str, side: Side | None = None
    ) -> list[tuple[str, str]]:
        """List where the strategy holds what an entry of its asked for by this exchange and name: exchange and symbol.

        `side`: of the entry; None: of either side.

        It costs more the more orders there are: ask only where an exit has nothing to close.
        """

    def held_at(self, client_id: str, place: Place) -> Decimal:
        """Return what all strategies together hold there."""

    def clear_holdings(
        self,
        client_id: str,
        *,
        symbol: str | None = None,
        exchange: str | None = None,
        strategy_name: str | None = None,
        settled_before: datetime | None = None,
    ) -> int:
        """Delete the holdings of strategies; returns how many were deleted.

        With `settled_before`, only in symbols without a fill since then and without an order at the broker.
        """

    def told_difference(self, client_id: str, place: Place) -> Difference | None:
        """Return the position's difference that was notified and still exists."""

    def keep_difference(
        self, client_id: str, difference: Difference, since: datetime, at: datetime, *, believed: bool = True
    ) -> None:
        """Record a difference in place of the one that was notified there before; a difference of zero is deleted.

        `believed`: units that the broker has more, on the same side, are believed at once.
        """

    def believe_differences(
        self, client_id: str, since: datetime, standing: Mapping[Place, Decimal], *, now: datetime
    ) -> None:
        """Believe differences that have lasted since `since` and that all reads have shown (`standing`, by place).

        The broker's position is then expected to differ by them. Orders by hand that were known some time before `now`
        are in them, and count no more by themselves.
        """

    def forget_symbol(self, client_id: str, exchange: str, symbol: str) -> None:
        """Forget the differences of a symbol that is flat, and what external orders did to its position."""

    def by_hand(self, client_id: str, exchange: str, symbol: str) -> Decimal:
        """Return the effect of external orders on the position that no believed difference explains yet."""

    def is_closed_by_others(
        self, client_id: str, exchange: str, symbol: str, held: Mapping[str, Decimal]
    ) -> bool:
        """Return True if others have closed all that strategies hold there (signed units, by product).

        What was there before our last fill closes nothing of ours, nor does a hand that sells what it had bought.
        """

    def believed(self, client_id: str, exchange: str, symbol: str) -> Decimal:
        """Return by how much the broker's position is believed to differ from what strategies hold."""

    def adoption_facts(self, client_id: str, symbol: str, now: datetime) -> AdoptionFacts:
        """Return what must be known before units of the symbol become a strategy's holding."""

    def keep_adoption(self, adoption: Adoption) -> None:
        """Record an adoption permanently, with its effect on holdings and on differences."""
