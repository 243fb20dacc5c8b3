"""Follow an exit to its goal: the position is flat, and no order of ours would open it again.

An exit that names no quantity cancels its strategy's older entries. What such an entry still fills, however late, is
exited by a further part of the exit's leg. The part is a row of its own, so that each row has at most one broker order.
"""

import json
import logging
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.cancellation import cancel_asked, hindrance
from domain.enums import ExecutionType, OrderType
from domain.exit_chase import (
    Chase,
    chase_context,
    chase_of,
    further,
    is_followed,
    leaves_rest,
    rest_of,
    rests,
)
from domain.exit_sizing import entries_to_take_back, in_the_way
from domain.exit_view import is_about_the_same
from domain.ids import client_order_id
from domain.limits import ClientPolicy
from domain.money import ZERO, decimal_text
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import register
from domain.ports import Transaction
from domain.price_bands import band_edge
from domain.reason_codes import Reason, reason_in
from domain.risk_facts import ExitFacts
from domain.states import Phase, Status
from domain.times import has_elapsed
from use_cases.leg_groups import block_unsent

log = logging.getLogger(__name__)

_PART_LIFE = timedelta(hours=1)
_A_MOMENT = timedelta(seconds=2)  # for so long a market order may be filled without our knowing


def take_back(
    tx: Transaction, exit_: Order, facts: ExitFacts, *, policy: ClientPolicy, now: datetime, actor: str
) -> ExitFacts:
    """Cancel the entries that would open again what this exit closes; return the facts as they are then.

    Legs of their alerts that were not sent are not sent alone.
    """
    ended = dict[str, Order]()
    for order in entries_to_take_back(exit_, facts):
        # The end of the previous order may have released this one, which rewrites its row.
        current = tx.get(order.command_id) or order
        after = _cancel(tx, current, exit_, now=now, actor=actor)
        if after.status is Status.FAILED:
            ended[order.command_id] = after
    for after in ended.values():
        block_unsent(tx, policy, after, now=now, actor=actor)
    return (
        replace(facts, orders=tuple(o for o in facts.orders if o.command_id not in ended)) if ended else facts
    )


def cancel_resting(tx: Transaction, exit_: Order, facts: ExitFacts, *, now: datetime, actor: str) -> None:
    """Cancel the resting exits in the way of one that is to be filled at once.

    A person is notified where that exit closes a part only: what it leaves is held without them.
    """
    for order in in_the_way(exit_, facts):
        after = _cancel(tx, order, exit_, now=now, actor=actor)
        if after is order or exit_.requested_quantity is None:
            continue
        kind, units = order.order_type, decimal_text(order.open_quantity)
        text = (
            f"its exit {order.short_id} ({kind} of {units}) is cancelled so that {exit_.short_id} can exit "
            f"{decimal_text(exit_.requested_quantity)}: what is left is held without it; place it anew for that"
        )
        log.warning("order %s: %s", exit_.command_id, text)
        tx.notify(Notice(NoticeKind.SYSTEM, exit_.client_id, exit_, exit_.alert_id, exit_.symbol, text))


def hasten_resting(
    tx: Transaction, exit_: Order, facts: ExitFacts, *, most: int, now: datetime, actor: str
) -> None:
    """Price the strategy's resting exits anew at once, because a later one is to be filled at once.

    For example, the stop is met while a target's exit rests as a limit above the market: its units go with the stop's.
    An exit that was sent a moment ago is left alone: it may be filled already.

    Args:
        most: how often an exit may have been priced anew for this: one that waits asks each time it is looked at.
    """
    if exit_.order_type is not OrderType.MARKET or exit_.parent_command_id is not None:
        return
    for order in facts.orders:
        is_own = order.strategy_name == exit_.strategy_name and is_about_the_same(order, exit_)
        if not is_own or not is_followed(order) or not rests(order) or order.sent_at is None:
            continue
        if chase_of(order).number >= most:
            continue
        current = tx.get(order.command_id)
        if current != order or not has_elapsed(order.sent_at, now, _A_MOMENT):
            continue
        chase, reason = replace(chase_of(order), asked=True), f"exit {exit_.short_id} takes its rest along"
        change = cancel_asked(order, at=now, actor=actor, reason=reason, chase=chase)
        if change is not None:
            tx.apply(change)


def _cancel(tx: Transaction, order: Order, exit_: Order, *, now: datetime, actor: str) -> Order:
    """Request the cancel, except while the order is being sent or has no known number: then when the book shows it."""
    if hindrance(order.phase, order.broker_order_id) is not None:
        return order
    reason = f"exit {exit_.short_id} takes it back"
    change = cancel_asked(order, at=now, actor=actor, reason=reason)
    return order if change is None else tx.apply(change)


def keep_exits_true(tx: Transaction, before: Order, after: Order, *, now: datetime, actor: str) -> Order:
    """Apply a later full exit of the strategy to an entry that has moved; go on with an exit that is priced anew.

    The entry is cancelled if it is live. What it filled is exited by a further part of the exit. Returns the entry's
    row as it is then.
    """
    if after.execution_type is ExecutionType.EXIT and after.phase is not before.phase:
        _take_over(tx, after, now=now, actor=actor)
        _try_at_band(tx, after, now=now, actor=actor)
    if after.execution_type is not ExecutionType.ENTRY or after.test_mode is not None:
        return after
    filled = after.filled_quantity - before.filled_quantity
    if not filled and not _is_live(after):
        return after
    exit_ = next((e for e in tx.full_exits_after(after) if _closes(e, after)), None)
    if exit_ is None:
        return after
    # One that the broker seems to have turned away may be live as it was sized then. Where it is not, it is sized anew
    # and its part finds nothing left.
    if filled and (exit_.status is not Status.CREATED or exit_.look_first):
        _add_part(tx, exit_, after, filled, now=now, actor=actor)
    return _cancel(tx, after, exit_, now=now, actor=actor) if _is_live(after) else after


def _take_over(tx: Transaction, ended: Order, *, now: datetime, actor: str) -> None:
    """Register a further part for the rest of an exit that was cancelled to be priced anew.

    It is written with the end that the book has shown: nobody can see the one without the other.
    """
    if not leaves_rest(ended):
        return
    rest = rest_of(ended, _leg(tx, ended), now)
    if rest:
        part = add_part(tx, ended, rest, product=ended.product, now=now, actor=actor, chase=further(ended))
        log.info("order %s: %s goes on with the %s left", ended.command_id, part.command_id, rest)


def _leg(tx: Transaction, order: Order) -> list[Order]:
    """List all rows of the order's leg, as they are now."""
    leg_id = order.parent_command_id or order.command_id
    first = tx.get(leg_id)
    return [*([] if first is None else [first]), *tx.parts(leg_id)]


def _try_at_band(tx: Transaction, refused: Order, *, now: datetime, actor: str) -> None:
    """Try an exit once more at the edge of the price band, where its refusal gives it; after that it is a person's."""
    if refused.phase not in (Phase.REFUSED, Phase.REJECTED) or not is_followed(refused):
        return
    edge = band_edge(refused.reason_message or "", refused.side)
    if edge is None:
        return
    leg = _leg(tx, refused)
    rest = rest_of(refused, leg, now)
    if not rest or any(chase_of(each).at_band for each in leg):
        return
    chase = replace(further(refused), at_band=True)
    part = add_part(tx, refused, rest, product=refused.product, now=now, actor=actor, chase=chase, limit=edge)
    text = (
        f"the exit was refused for the exchange's price band; {part.short_id} tries it once more, as a limit at the "
        f"band's edge, {decimal_text(edge)}. If that is refused too, exit by hand"
    )
    log.warning("order %s: %s", refused.command_id, text)
    tx.notify(Notice(NoticeKind.SYSTEM, part.client_id, part, part.alert_id, part.symbol, text))


def still_held(tx: Transaction, order: Order) -> str:
    """Return what a failed exit leaves open, and what to do; empty: nothing is left open."""
    if order.execution_type is not ExecutionType.EXIT or order.test_mode is not None:
        return ""
    held = held_words(tx, order)
    return f"{held}: send the EXIT again, or exit it by hand" if held else ""


def held_words(tx: Transaction, order: Order) -> str:
    """Say what the exit's strategy holds there by its own fills; empty: nothing."""
    held = tx.holding(order.client_id, order.strategy_name, order.exchange, order.symbol)
    units = ", ".join(
        f"{decimal_text(h.net_quantity)} {h.product}" for h in held if h.entries and h.net_quantity
    )
    return f"{order.strategy_name} still holds {units} of {order.symbol} at {order.exchange}" if units else ""


def _is_live(order: Order) -> bool:
    return order.phase in (Phase.WORKING, Phase.PARTIALLY_FILLED)


def _closes(exit_: Order, entry: Order) -> bool:
    """Return True when the exit closes the side that this entry opens. An entry of the other side is a reversal.

    An exit that was never sent has no side but the one that was asked for. One that a person cancelled closes nothing.
    """
    if reason_in(exit_.tag) == Reason.CANCELLED_BEFORE_SENT or exit_.requested_product not in (
        None,
        entry.product,
    ):
        return False
    if not exit_.attempts:
        return exit_.requested_side in (None, entry.side.opposite)
    return exit_.side is entry.side.opposite


def _add_part(
    tx: Transaction, exit_: Order, entry: Order, filled: Decimal, *, now: datetime, actor: str
) -> None:
    part = add_part(tx, exit_, filled, product=entry.product, now=now, actor=actor)
    text = (
        f"entry {entry.short_id} was filled by {decimal_text(filled)} after exit {exit_.short_id} had been sized; "
        f"{part.short_id} exits them"
    )
    log.warning("order %s: %s", entry.command_id, text)
    tx.notify(Notice(NoticeKind.SYSTEM, entry.client_id, part, part.alert_id, part.symbol, text))


def add_part(
    tx: Transaction,
    exit_: Order,
    quantity: Decimal,
    *,
    product: str,
    now: datetime,
    actor: str,
    chase: Chase | None = None,
    limit: Decimal | None = None,
) -> Order:
    """Register a further part of an exit's leg, of that many units.

    It asks for what its exit asked for, side and product: it never takes from a product that the exit did not name.

    Args:
        product: the one that is tried first where the exit named none. Units that are held in others follow.
        chase: how far the following has come that this part goes on with.
        limit: the price of a part that is sent as a limit order, whatever its exit asked for.
    """
    leg = exit_.parent_command_id or exit_.command_id
    order_type, price = exit_.order_type, exit_.price
    if limit is not None:
        order_type, price = OrderType.LIMIT, limit
    elif chase_of(exit_).at_band:  # it was to be filled at once, whatever price it had to go at
        order_type, price = OrderType.MARKET, None
    command_id = f"{leg}.{len(tx.parts(leg)) + 2}"
    part = Order(
        command_id=command_id,
        alert_id=exit_.alert_id,
        leg_index=exit_.leg_index,
        client_id=exit_.client_id,
        strategy_name=exit_.strategy_name,
        execution_type=ExecutionType.EXIT,
        exchange=exit_.exchange,
        symbol=exit_.symbol,
        side=exit_.side,
        quantity=quantity,
        requested_quantity=quantity,
        product=product,
        order_type=order_type,
        price=price,
        trigger_price=exit_.trigger_price,
        reference_price=exit_.reference_price,
        test_mode=None,
        client_order_id=client_order_id(f"part|{command_id}"),
        created_at=now,
        expires_at=now + _PART_LIFE,
        filled_quantity=ZERO,
        requested_side=exit_.requested_side,
        requested_product=exit_.requested_product,
        parent_command_id=leg,
        context_json=None if chase is None else json.dumps(chase_context(chase), ensure_ascii=False),
    )
    registered = tx.apply(register(part, at=now, actor=actor))
    tx.add_intent(registered, f"part|{command_id}", None)
    return registered
