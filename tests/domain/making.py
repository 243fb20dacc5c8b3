"""An order in any phase, with everything that such an order must have."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domain.enums import ExecutionType, OrderType, Side
from domain.order import Order
from domain.states import STATUS_OF, Phase

AT = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
SENT = AT + timedelta(seconds=1)

_NEVER_SENT = {Phase.REGISTERED, Phase.BLOCKED, Phase.LAPSED}
_WITHOUT_ID = {*_NEVER_SENT, Phase.SUBMITTING, Phase.UNKNOWN, Phase.REFUSED, Phase.ABSENT}


def an_order(phase: Phase = Phase.REGISTERED, **changes: object) -> Order:
    """A limit order for 50 that was registered at AT and, if it was sent at all, sent at SENT."""
    filled = {Phase.PARTIALLY_FILLED: Decimal(20), Phase.FILLED: Decimal(50)}.get(phase, Decimal(0))
    values: dict[str, object] = {
        "command_id": "01kahy2r3c0000000000000000-1",
        "alert_id": "01kahy2r3c0000000000000000",
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
        "client_order_id": "owabcdefghijklmnopqr",
        "created_at": AT,
        "expires_at": AT + timedelta(minutes=5),
        "status": STATUS_OF[phase],
        "phase": phase,
        "broker_order_id": None if phase in _WITHOUT_ID else "B1",
        "filled_quantity": filled,
        "average_price": Decimal(112) if filled else None,
        "sent_at": None if phase in _NEVER_SENT else SENT,
        "claimed_by": None if phase in _NEVER_SENT else "watcher-1",
        "attempts": int(phase not in _NEVER_SENT),
        "updated_at": SENT,
    }
    return Order(**(values | changes))  # type: ignore[arg-type]
