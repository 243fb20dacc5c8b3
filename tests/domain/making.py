"""An order in any phase, with everything that such an order must have."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domain.order import Order
from domain.states import STATUS_OF, Phase
from tests.orders import an_entry_order

AT = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
SENT = AT + timedelta(seconds=1)

_NEVER_SENT = {Phase.REGISTERED, Phase.BLOCKED, Phase.LAPSED}
_WITHOUT_ID = {*_NEVER_SENT, Phase.SUBMITTING, Phase.UNKNOWN, Phase.REFUSED, Phase.ABSENT}


def an_order(phase: Phase = Phase.REGISTERED, **changes: object) -> Order:
    """A limit order for 50 that was registered at AT and, if it was sent at all, sent at SENT."""
    filled = {Phase.PARTIALLY_FILLED: Decimal(20), Phase.FILLED: Decimal(50)}.get(phase, Decimal(0))
    values: dict[str, object] = {
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
    alert_id = "01kahy2r3c0000000000000000"
    return an_entry_order(alert_id, f"{alert_id}-1", "owabcdefghijklmnopqr", AT, **(values | changes))
