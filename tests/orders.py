"""The order that most tests begin with."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.enums import ExecutionType, OrderType, Side
from domain.order import Order


def an_entry_order(
    alert_id: str, command_id: str, client_order_id: str, at: datetime, /, **changes: Any
) -> Order:
    """An entry to buy 50 at a limit, registered at that time and given up five minutes later; `changes` come last."""
    values: dict[str, Any] = {
        "command_id": command_id,
        "alert_id": alert_id,
        "leg_index": 0,
        "client_id": "default",
        "strategy_name": "STRADDLE",
        "execution_type": ExecutionType.ENTRY,
        "exchange": "NFO",
        "symbol": "NIFTY26NOV24500CE",
        "side": Side.BUY,
        "quantity": Decimal(50),
        "requested_quantity": Decimal(50),
        "product": "MIS",
        "order_type": OrderType.LIMIT,
        "price": Decimal("112.5"),
        "trigger_price": None,
        "reference_price": None,
        "test_mode": None,
        "client_order_id": client_order_id,
        "created_at": at,
        "expires_at": at + timedelta(minutes=5),
    }
    return Order(**(values | changes))
