"""An alert as it was delivered, and as it was parsed."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.enums import DecisionType, ExecutionType, LegKind, OrderType, Outcome, Side, TestMode
from domain.protection_terms import Terms


def kind_of(execution_type: ExecutionType, quantity: Decimal | None) -> LegKind:
    """Return the kind of a leg in an alert of this execution type."""
    if execution_type is ExecutionType.ENTRY:
        return LegKind.ENTRY
    return LegKind.FLAT if quantity is None else LegKind.EXIT


@dataclass(frozen=True, slots=True)
class LegRequest:
    """One instruction inside an alert, validated.

    - `quantity`: in units of the symbol. None only where the kind is FLAT.
    - `side`: None only on an EXIT or FLAT, whose side then comes from the position.
    - `product`: empty only on an EXIT or FLAT of any product.
    - `reference_price`: the price at the signal, never a limit.
    - `protection`: what protects the units that an ENTRY brings; None: nothing.
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
    kind: LegKind = LegKind.ENTRY
    protection: Terms | None = None


@dataclass(frozen=True, slots=True)
class ParsedAlert:
    """What an alert asks for, independent of the format that it came in.

    - `execution_type`: that of all legs; ADJUST where the first ones exit and the others enter, or where a position is
      to be reached.
    - `repairs`: what was repaired in its body, in words.
    - `unread`: the keys of its body that nothing was read from.

    Raises:
        ValueError: the kind of a leg contradicts the alert's execution type or the leg's quantity.
    """

    format: str
    client_id: str
    strategy_name: str
    execution_type: ExecutionType
    legs: tuple[LegRequest, ...]
    signal_id: str | None = None
    test_mode: TestMode | None = None
    repairs: tuple[str, ...] = ()
    unread: tuple[str, ...] = ()

    @property
    def target(self) -> LegRequest | None:
        """The position to reach, in an alert that names one. It becomes other legs when it is registered."""
        return self.legs[0] if len(self.legs) == 1 and self.legs[0].kind is LegKind.TARGET else None

    def __post_init__(self) -> None:
        target = self.target
        if target is not None and self.execution_type is ExecutionType.ADJUST:
            if target.side is None or target.quantity is None:
                raise ValueError(f"a position to reach in {target.symbol} needs a side and a quantity")
            return
        is_mixed = self.execution_type is ExecutionType.ADJUST
        for leg in self.legs:
            of_leg = leg.kind.execution_type if is_mixed else self.execution_type
            if leg.kind is not kind_of(of_leg, leg.quantity):
                raise ValueError(
                    f"a leg of {leg.symbol} is {leg.kind} in an alert that is {self.execution_type}"
                )
        kinds = [leg.kind is LegKind.ENTRY for leg in self.legs]
        if is_mixed and (kinds != sorted(kinds) or len(set(kinds)) != 2):
            raise ValueError("an alert that adjusts has exits, and then entries")


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
