"""Reads that say since when our clock was not set, so that what they prove waits for time that has really passed."""

from collections.abc import Sequence
from dataclasses import replace

from domain.broker_capabilities import BrokerTraits
from domain.broker_reports import Book, OrderRef, PositionsSnapshot
from domain.commands import OrderResult, UniversalOrderCommand
from domain.ports import Broker, Steadiness


class BrokerWithSteadyReads:
    """A broker whose reads carry since when the machine's clock was not set. It passes everything else on."""

    def __init__(self, decorated: Broker, steadiness: Steadiness) -> None:
        self.decorated = decorated
        self._steadiness = steadiness

    @property
    def traits(self) -> BrokerTraits:
        """Those of the broker."""
        return self.decorated.traits

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Place an order. Raises as the port says."""
        return self.decorated.place(command)

    def cancel(self, ref: OrderRef) -> None:
        """Request a cancel. Raises as the port says."""
        self.decorated.cancel(ref)

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """Read the order book. Raises as the port says."""
        book = self.decorated.read_book(wanted, urgent=urgent)
        return replace(book, steady_since=self._steadiness.since())

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """Read all positions. Raises as the port says."""
        snapshot = self.decorated.read_positions(urgent=urgent)
        return replace(snapshot, steady_since=self._steadiness.since())
