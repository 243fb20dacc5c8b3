"""Open the groups of an alert's entries, and carry out what follows for them.

Nothing is placed here. An exit's row is found by an id that follows from its leg and from which try it is: whoever asks
a second time, after a crash or beside another watcher, finds the exit that is there.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from domain.cancellation import cancel_asked, hindrance
from domain.combined import CombinedTerms, combined_of
from domain.group_asked import handling_of
from domain.group_messages import notices_of, waiting_key
from domain.ids import exit_id
from domain.leg_groups import (
    MOST_TRIES,
    Decision,
    ExitWish,
    GroupState,
    LegGroup,
    LegSeen,
    intent_of,
    reopened,
)
from domain.limits import ClientPolicy
from domain.money import ZERO
from domain.order import Order
from domain.ports import Transaction
from domain.reason_codes import Reason
from domain.risk_facts import Holding
from domain.states import Status
from domain.transitions import blocked
from use_cases.asked_exits import market_exit
from use_cases.register_order import register_judged

_OVER = (Status.EXECUTED, Status.FAILED)


def open_group(
    tx: Transaction, policy: ClientPolicy, legs: Sequence[Order], combined: CombinedTerms | None = None
) -> None:
    """Write the group of the legs that one client enters by an alert.

    Args:
        combined: what its alert brings to protect it as a whole; None: what its strategy has for that.
    """
    first = legs[0]
    handling = handling_of(policy, first)
    terms = combined or handling.combined
    time = handling.time_to_complete
    tx.add_group(
        LegGroup(
            group_id=first.command_id,
            alert_id=first.alert_id,
            client_id=first.client_id,
            strategy_name=first.strategy_name,
            policy=handling.grouping,
            when_incomplete=handling.when_incomplete,
            minimum=handling.group_minimum,
            legs=tuple(leg.command_id for leg in legs),
            created_at=first.created_at,
            updated_at=first.created_at,
            deadline=None if time is None else first.created_at + time,
            combined=None if terms is None else combined_of(terms),
        )
    )


def group_of(tx: Transaction, order: Order) -> LegGroup | None:
    """Return the group that the order is a leg of; None: it is in none, or was registered before there were groups."""
    return next((g for g in tx.groups_of_alert(order.alert_id) if order.command_id in g.legs), None)


def legs_seen(
    group: LegGroup,
    get: Callable[[str], Order | None],
    parts: Callable[[str], list[Order]],
    holdings: Sequence[Holding],
) -> list[LegSeen] | None:
    """Return the group's legs as they stand; None where one of them is in the archive.

    Args:
        holdings: of its client, at least those in the legs' symbols.
    """
    orders = [get(command_id) for command_id in group.legs]
    known = [order for order in orders if order is not None]
    if len(known) < len(orders):
        return None
    return [LegSeen(leg, _held(leg, holdings), _tries(group, leg, get, parts)) for leg in known]


def _held(leg: Order, holdings: Sequence[Holding]) -> Decimal:
    place = (leg.strategy_name, leg.exchange, leg.symbol)
    nets = [
        h.net_quantity for h in holdings if (h.strategy_name, h.exchange, h.symbol) == place and h.entries
    ]
    return max(sum(nets, ZERO) * leg.side.sign, ZERO)


def _tries(
    group: LegGroup,
    leg: Order,
    get: Callable[[str], Order | None],
    parts: Callable[[str], list[Order]],
) -> tuple[tuple[Order, ...], ...]:
    asked_at, found = group.unwinding_since, list[tuple[Order, ...]]()
    while asked_at is not None and len(found) < MOST_TRIES:
        known = get(exit_id(intent_of(leg.command_id, len(found) + 1), asked_at))
        if known is None:
            break
        found.append((known, *parts(known.command_id)))
        # When it was asked for never changes; when it ended may, by a late fill.
        asked_at = known.created_at
    return tuple(found)


def carry_out(tx: Transaction, decision: Decision, policy: ClientPolicy, *, now: datetime, actor: str) -> int:
    """Write a step of a group: take legs back, ask for exits, tell people; returns how many orders that moved.

    Raises:
        ConcurrentUpdate: somebody else moved the group; nothing may be kept.
    """
    after, moved = decision.after, 0
    if after is not decision.before:
        tx.move_group(decision.before, after, decision.events)
    for order in decision.take_back:
        moved += _take_back(tx, order, after, now=now, actor=actor)
    for wish in decision.exits:
        order = _exit(wish, now)
        if tx.get(order.command_id) is None:
            register_judged(tx, order, wish.intent, None, policy=policy, actor=actor)
            moved += 1
    for key, notice in notices_of(decision, now):
        if key is None:
            tx.notify(notice)
        else:
            tx.notify_once(key, notice)
    if not after.state.is_open:
        tx.clear_notice(after.client_id, waiting_key(after))
    return moved


def _take_back(tx: Transaction, order: Order, group: LegGroup, *, now: datetime, actor: str) -> int:
    current = tx.get(order.command_id) or order  # the end of the leg before it may have released it
    if current.status in _OVER or hindrance(current.phase, current.broker_order_id) is not None:
        return 0
    if current.status is Status.CREATED and not current.look_first:
        tx.apply(blocked(current, Reason.GROUP_INCOMPLETE, group.why, at=now, actor=actor))
        return 1
    is_met = group.combined is not None and group.combined.fired_by is not None
    why = "its group leaves as a whole" if is_met else "its group is incomplete"
    change = cancel_asked(current, at=now, actor=actor, reason=why)
    if change is not None:
        tx.apply(change)
    return int(change is not None)


def _exit(wish: ExitWish, now: datetime) -> Order:
    """An exit at market of what a leg brought, and of no more."""
    leg, side = wish.leg, wish.leg.side.opposite
    return market_exit(
        wish.intent,
        exit_id(wish.intent, wish.asked_at),
        client_id=leg.client_id,
        strategy_name=leg.strategy_name,
        exchange=leg.exchange,
        symbol=leg.symbol,
        side=side,
        units=wish.units,
        product=leg.product,
        at=now,
        requested_side=side,
        requested_product=leg.product or None,
        test_mode=leg.test_mode,
    )


def reopen(tx: Transaction, before: Order, after: Order, *, now: datetime) -> None:
    """Unwind a group again where a leg that had ended is live again, or was filled late."""
    if before.status is not Status.FAILED:
        return
    if after.status is Status.FAILED and after.filled_quantity <= before.filled_quantity:
        return
    group = group_of(tx, after)
    if group is not None and group.state is GroupState.UNWOUND and group.unwinding_since is not None:
        tx.move_group(group, reopened(group, now))
