"""Test mode: a simulated answer and report in place of the broker's, so that an alert goes the whole way safely.

Both depend on the order alone. They are the same after a restart, and no broker is called.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from domain.broker_capabilities import BrokerTraits
from domain.broker_reports import Book, BrokerStatus, OrderRef, OrderReport, PositionsSnapshot
from domain.commands import OrderResult, UniversalOrderCommand
from domain.enums import TestMode
from domain.errors import Refused
from domain.money import ZERO
from domain.ports import Broker, Clock

_CODE = "TEST_MODE"
_REASON = "simulated failure"


class BrokerWithTestMode:
    """A broker that answers for orders in test mode itself, and passes everything else on.

    This is the only place that chooses between a simulated answer and the broker's. Every client's broker is in one.
    """

    def __init__(self, decorated: Broker, clock: Clock) -> None:
        self.decorated = decorated
        self._clock = clock

    @property
    def traits(self) -> BrokerTraits:
        """Those of the broker."""
        return self.decorated.traits

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Place an order, or simulate the answer to one in test mode. Raises as the port says."""
        if command.test_mode is not None:
            return simulated_result(command)
        return self.decorated.place(command)

    def cancel(self, ref: OrderRef) -> None:
        """Request a cancel. Raises as the port says.

        An order in test mode has ended as soon as it was placed, so there is nothing to cancel: `Refused`.
        """
        if ref.test_command is not None:
            raise Refused("an order in test mode rests at no broker", "ORDER_NOT_FOUND")
        self.decorated.cancel(ref)

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """Read the order book, with a simulated report of each wanted order in test mode.

        Where only such orders are wanted the broker is not called, so such a read never fails and uses no call.

        Raises:
            ReadFailed: the broker's book could not be read.
        """
        simulated = tuple(
            simulated_report(ref.test_command) for ref in wanted if ref.test_command is not None
        )
        real = [ref for ref in wanted if ref.test_command is None]
        if simulated and not real:
            return Book(self._clock.now(), simulated, complete=True)
        book = self.decorated.read_book(real, urgent=urgent)
        return replace(book, reports=(*book.reports, *simulated)) if simulated else book

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """Read all positions; an order in test mode changes none of them. Raises as the port says."""
        return self.decorated.read_positions(urgent=urgent)


def refuse_test_mode(command: UniversalOrderCommand) -> None:
    """Raise `Refused` for a command in test mode, which no adapter may send whatever stands before it."""
    if command.test_mode is not None:
        raise Refused("the order is in test mode: it is never sent to a broker", _CODE)


def simulated_result(command: UniversalOrderCommand) -> OrderResult:
    """Return the answer to a command in test mode.

    Raises:
        Refused: the test mode is that of a failure.
        ValueError: the command is not in test mode, so only a broker can answer it.
    """
    if _mode(command) is TestMode.FAILURE:
        raise Refused(_REASON, _CODE)
    return OrderResult(f"TEST-{command.client_order_id}")


def simulated_report(command: UniversalOrderCommand) -> OrderReport:
    """Return what the order book would report of an order in test mode: completely filled, or rejected.

    Raises:
        ValueError: the order is not in test mode, so only a broker knows of it.
    """
    filled = _mode(command) is TestMode.SUCCESS
    return OrderReport(
        broker_order_id=f"TEST-{command.client_order_id}",
        client_order_id=command.client_order_id,
        status=BrokerStatus.COMPLETE if filled else BrokerStatus.REJECTED,
        exchange=command.exchange,
        symbol=command.symbol,
        side=command.side,
        quantity=command.quantity,
        filled_quantity=command.quantity if filled else ZERO,
        average_price=_price(command) if filled else None,
        reason="" if filled else _REASON,
        code="" if filled else _CODE,
    )


def _mode(command: UniversalOrderCommand) -> TestMode:
    if command.test_mode is None:
        raise ValueError(f"{command.command_id} is not in test mode")
    return command.test_mode


def _price(command: UniversalOrderCommand) -> Decimal:
    """Return the first price that the order names, or 1."""
    return command.price or command.reference_price or command.trigger_price or Decimal(1)
