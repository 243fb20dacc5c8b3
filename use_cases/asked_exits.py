"""Exits at market that the program itself asks for: a protection, a limit or a group of legs decides that, and when."""

from datetime import datetime, timedelta
from decimal import Decimal

from domain.enums import ExecutionType, OrderType, Side, TestMode
from domain.ids import client_order_id
from domain.money import ZERO
from domain.order import Order
from use_cases.register_order import life_of


def market_exit(
    intent: str,
    command_id: str,
    *,
    client_id: str,
    strategy_name: str,
    exchange: str,
    symbol: str,
    side: Side,
    units: Decimal | None,
    product: str,
    at: datetime,
    requested_side: Side | None,
    requested_product: str | None = None,
    test_mode: TestMode | None = None,
) -> Order:
    """Return the order of an exit that bears its own id as its alert's, before it is registered.

    Args:
        intent: what asked for it; its client order id follows from that, so that it is never asked for twice.
        units: how many at most; None: all that its strategy holds there.
        requested_side, requested_product: what it may close; None: whatever is there.
    """
    return Order(
        command_id=command_id,
        alert_id=command_id,
        leg_index=0,
        client_id=client_id,
        strategy_name=strategy_name,
        execution_type=ExecutionType.EXIT,
        exchange=exchange,
        symbol=symbol,
        side=side,
        quantity=units or ZERO,
        requested_quantity=units,
        product=product,
        order_type=OrderType.MARKET,
        price=None,
        trigger_price=None,
        reference_price=None,
        test_mode=test_mode,
        client_order_id=client_order_id(intent),
        created_at=at,
        expires_at=at + life_of(ExecutionType.EXIT, timedelta(0)),
        requested_side=requested_side,
        requested_product=requested_product,
    )
