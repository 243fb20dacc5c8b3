"""A real broker whose adapter is not built yet: known, never sent anything, never read."""

from collections.abc import Sequence
from typing import NoReturn

from domain.commands import OrderResult, UniversalOrderCommand
from domain.errors import NotSent, ReadFailed, Refused
from domain.reports import Book, BrokerTraits, IdClass, OrderRef, PositionsSnapshot


class UnavailableBroker:
    """Stands where an adapter will be. It counts as real, so that LIVE_TRADING rules apply to it."""

    def __init__(self, name: str) -> None:
        self.traits = BrokerTraits(name=name, is_real=True, id_class=IdClass.C0)

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Raises: NotSent, always."""
        raise NotSent(f"the {self.traits.name} adapter is not built yet")

    def cancel(self, ref: OrderRef) -> None:
        """Raises: Refused, always."""
        raise Refused(f"the {self.traits.name} adapter is not built yet")

    def read_book(self, wanted: Sequence[OrderRef]) -> Book:
        """Raises: ReadFailed, always."""
        self._unreadable()

    def read_positions(self) -> PositionsSnapshot:
        """Raises: ReadFailed, always."""
        self._unreadable()

    def _unreadable(self) -> NoReturn:
        raise ReadFailed(f"the {self.traits.name} adapter is not built yet")
