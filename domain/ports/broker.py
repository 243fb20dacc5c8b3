"""A client's broker: the port that every broker has, and the ports of what only some can do."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from domain.broker_capabilities import BrokerTraits, Capability
from domain.broker_reports import Book, OrderRef, OrderReport, PositionsSnapshot
from domain.commands import OrderResult, UniversalOrderCommand
from domain.errors import BrokerError
from domain.instruments.instrument import Instrument
from domain.marks import Mark


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
        """Read all positions, shares that were delivered on earlier days included.

        Args:
            urgent: an exit is sized from them. Where calls are rationed, this read must not wait for others.

        Raises:
            ReadFailed: they could not be read.
        """


class BatchPlacer(Protocol):
    """Places many orders at once."""

    def place_together(
        self, groups: Sequence[Sequence[UniversalOrderCommand]]
    ) -> list[list[OrderResult | BrokerError]]:
        """Place each order, once; return for each what `Broker.place` would return or raise.

        A group ends with its first refusal: what follows in it is not placed (`NotSent`). As a whole it is bounded in
        time as a single call is, and raises nothing.
        """


class OrderModifier(Protocol):
    """Changes resting orders."""

    def modify(self, broker_order_id: str, command: UniversalOrderCommand) -> None:
        """Modify an order to match `command`, whose quantity is that of the whole order. Raises as `place` does."""


class OrderLookUp(Protocol):
    """Looks up one order."""

    def order_history(self, broker_order_id: str) -> tuple[OrderReport, ...]:
        """Read every state of the order, newest first. Raises `ReadFailed`."""


class QuoteReader(Protocol):
    """Reads prices."""

    def last_price(self, exchange: str, token: str) -> Decimal:
        """Read the last traded price of the symbol with this token of the broker's. Raises `ReadFailed`."""

    def price_of(self, instrument: Instrument) -> Decimal:
        """Read the last traded price of an instrument of the broker's own list. Raises `ReadFailed`."""


class OrderStream(Protocol):
    """Order updates that a broker sends by itself, in threads of its own."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


class StreamSource(Protocol):
    """Opens order streams. They only give speed: the order book stays the truth."""

    def updates(self, nudge: Callable[[], None]) -> OrderStream | None:
        """Return a stream that is not started yet and calls `nudge` when an order has changed; None: none is set up."""


class MarkReader(Protocol):
    """Reads last prices by symbol, at no cost to a rate budget."""

    def last_marks(self, places: Sequence[tuple[str, str]]) -> list[Mark]:
        """Return the last prices of these places (exchange, symbol) as far as there are any. Raises `ReadFailed`."""


class EquityReader(Protocol):
    """Reads what an account is worth."""

    def read_equity(self) -> tuple[Decimal, str]:
        """Return the amount by which entries may be sized, and in words what it is. Raises `ReadFailed`."""


class MarkSetter(Protocol):
    """Sets the last prices of a simulated market."""

    def set_mark(self, exchange: str, symbol: str, price: Decimal) -> None:
        """Set the last price of a symbol. Raises as `Broker.place` does."""


@dataclass(frozen=True, slots=True)
class ClientBroker:
    """One client's broker: `port`, and an interface for each capability; None: it does not have this one.

    Whoever needs a capability asks for its interface here, and never which broker it is.
    """

    port: Broker
    modify: OrderModifier | None = None
    look_up: OrderLookUp | None = None
    quotes: QuoteReader | None = None
    stream: StreamSource | None = None
    batches: BatchPlacer | None = None
    set_mark: MarkSetter | None = None
    marks: MarkReader | None = None
    equity: EquityReader | None = None

    @property
    def capabilities(self) -> frozenset[Capability]:
        """The capabilities that it has an interface for."""
        interfaces = {
            Capability.MODIFY: self.modify,
            Capability.LOOK_UP: self.look_up,
            Capability.QUOTES: self.quotes,
            Capability.STREAM: self.stream,
            Capability.BATCHES: self.batches,
            Capability.SET_MARK: self.set_mark,
            Capability.MARKS: self.marks,
            Capability.EQUITY: self.equity,
        }
        return frozenset(name for name, interface in interfaces.items() if interface is not None)
