"""What a group of legs has brought: what its legs realised, and what they would realise now. Pure, in exact decimals.

Where a part of it is not known, all of it is not: a leg without a price never counts as 0.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from domain.combined import CombinedUnit
from domain.leg_groups import LegSeen
from domain.marks import Mark, MarkFault, fault_of
from domain.money import ZERO
from domain.order import Order

Marks = Mapping[tuple[str, str], Mark]
"""Last prices by exchange and symbol."""

CLOSED_UNPRICED = "CLOSED_UNPRICED"
"""Units of a leg are gone, and no exit of its strategy says at which price."""


class NotKnown(NamedTuple):
    """Why the profit is not known: a code, and the leg that it lacks."""

    why: str
    symbol: str


def profit_of(
    legs: Sequence[LegSeen], exits_of: Callable[[Order], Sequence[Order]], marks: Marks, now: datetime
) -> Decimal | NotKnown:
    """Return the group's profit in money, negative for a loss, or which part of it is not known.

    Args:
        exits_of: finds the exits of a leg's strategy in its symbol that were registered after it, the latest first.
    """
    total = ZERO
    for leg in legs:
        part = _of_leg(leg, exits_of, marks.get((leg.order.exchange, leg.order.symbol)), now)
        if not isinstance(part, Decimal):
            return NotKnown(part, leg.order.symbol)
        total += part
    return total


def _of_leg(
    leg: LegSeen, exits_of: Callable[[Order], Sequence[Order]], mark: Mark | None, now: datetime
) -> Decimal | str:
    order, left = leg.order, leg.left
    filled, average, sign = order.filled_quantity, order.average_price, order.side.sign
    if not filled:
        return ZERO
    if average is None:
        return MarkFault.FILL_UNPRICED.value
    brought = ZERO
    if left < filled:
        paid = _paid_for(filled - left, exits_of(order))
        if paid is None:
            return CLOSED_UNPRICED
        brought = (paid - average * (filled - left)) * sign
    if left:
        since = min(order.updated_at or order.created_at, now)
        fault = fault_of(mark, order.exchange, order.symbol, since=since, now=now)
        if fault is not None or mark is None:
            return (fault or MarkFault.MISSING).value
        brought += (mark.price - average) * left * sign
    return brought


def _paid_for(units: Decimal, exits: Iterable[Order]) -> Decimal | None:
    """Return the money for so many units that the latest of these exits have closed; None: not all of it is known.

    What was bought first is closed first, so that what the leg brought is what was closed last.
    """
    paid = ZERO
    for each in exits:
        taken = min(each.filled_quantity, units)
        if taken and each.average_price is None:
            return None
        paid += taken * (each.average_price or ZERO)
        units -= taken
        if not units:
            return paid
    return None


def in_unit(money: Decimal, legs: Sequence[LegSeen], unit: CombinedUnit) -> Decimal:
    """Return the profit in the unit of its terms."""
    return money if unit is CombinedUnit.MONEY else money / units_of_points(legs)


def units_of_points(legs: Sequence[LegSeen]) -> Decimal:
    """Return how many units one point of the net premium is for: the largest number that divides all quantities."""
    common = ZERO
    for leg in legs:
        one, other = common, leg.order.quantity
        while other:
            one, other = other, one % other
        common = one
    return common
