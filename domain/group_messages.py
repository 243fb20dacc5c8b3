"""What people are told of a group of legs: what is live, since when, what is being done, and what they can do. Pure."""

from collections.abc import Sequence
from datetime import datetime

from domain.combined_messages import combined_notices
from domain.leg_groups import Decision, GroupState, LegGroup, LegSeen, is_naked
from domain.limits import WhenIncomplete
from domain.money import decimal_text
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.protection import Rule
from domain.states import Status
from domain.times import time_text


def notices_of(decision: Decision, now: datetime) -> list[tuple[NoticeKey | None, Notice]]:
    """Return the notices of a step; one with a key is told once."""
    before, after, legs = decision.before, decision.after, decision.legs
    told: list[tuple[NoticeKey | None, Notice]]
    told = [(None, notice) for notice in combined_notices(decision, _whose(after))]
    is_met = _rule_met(after) is not None
    if after.state is not before.state and before.state is not GroupState.UNWINDING and not is_met:
        is_ours = after.when_incomplete is WhenIncomplete.UNWIND
        if after.state is GroupState.UNWINDING or (is_ours and after.state is GroupState.UNWOUND):
            told.append((None, _notice(after, _begun(after, legs))))
        elif after.state is GroupState.LEFT_TO_PERSON and not _has_failed(legs):
            told.append(
                (None, _notice(after, _late(after, legs)))
            )  # where one has failed, its end told of it
    if before.state is GroupState.UNWINDING and after.state is not before.state:
        text = _unwound(after, legs) if after.state is GroupState.UNWOUND else _left(after, legs)
        told.append((None, _notice(after, text)))
    elif decision.waits_for and after.state is GroupState.UNWINDING:
        told.append((waiting_key(after), _notice(after, _waits(after, decision.waits_for, now))))
    return told


def waiting_key(group: LegGroup) -> NoticeKey:
    """Return the key under which it is told what an unwinding waits for."""
    return NoticeKey(NoticeSubject.GROUP_WAITS, (group.group_id,))


def _notice(group: LegGroup, text: str) -> Notice:
    return Notice(NoticeKind.SYSTEM, group.client_id, None, group.alert_id, None, text)


def _rule_met(group: LegGroup) -> Rule | None:
    """Return the rule of its combined protection for which the group leaves; None: it leaves for another reason."""
    return None if group.combined is None else group.combined.fired_by


def _has_failed(legs: Sequence[LegSeen]) -> bool:
    return any(leg.order.status is Status.FAILED for leg in legs)


def _begun(group: LegGroup, legs: Sequence[LegSeen]) -> str:
    held = _held(legs)
    if not held:
        return (
            f"{_whose(group)} will not be complete: {group.why}. Nothing of it is filled; what is still open is "
            "cancelled. Nothing for you to do"
        )
    since = (
        "" if group.incomplete_since is None else f", incomplete since {time_text(group.incomplete_since)}"
    )
    naked = ". A SOLD LEG IS WITHOUT ITS HEDGE" if is_naked(legs) else ""
    return (
        f"{_whose(group)} will not be complete: {group.why}. Held without the rest: {held}{since}{naked}. "
        "It is being unwound: open legs are cancelled, sold legs are bought back first, hedges are sold last. Nothing "
        "for you to do unless you hear again; cli.py flatten exits all of it at once"
    )


def _late(group: LegGroup, legs: Sequence[LegSeen]) -> str:
    held = _held(legs) or "nothing yet"
    naked = ". A SOLD LEG IS WITHOUT ITS HEDGE" if is_naked(legs) else ""
    return (
        f"{_whose(group)} is incomplete: {group.why}. Held: {held}{naked}. Its open orders stay. Decide whether you "
        "keep it: the strategy's EXIT, or cli.py flatten, closes what is held; cli.py cancel ends an order"
    )


def _unwound(group: LegGroup, legs: Sequence[LegSeen]) -> str:
    gone = ", ".join(
        f"{decimal_text(leg.exited)} of {leg.order.symbol} "
        + ("bought back" if leg.is_sold else "sold again")
        for leg in legs
        if leg.exited
    )
    what = f": {gone}" if gone else ": nothing of it was held"
    why = f"It was incomplete: {group.why}" if _rule_met(group) is None else f"It left: {group.why}"
    return f"{_whose(group)} is unwound{what}. {why}. Nothing for you to do"


def _left(group: LegGroup, legs: Sequence[LegSeen]) -> str:
    naked = " A SOLD LEG IS WITHOUT ITS HEDGE." if is_naked(legs) else ""
    return (
        f"{_whose(group)} could not be unwound: {group.why}. Still held: {_held(legs) or 'nothing'}.{naked} Nothing "
        "more is done by itself: exit it by hand, sold legs first, or with cli.py flatten"
    )


def _waits(group: LegGroup, waits: Sequence[LegSeen], now: datetime) -> str:
    what = "; ".join(_what(leg, now) for leg in waits)
    return (
        f"{_whose(group)} is not unwound yet: {what}. It goes on as soon as that is known. Look into the broker's own "
        "order book: an order of unknown outcome can be resolved (cli.py resolve)"
    )


def _what(leg: LegSeen, now: datetime) -> str:
    order = leg.order
    if leg.may_move(now):
        return f"{order.side} {order.symbol} ({order.short_id}) is {order.phase}, and may still be filled"
    tried = leg.tries[-1][-1] if leg.tries else None
    if tried is not None and leg.is_exiting(now):
        return f"the exit {tried.short_id} of {order.symbol} is {tried.phase}"
    return f"{decimal_text(leg.left)} of {order.symbol} are held"


def _held(legs: Sequence[LegSeen]) -> str:
    return ", ".join(
        f"{leg.order.side} {decimal_text(leg.left)} of {decimal_text(leg.order.quantity)} {leg.order.symbol}"
        for leg in legs
        if leg.left
    )


def _whose(group: LegGroup) -> str:
    return f"the group of {len(group.legs)} legs of {group.strategy_name} (alert {group.alert_id[-10:]})"
