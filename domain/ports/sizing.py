"""What entries are sized by, and where the exit of a template finds what it closes."""

from typing import Protocol

from domain.broker_reports import PositionsSnapshot
from domain.enums import Side
from domain.marks import Mark
from domain.sizing import Equity


class EquityReads(Protocol):
    """What was read of an account."""

    def equity(self, client_id: str) -> Equity | None:
        """Return the last equity that was read of a client; None while none was."""


class SizingReads(EquityReads, Protocol):
    """What is read to size an entry, and to choose a strike; each read may raise `StoreUnavailable`."""

    def marks(self, client_id: str) -> list[Mark]: ...

    def saved_positions(self, client_id: str) -> PositionsSnapshot | None: ...


class SizingWrites(Protocol):
    """The same, in a transaction."""

    def keep_equity(self, client_id: str, read: Equity) -> None:
        """Keep an equity in place of the one before."""

    def open_as_asked(
        self, client_id: str, strategy_name: str, asked: str, side: Side | None = None
    ) -> list[tuple[str, str]]:
        """List where an entry that asked for this exchange and name has not ended: exchange and symbol.

        Args:
            side: of the entry; None: of either side.
        """
