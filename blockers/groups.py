"""The entries of one alert are judged together: a spread of which one leg is missing is another position."""

from collections.abc import Iterable, Sequence

from blockers.rules import Block
from domain.alert import Side
from domain.entry_waits import Wait, WaitsFor
from domain.order import Order
from domain.reason_codes import Reason
from domain.states import Status


def waits_for_bought(side: Side, sides: Iterable[Side | None]) -> bool:
    """A sold leg waits until the bought legs are filled: they are what limits its risk."""
    return side is Side.SELL and Side.BUY in sides


def with_its_group(order: Order, others: Sequence[Order]) -> Block | Wait | None:
    """Whether the other legs of its alert let this one go, as they stand now."""
    for leg in others:
        if leg.status is Status.FAILED:
            return incomplete(leg)
    bought = [leg for leg in others if leg.side is Side.BUY]
    not_filled = order.side is Side.SELL and any(leg.status is not Status.EXECUTED for leg in bought)
    if not_filled or any(leg.waits_for in (WaitsFor.EXIT, WaitsFor.SETTLING) for leg in others):
        return Wait(WaitsFor.GROUP, order.expires_at)
    return None


def incomplete(leg: Order) -> Block:
    """The block of the others where this leg came to nothing."""
    return Block(Reason.GROUP_INCOMPLETE, f"{leg.side} {leg.symbol} ({leg.short_id}): {leg.tag}")
