"""An alert as it was delivered, and as it was parsed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum


class ExecutionType(StrEnum):
    """What an alert's legs do to the position."""

    ENTRY = "ENTRY"  # opens
    EXIT = "EXIT"  # reduces, never opens
    ADJUST = "ADJUST"  # exits first, then entries, as one


class Side(StrEnum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell: multiply by it to get a signed quantity."""
        return 1 if self is Side.BUY else -1

    @property
    def opposite(self) -> "Side":
        """The other side, which undoes this one."""
        return Side.SELL if self is Side.BUY else Side.BUY


class OrderType(StrEnum):
    MARKET = "MARKET"
    LIMIT = "LIMIT"
    STOP = "STOP"  # becomes a market order once the trigger price trades
    STOP_LIMIT = "STOP_LIMIT"


class TestMode(StrEnum):
    """Process the alert in full, but with a simulated answer in place of the broker's."""

    __test__ = False  # not a test class, whatever its name suggests to a collector

    SUCCESS = "SUCCESS"
    FAILURE = "FAILURE"


class Outcome(StrEnum):
    """The outcome of one delivery."""

    ACCEPTED = "accepted"
    BLOCKED = "blocked"
    PARTIALLY_BLOCKED = "partially_blocked"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"  # authenticated and stored, but not tradable


class DecisionType(StrEnum):
    """The decision about an alert or a leg, for diagnostics."""

    EXECUTED = "EXECUTED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


@dataclass(frozen=True, slots=True)
class LegRequest:
    """One instruction inside an alert, validated.

    - `quantity`: in units of the symbol. None only on an EXIT, where it means "all of it".
    - `side`: None only on an EXIT, whose side then comes from the position.
    - `product`: empty only on an EXIT of any product.
    - `reference_price`: the price at the signal, never a limit.
    """

    symbol: str
    exchange: str
    side: Side | None
    quantity: Decimal | None
    product: str
    order_type: OrderType
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    reference_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class ParsedAlert:
    """What an alert asks for, independent of the format that it came in."""

    format: str
    client_id: str
    strategy_name: str
    execution_type: ExecutionType
    legs: tuple[LegRequest, ...]
    signal_id: str | None = None
    test_mode: TestMode | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """The envelope of one webhook delivery. `raw_body` has its secret masked."""

    received_at: datetime
    remote_addr: str
    raw_body: str
    format: str


@dataclass(frozen=True, slots=True)
class Alert:
    """One delivery as stored in the database, whatever its outcome."""

    alert_id: str
    client_id: str
    delivery: Delivery
    outcome: Outcome
    idempotency_key: str = ""
    content_hash: str = ""
    generation: int = 0
    duplicate_of: str | None = None
    signal_id: str | None = None
    strategy_name: str | None = None
    execution_type: ExecutionType | None = None
    decision_type: DecisionType | None = None
    reason_code: str | None = None
    reason_message: str | None = None
    context_json: str | None = None
