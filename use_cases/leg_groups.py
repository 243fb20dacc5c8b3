"""Keep the entries of one alert together after they were registered: when one fails, the unsent ones are not sent.

The same holds whoever ends a leg: the broker, a rule or an exit (`engine` calls this), or a person (`command_service`).
"""

import logging
from collections.abc import Sequence
from datetime import datetime

from blockers.adjusting import behind_exits
from blockers.groups import incomplete, needs, with_its_group
from blockers.pipeline import judged, question
from blockers.rules import Block
from domain.actors import WEBHOOK, actor_of
from domain.cancellation import cancel_wish
from domain.entry_waits import Wait, WaitsFor
from domain.enums import ExecutionType
from domain.exit_sizing import entries_to_take_back
from domain.group_asked import handling_of
from domain.limits import ClientPolicy, GroupPolicy, WhenIncomplete
from domain.money import decimal_text
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.ports import Transaction
from domain.reason_codes import Reason
from domain.states import Status
from domain.transitions import blocked, waiting
from use_cases.unwind_groups import group_of, reopen

log = logging.getLogger(__name__)


def other_legs(tx: Transaction, policy: ClientPolicy, order: Order) -> list[Order]:
    """Return its client's other entries of the order's alert, where these are judged together; otherwise none.

    For an exit of the same alert, which closes what its entry turns, the entry waits as for any other exit.
    """
    is_entry = order.execution_type is ExecutionType.ENTRY
    if not is_entry or not handling_of(policy, order).is_grouped:
        return []
    return [
        leg
        for leg in tx.orders_of_alert(order.alert_id)
        if leg.command_id != order.command_id
        and leg.client_id == order.client_id
        and leg.execution_type is ExecutionType.ENTRY
    ]


def judged_in_group(
    tx: Transaction, policy: ClientPolicy, order: Order, now: datetime
) -> Block | Wait | None:
    """Judge an order as `blockers.pipeline.judged` does; one that completes a group goes while entries only reduce."""
    answer = judged(tx, order, policy, now)
    if not isinstance(answer, Block) or answer.reason is not Reason.REDUCING_ONLY:
        return answer
    others = other_legs(tx, policy, order)
    if group_of(tx, order) is None or not any(leg.filled_quantity for leg in others):
        return answer
    return judged(tx, order, policy, now, completes_group=True)


def behind_its_exits(tx: Transaction, policy: ClientPolicy, order: Order, now: datetime) -> Wait | None:
    """Return the wait of an entry for the exits of its own alert in other symbols; None: there are none to wait for."""
    if order.execution_type is not ExecutionType.ENTRY:
        return None
    exits = [
        leg
        for leg in tx.orders_of_alert(order.alert_id)
        if leg.client_id == order.client_id and leg.execution_type is ExecutionType.EXIT
    ]
    if not exits:
        return None
    places = sorted({(leg.strategy_name, leg.exchange, leg.symbol) for leg in exits})
    held = [h for place in places for h in tx.holding(order.client_id, *place)]
    asked = question(order, policy, now)
    facts = tx.facts(asked.query, now=now, limits=asked.limits, live_allowed=asked.live_allowed)
    rows = [(leg, *tx.parts(leg.command_id)) for leg in exits]
    opens = [entry for leg in exits for entry in _may_open_again(tx, leg, now)]
    return behind_exits(order, rows, held, opens, facts.positions_read_at, now)


def _may_open_again(tx: Transaction, exit_: Order, now: datetime) -> tuple[Order, ...]:
    """List the entries that may still open what the exit closes: their cancel was asked for, and is not shown."""
    entries = entries_to_take_back(exit_, tx.exit_facts(exit_, now))
    return tuple(e for e in entries if not exit_.filled_quantity or e.side is exit_.side.opposite)


def let_go(tx: Transaction, policy: ClientPolicy, order: Order, now: datetime) -> Block | Wait | None:
    """Return the block or wait that the other legs of its alert impose on an entry that waited; None: it may go."""
    wait = behind_its_exits(tx, policy, order, now)
    if wait is not None:
        return wait
    is_best_effort = handling_of(policy, order).grouping is GroupPolicy.BEST_EFFORT
    return with_its_group(order, other_legs(tx, policy, order), is_best_effort=is_best_effort)


def after_leg_ended(
    tx: Transaction, policy: ClientPolicy, before: Order, after: Order, *, now: datetime, actor: str
) -> None:
    """Apply the group rule after a change that may have ended a leg: the book, a call's answer or a person.

    Where an exit of its strategy took the leg back, nobody is notified of the legs that are live: that exit says what
    becomes of the position.
    """
    reopen(tx, before, after, now=now)
    if after.status is not Status.FAILED or before.status is Status.FAILED:
        return
    if _was_taken_back(after):
        block_unsent(tx, policy, after, now=now, actor=actor)
    else:
        keep_group(tx, policy, after, now=now, actor=actor)


def keep_group(tx: Transaction, policy: ClientPolicy, ended: Order, *, now: datetime, actor: str) -> None:
    """After one leg failed, block the legs that were not sent, and notify of those that are live.

    Of a group that is unwound the watcher tells, which looks at it next.
    """
    legs = block_unsent(tx, policy, ended, now=now, actor=actor)
    group = group_of(tx, ended) if legs else None
    if group is not None and group.when_incomplete is WhenIncomplete.UNWIND:
        return
    live = [leg for leg in (ended, *legs) if leg.may_be_live or leg.filled_quantity or leg.look_first]
    if legs and live:
        text = _live_text(ended, live)
        log.error("order %s: %s", ended.command_id, text)
        place = (ended, ended.alert_id, ended.symbol)
        tx.notify(Notice(NoticeKind.SYSTEM, ended.client_id, *place, text))


def block_unsent(
    tx: Transaction, policy: ClientPolicy, ended: Order, *, now: datetime, actor: str
) -> list[Order]:
    """After one leg failed, block the legs that were not sent; return all other legs as they were before that."""
    legs = other_legs(tx, policy, ended)
    why = incomplete(ended)
    is_best_effort = handling_of(policy, ended).grouping is GroupPolicy.BEST_EFFORT
    for leg in legs:
        if leg.status is not Status.CREATED or (is_best_effort and not needs(leg, ended)):
            continue
        unsent = tx.get(leg.command_id) or leg  # the end of the previous leg may have released it
        if unsent.look_first:  # it may be at the broker: after its book lookup the group is judged again
            wait = Wait(WaitsFor.GROUP, unsent.not_before or now)
            tx.apply(waiting(unsent, wait, at=now, actor=actor))
        else:
            tx.apply(blocked(unsent, why.reason, why.detail, at=now, actor=actor))
    return legs


def _was_taken_back(order: Order) -> bool:
    """Return True where the program requested the cancel of this entry, as it does for an exit of its strategy.

    An alert that takes it back closes nothing: what it leaves live is told as after a person's cancel.
    """
    wish = cancel_wish(order)
    asker = None if wish is None else actor_of(wish.by)
    return asker is not None and not asker.is_person and asker != WEBHOOK


def _live_text(ended: Order, live: Sequence[Order]) -> str:
    what = ", ".join(
        f"{leg.side} {decimal_text(leg.quantity)} {leg.symbol} ({leg.short_id}, "
        + (
            "perhaps: it is looked for in the book)"
            if leg.look_first
            else f"{leg.phase}, {decimal_text(leg.filled_quantity)} filled{_asked(leg)})"
        )
        for leg in live
    )
    return (
        f"one leg of the alert came to nothing, others are live: {ended.side} {decimal_text(ended.quantity)} "
        f"{ended.symbol} has ended ({ended.tag}); live without it: {what}. "
        "Decide whether you keep them: the strategy's EXIT, or cli.py flatten, closes them"
    )


def _asked(leg: Order) -> str:
    return ", its cancel was requested" if leg.may_be_live and leg.cancel_requested_at is not None else ""
