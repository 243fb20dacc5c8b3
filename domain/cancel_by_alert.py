"""An alert that takes entries back: which orders it means, and what became of each. Pure."""

import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from domain.alert import LegRequest, ParsedAlert
from domain.enums import ExecutionType, Side
from domain.order import Order


class CancelResult(StrEnum):
    """What a cancel by an alert did to one entry."""

    ASKED = "asked"  # its cancel was requested; the broker's book shows when it has ended
    ENDED = "ended"  # it was not sent, and has ended
    ASKED_BEFORE = "asked_before"  # its cancel was requested before, and is under way
    NOT_NOW = "not_now"  # it cannot be cancelled in its present state; a person is told


class EntryCancel(NamedTuple):
    """An entry that an alert takes back, as it is after that. `detail`: why it cannot be cancelled now."""

    order: Order
    result: CancelResult
    detail: str = ""


def meant_by(leg: LegRequest, orders: Iterable[Order], *, is_test: bool) -> list[Order]:
    """Return those of a strategy's open orders that a leg takes back: never an exit, whatever stands in the leg.

    An entry is meant by its place, or by the name that it was asked for under: a rule such as `NIFTY1!` may mean
    another contract by now, and a leg template's name stands for all of its contracts.

    Args:
        is_test: the alert is a rehearsal, which takes back rehearsals alone, as a real one real orders alone.
    """
    names = _names(leg)
    return [
        order
        for order in orders
        if order.execution_type is ExecutionType.ENTRY
        and (order.test_mode is not None) is is_test
        and leg.product in ("", order.product)
        and (_is_there(leg, order, names))
    ]


def entries_meant(legs: Sequence[LegRequest], orders: Sequence[Order], *, is_test: bool) -> list[Order]:
    """Return the orders that the legs of an alert take back, each once."""
    found = (order for leg in legs for order in meant_by(leg, orders, is_test=is_test))
    return list({order.command_id: order for order in found}.values())


def _is_there(leg: LegRequest, order: Order, names: frozenset[str]) -> bool:
    if (
        leg.template is not None
    ):  # the side is that of the alerts that entered: its contracts are bought and sold
        return _asked(order) in names
    if leg.side not in (None, order.side):
        return False
    if not leg.symbol:
        return leg.exchange in ("", order.exchange) or (_asked(order) or "").startswith(f"{leg.exchange} ")
    return (leg.exchange, leg.symbol) == (order.exchange, order.symbol) or _asked(order) in names


def _names(leg: LegRequest) -> frozenset[str]:
    """The names under which the entries that a leg means may have been asked for."""
    if leg.template is not None:
        sides = Side if leg.side is None else (leg.side,)
        return frozenset(" ".join(leg.template.asked(side)) for side in sides)
    return frozenset() if leg.instrument is None else frozenset((leg.instrument.asked_text,))


def _asked(order: Order) -> str | None:
    told = json.loads(order.context_json or "{}").get("instrument")
    asked = told.get("asked") if isinstance(told, dict) else None
    return asked if isinstance(asked, str) else None


def told(alert: ParsedAlert, cancels: Sequence[EntryCancel]) -> str:
    """Say in words what an alert took back."""
    if not cancels:
        places = dict.fromkeys(_place(leg) for leg in alert.legs)
        where = ", ".join(places)
        return f"no entry of {alert.strategy_name} rests or waits in {where}: there was nothing to cancel"
    counts = {result: sum(each.result is result for each in cancels) for result in CancelResult}
    said = [f"{count} {_WORDS[result]}" for result, count in counts.items() if count]
    return f"entries of {alert.strategy_name}: {', '.join(said)}"


def _place(leg: LegRequest) -> str:
    side = f"{leg.side} of " if leg.side is not None else ""
    return side + (f"{leg.exchange} {leg.symbol}" if leg.symbol else f"all symbols {leg.exchange}".strip())


_WORDS = {
    CancelResult.ASKED: "asked of the broker to be cancelled",
    CancelResult.ENDED: "ended before they were sent",
    CancelResult.ASKED_BEFORE: "whose cancel was asked for before",
    CancelResult.NOT_NOW: "that cannot be cancelled now",
}
