"""Register the entries of one alert as a group: each is judged, then it is decided for all of them."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from blockers.groups import incomplete, needs, waits_for_bought
from blockers.instruments import unfit
from blockers.pipeline import judged
from blockers.rules import Block
from domain.alert import LegRequest, ParsedAlert
from domain.combined import FIELD
from domain.entry_waits import Wait, WaitsFor
from domain.enums import ExecutionType
from domain.errors import InvalidAlert
from domain.group_asked import handling_of, with_group
from domain.limits import ClientPolicy, GroupPolicy
from domain.order import Order
from domain.ports import Transaction
from domain.states import Status
from domain.transitions import waiting
from use_cases.register_order import block, write
from use_cases.unwind_groups import open_group


class Asked(NamedTuple):
    """A leg as its order, under its UNIQUE key, and as it was asked for."""

    order: Order
    intent: str
    leg: LegRequest


def is_group(policy: ClientPolicy, alert: ParsedAlert, entries: int) -> bool:
    """Return True where an alert's entries are judged together.

    Raises:
        InvalidAlert: it brings what protects a group, and its entries are none.
    """
    handling = with_group(policy.strategy(alert.strategy_name), alert.group)
    found = entries > 1 and handling.is_grouped
    if alert.combined is not None and not found:
        message = f"expected several entries that are a group, got {entries} with group = {handling.grouping}"
        raise InvalidAlert("INVALID", message, FIELD)
    return found


def register_adjusting(
    tx: Transaction, policy: ClientPolicy, alert: ParsedAlert, asked: Sequence[Asked], *, actor: str
) -> tuple[Order, ...]:
    """Register the exits, and then the entries, which wait for the exits in other symbols."""
    exits = [each for each in asked if each.order.execution_type is ExecutionType.EXIT]
    entries = [each for each in asked if each.order.execution_type is ExecutionType.ENTRY]
    done = tuple(_one(tx, policy, alert, each, actor) for each in exits)
    elsewhere = {(e.order.exchange, e.order.symbol) for e in exits}
    is_behind = any(elsewhere - {(e.order.exchange, e.order.symbol)} for e in entries)
    if is_group(policy, alert, len(entries)):
        return (*done, *register_group(tx, policy, alert, entries, actor=actor, is_behind=is_behind))
    return (*done, *(_one(tx, policy, alert, each, actor, is_behind=is_behind) for each in entries))


def _one(
    tx: Transaction,
    policy: ClientPolicy,
    alert: ParsedAlert,
    asked: Asked,
    actor: str,
    *,
    is_behind: bool = False,
) -> Order:
    order, answer = asked.order, unfit(asked.leg) or judged(tx, asked.order, policy, asked.order.created_at)
    if answer is None and is_behind:
        answer = Wait(WaitsFor.EXIT, order.expires_at)
    written = write(tx, order, asked.intent, alert.signal_id, wait=answer, actor=actor)
    return block(tx, written, answer, actor) if isinstance(answer, Block) else written


def register_group(
    tx: Transaction,
    policy: ClientPolicy,
    alert: ParsedAlert,
    asked: Sequence[Asked],
    *,
    actor: str,
    is_behind: bool = False,
) -> tuple[Order, ...]:
    """Judge each leg after the legs before it are written, so that limits count them; then decide for all legs.

    `is_behind`: they wait for exits of the alert.
    """
    orders = [each.order for each in asked]
    legs, blocks = list[Order](), dict[int, Block]()
    for index, (order, intent, leg) in enumerate(asked):
        answer = unfit(leg) or judged(tx, order, policy, order.created_at)
        if isinstance(answer, Block):
            blocks[index] = answer
        elif answer is None and waits_for_bought(order.side, [o.side for o in orders]):
            answer = Wait(WaitsFor.GROUP, order.expires_at)
        elif answer is None and is_behind:
            answer = Wait(WaitsFor.EXIT, order.expires_at)
        legs.append(write(tx, order, intent, alert.signal_id, wait=answer, actor=actor))
    if blocks:
        legs = _block(tx, legs, blocks, _that_fall(policy, legs, blocks), actor)
    if all(leg.status is Status.FAILED for leg in legs):
        return tuple(legs)
    if alert.test_mode is None:
        open_group(tx, policy, legs, alert.combined)
    if not any(leg.waits_for in (WaitsFor.EXIT, WaitsFor.SETTLING) for leg in legs):
        return tuple(legs)
    wait = Wait(WaitsFor.GROUP, legs[0].expires_at)  # no leg is sent alone
    return tuple(
        leg
        if leg.waits_for or leg.status is Status.FAILED
        else tx.apply(waiting(leg, wait, at=leg.created_at, actor=actor))
        for leg in legs
    )


def _that_fall(policy: ClientPolicy, legs: Sequence[Order], blocks: Mapping[int, Block]) -> set[int]:
    """Return which legs go no further beside those that are blocked: all, unless a part of the group is enough."""
    handling = handling_of(policy, legs[0])
    if handling.grouping is not GroupPolicy.BEST_EFFORT:
        return set(range(len(legs)))
    fall = set(blocks) | {i for i, leg in enumerate(legs) if any(needs(leg, legs[b]) for b in blocks)}
    return fall if len(legs) - len(fall) >= handling.group_minimum else set(range(len(legs)))


def _block(
    tx: Transaction, legs: Sequence[Order], blocks: Mapping[int, Block], fall: set[int], actor: str
) -> list[Order]:
    """Block these legs: first those with a reason of their own, then the others, which name the first of those."""
    done = dict[int, Order]()
    for index in sorted(fall, key=lambda i: (i not in blocks, i)):
        leg = tx.get(legs[index].command_id) or legs[index]  # the previous leg's end may have released it
        found = blocks.get(index) or incomplete(done[min(blocks)])
        done[index] = block(tx, leg, found, actor)
    return [done.get(index) or tx.get(leg.command_id) or leg for index, leg in enumerate(legs)]
