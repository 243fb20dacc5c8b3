"""A client's broker."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from domain.broker_capabilities import BrokerTraits
from domain.broker_reports import Book, OrderRef, PositionsSnapshot
from domain.commands import OrderResult, UniversalOrderCommand


class Broker(Protocol):
    """One client's broker. Every call is bounded in time by the adapter's own timeouts.

    Order calls raise only `NotSent`, `Refused` or `OutcomeUnknown`; reads raise only `ReadFailed`.
    """

    @property
    def traits(self) -> BrokerTraits:
        """What the adapter declares about the broker."""

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Place an order, once.

        Raises:
            NotSent: the request provably never left us, or with `look_first` the broker said that it turned it away.
            Refused: the broker provably refused this request.
            OutcomeUnknown: anything else.
        """

    def cancel(self, ref: OrderRef) -> None:
        """Request a cancel; only the order book shows its result. Raises the same errors as `place`."""

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """Read the order book: at least all that the broker knows of `wanted`, closed orders too.

        Args:
            urgent: an exit waits for this read. Where calls are rationed, it must not wait for others.

        Raises:
            ReadFailed: the book could not be read.
        """

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """Read all positions.

        Args:
            urgent: an exit is sized from them. Where calls are rationed, this read must not wait for others.

        Raises:
            ReadFailed: they could not be read.
        """


class MarkSetter(Protocol):
    """A setter for the last prices of a simulated market; only simulated brokers have one."""

    def set_mark(self, exchange: str, symbol: str, price: Decimal) -> None: ...
