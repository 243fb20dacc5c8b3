"""What the orders database knows of prices and equity, for who only looks: opened when it is first asked."""

from collections.abc import Callable

from domain.broker_reports import PositionsSnapshot
from domain.marks import Mark
from domain.ports.sizing import SizingReads
from domain.sizing import Equity


class NoPrices:
    """Nothing is known."""

    def marks(self, client_id: str) -> list[Mark]:
        """None is kept."""
        return []

    def saved_positions(self, client_id: str) -> PositionsSnapshot | None:
        """They were never read."""
        return None

    def equity(self, client_id: str) -> Equity | None:
        """It was never read."""
        return None


class PricesWhenAsked:
    """Opens what is read when it is first asked: most alerts need none of it."""

    def __init__(self, reads: Callable[[], SizingReads]) -> None:
        self._open = reads
        self._opened: SizingReads | None = None

    @property
    def _reads(self) -> SizingReads:
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def marks(self, client_id: str) -> list[Mark]:
        """See `domain.ports.Store`."""
        return self._reads.marks(client_id)

    def saved_positions(self, client_id: str) -> PositionsSnapshot | None:
        """See `domain.ports.Store`."""
        return self._reads.saved_positions(client_id)

    def equity(self, client_id: str) -> Equity | None:
        """See `domain.ports.Store`."""
        return self._reads.equity(client_id)
