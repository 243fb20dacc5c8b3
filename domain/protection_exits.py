"""Follow the exits that a protection has asked for, and try again where one failed. Pure.

Nothing is tried beside an exit that may be live, and an unknown outcome is not a failure. A second try needs no price:
the level was met once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from domain.exit_chase import chase_of, ends_of
from domain.further_terms import further_of, without_targets
from domain.money import ZERO, decimal_text
from domain.order import Order
from domain.protection import (
    AskedExit,
    EventKind,
    ExitSeen,
    ExitState,
    Followed,
    Protection,
    ProtectionEvent,
    Rule,
    changed,
    ended,
)
from domain.protection_levels import with_unsold
from domain.reason_codes import Reason, reason_of
from domain.states import Status

RETRY_WAITS = (timedelta(seconds=2), timedelta(seconds=10), timedelta(seconds=30))
"""How long a protection waits before it asks again, after each failure. After one more failure it gives up."""


CANCELLED = "CANCELLED"
"""Why an exit came to nothing: somebody cancelled it."""


class Next(StrEnum):
    """What follows from a failed exit."""

    RETRY = "RETRY"
    RULE_DROPPED = "RULE_DROPPED"  # the target, or the time to exit: the stop goes on without it
    ENDED = "ENDED"
    NOTHING_HELD = "NOTHING_HELD"


def exit_seen(exit_: Order | None, parts: Sequence[Order], now: datetime) -> ExitSeen:
    """Judge an exit by its row, None where it is in the archive, and by the rows of its further parts."""
    if exit_ is None:
        return ExitSeen(ExitState.DONE)
    if any(_may_sell(each, now) for each in (exit_, *parts)):
        return ExitSeen(ExitState.LIVE)
    sold = sum((each.filled_quantity for each in (exit_, *parts)), ZERO)
    # Where it was priced anew, the part that went on last tells; of slices beside each other all do.
    failed = [each for each in ends_of(exit_, parts) if not _is_done(each)]
    if not failed:
        return ExitSeen(ExitState.DONE, sold)
    if any(_is_withdrawn(each) for each in failed):
        return ExitSeen(ExitState.WITHDRAWN, sold)
    return ExitSeen(ExitState.FAILED, sold, failed[-1].tag or "")


def _is_done(order: Order) -> bool:
    return order.status is Status.EXECUTED or reason_of(order.tag) is Reason.NO_POSITION


def _is_withdrawn(order: Order) -> bool:
    is_cancelled = order.cancel_requested_at is not None and not chase_of(order).asked
    return is_cancelled or reason_of(order.tag) is Reason.CANCELLED_BEFORE_SENT


def _may_sell(order: Order, now: datetime) -> bool:
    return order.status in (Status.CREATED, Status.SENT_TO_BROKER) or order.is_provisional(now)


def followed_exits(
    p: Protection, seen: Mapping[str, ExitSeen], now: datetime, *, is_held: bool = True
) -> Followed:
    """Take note of the exits that are over. What a failed one leaves is covered again, and asked for again later.

    Args:
        seen: by the exit's id; one that is missing counts as live.
        is_held: False where nothing that the protection covers is held any more.
    """
    events: tuple[ProtectionEvent, ...] = ()
    for asked in p.exits:
        found = seen.get(asked.command_id)
        if found is None or found.state is ExitState.LIVE:
            continue
        p = replace(p, exits=tuple(each for each in p.exits if each is not asked))
        back = asked.units - min(found.sold, asked.units)
        if found.state is ExitState.DONE or not back:
            p = p if p.retry_at else changed(p, failures=0)
            continue
        p = replace(p, exited=p.exited - back)
        if asked.rule is Rule.TARGET:
            p = with_unsold(p, back)
        if found.state is ExitState.WITHDRAWN and _has_stop_beside(p, asked.rule):
            p, event = _withdrawn(p, asked, back, now)
            events += (event,)
            continue
        if found.state is ExitState.WITHDRAWN:
            p, more = ended(p, "EXIT_CANCELLED", now)
            return p, events + more
        p, event = _failed(p, asked, found, back, now, is_held=is_held)
        events += (event,)
        if not p.is_watched:
            break
    return p, events


def _failed(
    p: Protection, asked: AskedExit, found: ExitSeen, back: Decimal, now: datetime, *, is_held: bool
) -> tuple[Protection, ProtectionEvent]:
    p = replace(p, failures=p.failures + 1)
    facts = {"rule": asked.rule.value, "exit": asked.command_id, "quantity": decimal_text(back)}
    facts |= {"why": found.tag, "failures": str(p.failures)}
    if not is_held:
        follows = Next.NOTHING_HELD
    elif p.failures <= len(RETRY_WAITS):
        follows = Next.RETRY
        wait = RETRY_WAITS[p.failures - 1]
        facts["again_in"] = f"{wait.total_seconds():.0f} s"
        rule = asked.rule if p.retry_rule in (None, Rule.TARGET) else p.retry_rule
        p = replace(p, retry_at=now + wait, retry_rule=rule, retry_units=back + (p.retry_units or ZERO))
    elif _has_stop_beside(p, asked.rule):
        follows = Next.RULE_DROPPED
        p = _without_rule(p, asked.rule)
    else:
        follows = Next.ENDED
        p, _ = ended(p, "EXIT_FAILED", now)
    return p, ProtectionEvent(EventKind.EXIT_FAILED, now, facts | {"next": follows.value})


def _withdrawn(
    p: Protection, asked: AskedExit, back: Decimal, now: datetime
) -> tuple[Protection, ProtectionEvent]:
    """Go on with the stop alone: who cancels the exit of a target says nothing about what else is held."""
    facts = {"rule": asked.rule.value, "exit": asked.command_id, "quantity": decimal_text(back)}
    facts |= {"why": CANCELLED, "failures": "1", "next": Next.RULE_DROPPED.value}
    return _without_rule(p, asked.rule), ProtectionEvent(EventKind.EXIT_FAILED, now, facts)


def _has_stop_beside(p: Protection, rule: Rule) -> bool:
    """Return True for a target or a time to exit of a protection that has a stop too."""
    if rule not in (Rule.TARGET, Rule.TIME):
        return False
    is_to_come = p.trailing_type is not None or further_of(p.protection_json).lock is not None
    return p.stop_price is not None or is_to_come


def _without_rule(p: Protection, rule: Rule) -> Protection:
    p = replace(without_retry(p) if p.retry_rule in (None, rule) else p, failures=0)
    return replace(p, exit_at=None) if rule is Rule.TIME else _without_targets(p)


def _without_targets(p: Protection) -> Protection:
    further = without_targets(p.protection_json)
    return replace(p, target=None, target_price=None, targets_sold=(), protection_json=further)


def without_retry(p: Protection) -> Protection:
    """Return the protection with no second try due."""
    return changed(p, retry_at=None, retry_rule=None, retry_units=None)


def is_retry_due(p: Protection, now: datetime) -> bool:
    """Return True when it is time for a second try, also where the clock was set back since the failure."""
    if p.retry_at is None:
        return False
    return now >= p.retry_at or p.retry_at - now > RETRY_WAITS[-1]
