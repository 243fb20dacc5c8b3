"""The request that a broker receives for an order, and its acknowledgement."""

from dataclasses import dataclass
from decimal import Decimal

from domain.enums import ExecutionType, OrderType, Side, TestMode
from domain.exit_chase import chase_of
from domain.order import Order


@dataclass(frozen=True, slots=True)
class UniversalOrderCommand:
    """The immutable request to a broker for one order. Every order is sent as one.

    `client_order_id` is derived from the order's intent and was durable before this command existed.
    """

    command_id: str
    client_order_id: str
    client_id: str
    execution_type: ExecutionType
    exchange: str
    symbol: str
    side: Side
    quantity: Decimal
    product: str
    order_type: OrderType
    price: Decimal | None
    trigger_price: Decimal | None
    reference_price: Decimal | None = None
    test_mode: TestMode | None = None
    worst_price: Decimal | None = None  # of an exit at market: no limit that replaces it lies beyond

    @classmethod
    def of(cls, order: Order) -> "UniversalOrderCommand":
        """Make the command that requests this order."""
        return cls(
            command_id=order.command_id,
            client_order_id=order.client_order_id,
            client_id=order.client_id,
            execution_type=order.execution_type,
            exchange=order.exchange,
            symbol=order.symbol,
            side=order.side,
            quantity=order.quantity,
            product=order.product,
            order_type=order.order_type,
            price=order.price,
            trigger_price=order.trigger_price,
            reference_price=order.reference_price,
            test_mode=order.test_mode,
            worst_price=chase_of(order).worst,
        )


@dataclass(frozen=True, slots=True)
class OrderResult:
    """The broker's acknowledgement of an order, with its id there.

    `duplicate`: the broker had the order already. `detail`: how the order was sent, where not as the command says.
    """

    broker_order_id: str
    duplicate: bool = False
    detail: str | None = None
