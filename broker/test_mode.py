"""Test mode: a simulated answer and report in place of the broker's, so that an alert goes the whole way safely.

Both depend on the order alone. They are the same after a restart, and no broker is called.
"""

from decimal import Decimal

from domain.broker_reports import BrokerStatus, OrderReport
from domain.commands import OrderResult, UniversalOrderCommand
from domain.enums import TestMode
from domain.errors import Refused
from domain.money import ZERO
from domain.order import Order

_CODE = "TEST_MODE"
_REASON = "simulated failure"


def simulated_result(command: UniversalOrderCommand) -> OrderResult:
    """Return the answer to a command in test mode.

    Raises:
        Refused: the test mode is that of a failure.
        ValueError: the command is not in test mode, so only a broker can answer it.
    """
    if _mode(command) is TestMode.FAILURE:
        raise Refused(_REASON, _CODE)
    return OrderResult(f"TEST-{command.client_order_id}")


def simulated_report(order: Order) -> OrderReport:
    """Return what the order book would report of an order in test mode: completely filled, or rejected.

    Raises:
        ValueError: the order is not in test mode, so only a broker knows of it.
    """
    filled = _mode(order) is TestMode.SUCCESS
    return OrderReport(
        broker_order_id=f"TEST-{order.client_order_id}",
        client_order_id=order.client_order_id,
        status=BrokerStatus.COMPLETE if filled else BrokerStatus.REJECTED,
        exchange=order.exchange,
        symbol=order.symbol,
        side=order.side,
        quantity=order.quantity,
        filled_quantity=order.quantity if filled else ZERO,
        average_price=_price(order) if filled else None,
        reason="" if filled else _REASON,
        code="" if filled else _CODE,
    )


def _mode(asked: UniversalOrderCommand | Order) -> TestMode:
    if asked.test_mode is None:
        raise ValueError(f"{asked.command_id} is not in test mode")
    return asked.test_mode


def _price(order: Order) -> Decimal:
    """Return the first price that the order names, or 1."""
    return order.price or order.reference_price or order.trigger_price or Decimal(1)
