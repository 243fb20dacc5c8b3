"""An alert as it was delivered, and as it was parsed."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from domain.combined import CombinedTerms
from domain.enums import DecisionType, ExecutionType, LegKind, OrderType, Outcome, Side, TestMode
from domain.errors import InvalidAlert
from domain.instruments.choice import InstrumentChoice
from domain.leg_templates import LegTemplate
from domain.limits import GroupPolicy
from domain.money import ZERO, decimal_text
from domain.protection_terms import Terms
from domain.sizing import SizeAsk, Sized

_QUANTITY_STEP = Decimal("1E-8")


def kind_of(execution_type: ExecutionType, quantity: Decimal | None) -> LegKind:
    """Return the kind of a leg in an alert of this execution type."""
    if execution_type is ExecutionType.ENTRY:
        return LegKind.ENTRY
    if execution_type is ExecutionType.CANCEL:
        return LegKind.CANCEL
    return LegKind.FLAT if quantity is None else LegKind.EXIT


@dataclass(frozen=True, slots=True)
class LegRequest:
    """One instruction inside an alert, validated.

    - `symbol`: empty only on a CANCEL in all symbols; so is `exchange`, where that names none either.
    - `quantity`: in units of the symbol. None where the kind is FLAT or CANCEL, and where `size` is not computed yet.
    - `side`: None only on an EXIT or FLAT, whose side then comes from the position, and on a CANCEL of both sides.
    - `product`: empty only on an EXIT, FLAT or CANCEL of any product.
    - `reference_price`: the price at the signal, never a limit.
    - `protection`: what protects the units that an ENTRY brings; None: nothing.
    - `order_side`: the side of the order that is to lead to a TARGET, where the alert names one.
    - `instrument`: what its name was resolved to; None: its client has no master, and the symbol is traded as it came.
    - `size`: of an ENTRY that names no quantity: what it is computed from.
    - `sized`: what that became for one client, with its multiplier; `quantity` is set then, 0 where it was refused.
    - `template`: its symbol is an underlying, which stands for the legs of the strategy's template.
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
    order_side: Side | None = None
    instrument: InstrumentChoice | None = None
    size: SizeAsk | None = None
    sized: Sized | None = None
    template: LegTemplate | None = None


class ClientShare(NamedTuple):
    """A client that trades an alert, and by how much the alert's quantities are multiplied there.

    `legs`: the alert's legs as the master of its broker names them; empty: as they came.
    """

    client_id: str
    multiplier: Decimal = Decimal(1)
    legs: tuple[LegRequest, ...] = ()


class Replay(NamedTuple):
    """Who registers a kept alert anew, and why.

    - `alert_id`: the alert as its sender delivered it.
    - `number`: which of its replays this is, counted from 1.
    """

    alert_id: str
    by: str
    reason: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class ParsedAlert:
    """What an alert asks for, independent of the format that it came in.

    - `execution_type`: that of all legs; ADJUST where the first ones exit and the others enter, or where a position is
      to be reached. The legs of a CANCEL become no orders.
    - `repairs`: what was repaired in its body, in words.
    - `unread`: the keys of its body that nothing was read from.
    - `shares`: the clients that trade it, each by itself; empty: `client_id` alone, which is the first of them.
    - `replay`: who has registered it anew; None: its sender delivered it.
    - `combined`: what protects its entries as a whole, at each client.
    - `group`: how its entries depend on each other; None: as its strategy says.

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
    shares: tuple[ClientShare, ...] = ()
    replay: Replay | None = None
    combined: CombinedTerms | None = None
    group: GroupPolicy | None = None

    def of(self, share: ClientShare) -> "ParsedAlert":
        """The alert as one client trades it.

        Raises:
            InvalidAlert: a multiple of an entry's quantity is none that could be ordered.
        """
        legs = tuple(
            leg
            if leg.quantity is None or leg.sized is not None
            else replace(leg, quantity=_multiple(leg, leg.quantity, share))
            for leg in share.legs or self.legs
        )
        return replace(self, client_id=share.client_id, legs=legs, shares=())

    def exits_of(self, share: ClientShare) -> "ParsedAlert | None":
        """What a client trades of it where its entries cannot be: its exits alone; None where it has none."""
        exits = tuple(leg for leg in share.legs or self.legs if leg.kind in (LegKind.EXIT, LegKind.FLAT))
        if not exits:
            return None
        alone = replace(self, execution_type=ExecutionType.EXIT, legs=exits)
        return alone.of(share._replace(legs=exits))

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
            is_no_order = is_mixed and leg.kind is LegKind.CANCEL
            if is_no_order or leg.kind is not kind_of(of_leg, leg.quantity):
                raise ValueError(
                    f"a leg of {leg.symbol} is {leg.kind} in an alert that is {self.execution_type}"
                )
        kinds = [leg.kind is LegKind.ENTRY for leg in self.legs]
        if is_mixed and (kinds != sorted(kinds) or len(set(kinds)) != 2):
            raise ValueError("an alert that adjusts has exits, and then entries")


def _multiple(leg: LegRequest, quantity: Decimal, share: ClientShare) -> Decimal:
    """A leg's quantity as one client trades it. Whole units stay whole: half a contract is no order.

    An exit is rounded up, to whole lots where lots are asked for: what is held caps it, and none is lost. A position to
    reach is rounded down, since the way down is an exit. An entry that does not come out even is refused.
    """
    found = quantity * share.multiplier
    if leg.kind in (LegKind.EXIT, LegKind.TARGET):
        step = _step(leg, quantity)
        over = found % step
        return found - over + (step if over and leg.kind is LegKind.EXIT else ZERO)
    is_whole = quantity == quantity.to_integral_value()
    if found % (1 if is_whole else _QUANTITY_STEP) or not found:
        said = f"{decimal_text(quantity)} × {decimal_text(share.multiplier)}"
        expected = "whole units" if is_whole else "at most 8 decimals"
        message = f"expected {expected} for client {share.client_id}, got {said}"
        raise InvalidAlert("INVALID", message, "quantity")
    return found


def _step(leg: LegRequest, quantity: Decimal) -> Decimal:
    """By what a quantity is rounded: lots where it is in lots, else units, else the smallest part of one."""
    known = None if leg.instrument is None else leg.instrument.instrument
    lot = None if known is None else known.lot
    for step in (lot, Decimal(1)):
        if step is not None and step > ZERO and not quantity % step:
            return step
    return _QUANTITY_STEP


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
