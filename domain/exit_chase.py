"""Follow an exit that is to be filled at once and rests at the broker, until it is filled. Pure.

It is priced anew by a cancel that the book has shown, and then by a further part of its leg for the rest. So there are
never two live orders for the same units. How far this has come stands in the row's context and is handed on from part
to part: whoever goes on after a crash reads it there.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.enums import ExecutionType, OrderType, Side
from domain.money import ZERO, decimal_text, parse_decimal
from domain.order import Order
from domain.states import Phase, Status
from domain.times import has_elapsed, parse_time, time_text

_KEY = "chase"
"""The key of all this in an order's context."""
_RESTING = (Phase.WORKING, Phase.PARTIALLY_FILLED)
_CANCELLED = (Phase.CANCELLED, Phase.EXPIRED)
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class ChaseRules:
    """How exits that rest are followed.

    - `every`: how long an order is given to be filled before it is priced anew; zero: exits are never priced anew.
    - `most`: how many times one exit is priced anew.
    - `worst_percent`: how far from the last price at its first sending it may be sold or bought.
    - `tell_after`: how long after that a person is told that it does not end.
    """

    every: timedelta = timedelta(seconds=5)
    most: int = 10
    worst_percent: Decimal = Decimal(10)
    tell_after: timedelta = timedelta(seconds=15)


@dataclass(frozen=True, slots=True)
class Chase:
    """How far the following of an exit has come.

    - `number`: how many times it was priced anew before this row.
    - `mark`: the last price at its first sending, `worst` the worst price that follows; None: none was known yet.
    - `since`: when it was first sent; None: this row is the first.
    - `instead_of`: the row whose rest this one exits; None: it exits units of its own.
    - `slice_of`: the row beside which this one exits what was too much for one order; None: it is not such a part.
    - `asked`: this row's cancel was requested so that its rest is priced anew.
    - `at_band`: it is a limit at the edge of the exchange's price band, after a refusal that named it.
    """

    number: int = 0
    mark: Decimal | None = None
    worst: Decimal | None = None
    since: datetime | None = None
    instead_of: str | None = None
    slice_of: str | None = None
    asked: bool = False
    at_band: bool = False


_NOTHING = Chase()


def chase_of(order: Order) -> Chase:
    """Return how far the following of this order has come."""
    if order.context_json is None or order.execution_type is not ExecutionType.EXIT:
        return _NOTHING
    said = json.loads(order.context_json).get(_KEY)
    if said is None:
        return _NOTHING
    return Chase(
        number=said.get("number", 0),
        mark=_price(said.get("mark")),
        worst=_price(said.get("worst")),
        since=parse_time(said["since"]) if "since" in said else None,
        instead_of=said.get("instead_of"),
        slice_of=said.get("slice_of"),
        asked=said.get("asked", False),
        at_band=said.get("at_band", False),
    )


def chase_context(chase: Chase) -> dict[str, Any]:
    """Return what an order's context keeps of it."""
    said: dict[str, Any] = {"number": chase.number, "instead_of": chase.instead_of}
    said |= {"slice_of": chase.slice_of}
    said |= {"asked": chase.asked, "at_band": chase.at_band}
    said |= {name: decimal_text(p) for name, p in (("mark", chase.mark), ("worst", chase.worst)) if p}
    if chase.since is not None:
        said["since"] = time_text(chase.since)
    return {_KEY: {name: value for name, value in said.items() if value}}


def with_chase(context_json: str | None, chase: Chase) -> str:
    """Return an order's context with this in it."""
    return json.dumps({**json.loads(context_json or "{}"), **chase_context(chase)}, ensure_ascii=False)


def sent_at_mark(
    order: Order, mark: Decimal | None, rules: ChaseRules, context_json: str | None
) -> str | None:
    """Return the context of an exit that is claimed for sending, with the last price known then.

    The price counts where this is its first sending, and it is one that is to be filled at once.
    """
    chase = chase_of(order)
    is_price = mark is not None and mark.is_finite() and mark > ZERO
    if chase.mark is not None or not is_price or order.order_type is not OrderType.MARKET:
        return context_json
    assert mark is not None
    return with_chase(context_json, at_mark(chase, mark, order.side, rules))


def at_mark(chase: Chase, mark: Decimal, side: Side, rules: ChaseRules) -> Chase:
    """Return it with the price at the first sending, from which the worst price follows."""
    room = mark * rules.worst_percent / _HUNDRED
    return replace(chase, mark=mark, worst=max(mark + room * side.sign, ZERO))


def is_followed(order: Order) -> bool:
    """Return True for an exit that is to be filled at once: not one whose price an alert or a person named."""
    if order.execution_type is not ExecutionType.EXIT or order.test_mode is not None:
        return False
    return order.order_type is OrderType.MARKET or chase_of(order).at_band


def rests(order: Order) -> bool:
    """Return True while its broker has the order, and has not filled all of it."""
    return order.phase in _RESTING and order.broker_order_id is not None and order.open_quantity > ZERO


# what is to be done ---------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Reprice:
    """Cancel the order, so that its rest is priced anew."""

    chase: Chase
    why: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """It is not priced anew any more, or not at this price: a person has to look."""

    why: str


def next_step(
    order: Order, mark: Decimal | None, now: datetime, rules: ChaseRules
) -> Reprice | GiveUp | None:
    """Decide what becomes of an exit that rests; None: nothing is to be done now.

    Args:
        mark: the symbol's last price; None: none can be read, and without one nothing is priced anew.
    """
    if not rules.every or mark is None or not is_due(order, now, rules):
        return None
    chase = chase_of(order)
    if chase.mark is None:
        chase = at_mark(chase, mark, order.side, rules)
    if chase.number >= rules.most:
        return GiveUp(f"it was priced anew {chase.number} times, which is the most")
    assert chase.worst is not None and chase.mark is not None
    if (mark - chase.worst) * order.side.sign > ZERO:
        return GiveUp(
            f"the last price {decimal_text(mark)} is beyond the worst price {decimal_text(chase.worst)} "
            f"({decimal_text(rules.worst_percent)} % from {decimal_text(chase.mark)}, the price at its first sending)"
        )
    number = f"{chase.number + 1} of {rules.most}"
    return Reprice(replace(chase, asked=True), f"priced anew ({number}), last price {decimal_text(mark)}")


def is_due(order: Order, now: datetime, rules: ChaseRules) -> bool:
    """Return True when the order has rested long enough to be priced anew, and nobody has asked for its cancel."""
    if not rests(order) or order.cancel_requested_at is not None or order.sent_at is None:
        return False
    return has_elapsed(order.sent_at, now, rules.every)


def is_late(order: Order, now: datetime, rules: ChaseRules) -> bool:
    """Return True when the exit has gone on for so long that a person has to know."""
    since = chase_of(order).since or order.sent_at
    return rests(order) and since is not None and has_elapsed(since, now, rules.tell_after)


# what follows a cancel ------------------------------------------------------------------------------------------


def leaves_rest(order: Order) -> bool:
    """Return True for a row whose cancel was requested for a new price, and is proven by the book."""
    return order.phase in _CANCELLED and order.open_quantity > ZERO and chase_of(order).asked


def rest_of(order: Order, leg: Sequence[Order], now: datetime) -> Decimal:
    """Return how many units a further part may take over from an order that has ended; 0: none.

    What the leg asked for is the sum of the rows that took over from none. So an order that the broker first called
    cancelled and then showed alive again, and cancelled once more, is not taken over twice.

    Args:
        leg: all rows of the order's leg, as they are now.
    """
    asked = sum((each.quantity for each in leg if chase_of(each).instead_of is None), ZERO)
    return max(min(order.open_quantity, asked - _taken(leg, now)), ZERO)


def _taken(leg: Iterable[Order], now: datetime) -> Decimal:
    """Return what the rows of a leg have filled or may still fill."""
    return sum((each.filled_quantity + _may_fill(each, now) for each in leg), ZERO)


def _may_fill(order: Order, now: datetime) -> Decimal:
    is_open = order.status in (Status.CREATED, Status.SENT_TO_BROKER) or order.is_provisional(now)
    return order.open_quantity if is_open else ZERO


def further(order: Order, chase: Chase | None = None) -> Chase:
    """Return how far the following has come with the part that takes over from an order."""
    known = chase_of(order) if chase is None else chase
    since = known.since or order.sent_at
    return replace(
        known, number=known.number + 1, since=since, instead_of=order.command_id, asked=False, at_band=False
    )


def ends_of(order: Order, parts: Sequence[Order]) -> list[Order]:
    """Return the rows of an exit's leg that no other one took over from: by these the leg is judged."""
    superseded = {chase_of(part).instead_of for part in parts}
    return [each for each in (order, *parts) if each.command_id not in superseded]


def is_of_leg(part: Order) -> bool:
    """Return True for a part that its leg needs to get what it asked for: a new price, or a slice.

    Others exit what came later, or what is held in another product.
    """
    chase = chase_of(part)
    return chase.instead_of is not None or chase.slice_of is not None


def is_superseded(order: Order) -> bool:
    """Return True for an end that is none: the order's rest goes on at a new price, and nobody is told."""
    return order.context_json is not None and leaves_rest(order)


def is_successor(order: Order) -> bool:
    """Return True for a part that goes on where another row left off."""
    return order.parent_command_id is not None and chase_of(order).instead_of is not None


def _price(text: str | None) -> Decimal | None:
    return None if text is None else parse_decimal(text)
