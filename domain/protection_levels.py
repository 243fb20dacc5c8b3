"""The levels of a protection: the trail that moves a stop, and which rule a price meets. Pure."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from domain.marks import Mark
from domain.money import ZERO
from domain.protection import EventKind, Followed, Protection, ProtectionEvent, Rule, figures
from domain.protection_terms import TrailingType, above_zero, distance, level_of, tighter


def trailed(p: Protection, mark: Mark, now: datetime) -> Followed:
    """Remember the best price, and let the stop follow it."""
    assert p.average_price is not None
    events: tuple[ProtectionEvent, ...] = ()
    after = p
    best = tighter(
        p.side, p.best_price, mark.price
    )  # the better price is on the side to which a stop tightens
    if best != p.best_price:
        after = replace(p, best_price=best, mark_price=mark.price, mark_at=mark.at)
    best = tighter(p.side, p.average_price, best)
    assert best is not None
    gained = (best - p.average_price) * p.side.sign
    if not after.is_armed and _arms(after, gained):
        after = replace(after, is_armed=True)
        events += (ProtectionEvent(EventKind.ARMED, now, figures(price=mark.price)),)
    stop = tighter(p.side, p.stop_price, above_zero(_trail_stop(after, best, gained)))
    if stop != p.stop_price:
        after = replace(after, stop_price=stop)
        facts = figures(price=mark.price, before=p.stop_price, stop=stop)
        events += (ProtectionEvent(EventKind.MOVED, now, facts),)
    return after, events


def _arms(p: Protection, gained: Decimal) -> bool:
    if p.trailing_type is None:
        return False
    assert p.average_price is not None
    is_percent = p.trailing_type is TrailingType.PERCENT
    return gained >= distance(p.trail_when or ZERO, p.average_price, is_percent=is_percent)


def _trail_stop(p: Protection, best: Decimal, gained: Decimal) -> Decimal | None:
    """Return the stop that the trail asks for; None: the trail is not armed, or there is none."""
    if not p.is_armed or p.trailing_value is None or p.average_price is None:
        return None
    if p.trailing_type is TrailingType.STEP:
        if p.stop_loss is None or not p.trail_when or gained <= 0:
            return None
        first = level_of(p.stop_loss).price(p.average_price, -p.side.sign)
        return first + p.side.sign * p.trailing_value * (gained // p.trail_when)
    is_percent = p.trailing_type is TrailingType.PERCENT
    return best - p.side.sign * distance(p.trailing_value, p.average_price, is_percent=is_percent)


def met(p: Protection, price: Decimal) -> Rule | None:
    """Return the rule that this price meets. Where stop and target are met by the same price, the stop wins."""
    if p.stop_price is not None and (price - p.stop_price) * p.side.sign <= 0:
        return Rule.TRAIL if p.is_armed else Rule.STOP
    if p.target_price is not None and (price - p.target_price) * p.side.sign >= 0:
        return Rule.TARGET
    return None
