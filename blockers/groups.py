"""Judge the entries of one alert together: a spread of which one leg is missing is another position."""

from collections.abc import Iterable, Sequence

from blockers.rules import Block
from domain.entry_waits import Wait, WaitsFor
from domain.enums import Side
from domain.order import Order
from domain.reason_codes import Reason
from domain.states import Status


def waits_for_bought(side: Side, sides: Iterable[Side | None]) -> bool:
    """Return True for a sold leg beside bought legs. It waits until they are filled, because they limit its risk."""
    return side is Side.SELL and Side.BUY in sides


def needs(order: Order, other: Order) -> bool:
    """Return True where a leg is not sent without the other one, even if a part of its group is enough: a hedge."""
    return order.side is Side.SELL and other.side is Side.BUY


def with_its_group(
    order: Order, others: Sequence[Order], *, is_best_effort: bool = False
) -> Block | Wait | None:
    """Return the block or wait that the alert's other legs, as they stand now, impose on this one; None: it may go.

    `is_best_effort`: only a sold leg depends on the others, and only on the bought ones.
    """
    for leg in others:
        if leg.status is Status.FAILED and (not is_best_effort or needs(order, leg)):
            return incomplete(leg)
    bought = [leg for leg in others if leg.side is Side.BUY]
    not_filled = order.side is Side.SELL and any(leg.status is not Status.EXECUTED for leg in bought)
    if not_filled or any(leg.waits_for in (WaitsFor.EXIT, WaitsFor.SETTLING) for leg in others):
        return Wait(WaitsFor.GROUP, order.expires_at)
    return None


def incomplete(leg: Order) -> Block:
    """Return the block of the other legs after this leg has failed."""
    return Block(Reason.GROUP_INCOMPLETE, f"{leg.side} {leg.symbol} ({leg.short_id}): {leg.tag}")
