"""The levels of a protection: the trail that moves a stop, and which rule a price meets. Pure."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from domain.further_terms import further_of
from domain.marks import Mark
from domain.money import ZERO
from domain.protection import EventKind, Followed, Protection, ProtectionEvent, Rule, figures
from domain.protection_terms import TrailingType, above_zero, distance, level_of, price_of, tighter


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
    after, at_cost = _at_cost(after, mark, gained, now)
    events += at_cost
    after, locked = _locked(after, mark, gained, now)
    events += locked
    before = after.stop_price
    stop = tighter(p.side, before, above_zero(_trail_stop(after, best, gained)))
    if stop != before:
        after = replace(after, stop_price=stop)
        facts = figures(price=mark.price, before=before, stop=stop)
        events += (ProtectionEvent(EventKind.MOVED, now, facts),)
    return after, events


def _at_cost(p: Protection, mark: Mark, gained: Decimal, now: datetime) -> Followed:
    """Move the stop to the average fill, once, after the agreed move in favour."""
    further, average = further_of(p.protection_json), p.average_price
    if p.is_at_cost or further.cost_trigger is None or average is None:
        return p, ()
    if gained < further.cost_trigger.points(average):
        return p, ()
    offset = ZERO if further.cost_offset is None else further.cost_offset.points(average)
    stop = tighter(p.side, p.stop_price, average + p.side.sign * offset)
    facts = figures(price=mark.price, before=p.stop_price, stop=stop)
    return replace(p, is_at_cost=True, stop_price=stop), (ProtectionEvent(EventKind.AT_COST, now, facts),)


def _locked(p: Protection, mark: Mark, gained: Decimal, now: datetime) -> Followed:
    """Move the stop to the part of the profit that is kept, once it is reached, and with each further step."""
    lock, average = further_of(p.protection_json).lock, p.average_price
    if lock is None or average is None:
        return p, ()
    points = lock.points(average)
    steps = points.steps(gained)
    if steps is None or (p.locked_steps is not None and steps <= p.locked_steps):
        return p, ()
    stop = tighter(p.side, p.stop_price, average + p.side.sign * points.kept(steps))
    facts = {"step": str(steps), **figures(price=mark.price, before=p.stop_price, stop=stop)}
    kind = EventKind.LOCKED if p.locked_steps is None else EventKind.LOCK_STEPPED
    return replace(p, locked_steps=steps, stop_price=stop), (ProtectionEvent(kind, now, facts),)


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
        if p.is_armed:
            return Rule.TRAIL
        return Rule.STOP if p.locked_steps is None else Rule.LOCK
    if p.target_price is not None and (price - p.target_price) * p.side.sign >= 0:
        return Rule.TARGET
    return None


# several targets ----------------------------------------------------------------------------------------------


def next_target_price(p: Protection) -> Decimal | None:
    """Return the price of the target, of several the nearest that has units to sell."""
    targets = further_of(p.protection_json).targets
    if not targets:
        return price_of(p.target, p.average_price, p.side.sign)
    due = _due(p)
    number = next((n for n in range(len(targets)) if due[n]), len(targets) - 1)
    return price_of(targets[number].value, p.average_price, p.side.sign)


def units_of_targets(p: Protection, price: Decimal) -> Decimal:
    """Return how many of the units that are covered the targets that this price meets may sell."""
    targets = further_of(p.protection_json).targets
    if not targets:
        return p.quantity
    levels = [price_of(each.value, p.average_price, p.side.sign) for each in targets]
    is_met = [level is not None and (price - level) * p.side.sign >= 0 for level in levels]
    return sum((units for units, met_now in zip(_due(p), is_met, strict=True) if met_now), ZERO)


def with_sold(p: Protection, units: Decimal) -> Protection:
    """Count units for which targets ask, the nearest first."""
    sold = list(p.targets_sold)
    for number, due in enumerate(_due(p)):
        taken = min(due, units)
        sold[number] += taken
        units -= taken
    return replace(p, targets_sold=tuple(sold))


def with_unsold(p: Protection, units: Decimal) -> Protection:
    """Take back units for which targets asked, and whose exit failed: the farthest first."""
    sold = list(p.targets_sold)
    for number in reversed(range(len(sold))):
        back = min(sold[number], units)
        sold[number] -= back
        units -= back
    return replace(p, targets_sold=tuple(sold))


def _due(p: Protection) -> list[Decimal]:
    """Return the units that each of several targets may still sell; the last one takes the rest.

    Shares count from what is covered now and what targets have asked for, so that another exit cuts all of them.
    """
    further, left = further_of(p.protection_json), p.quantity
    base = p.quantity + sum(p.targets_sold, ZERO)
    due = []
    for number, sold in enumerate(p.targets_sold):
        is_last = number == len(p.targets_sold) - 1
        units = left if is_last else min(max(further.share_of(number, base) - sold, ZERO), left)
        due.append(units)
        left -= units
    return due
