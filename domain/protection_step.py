"""The one rule that moves a protection. Pure.

From a protection and what is known now, `step` makes the protection as it is then, what happened, and the exit that is
wanted, if any.

- A stop only tightens. That holds for the fills of the entry too: where its average moves, the stop never moves back.
- A protection fires once a generation. Its exit's id derives from both, so nobody can ask for another one.
- It covers what its entry has filled, as far as its strategy still holds it, and ends when nothing is held any more.
- Without a usable price its state is unknown: nothing moves, and nothing fires but second tries and what the clock
  asks for.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from domain.further_terms import further_of
from domain.marks import Mark, MarkFault, fault_of
from domain.protection import (
    UNFILLED_KEPT,
    Covered,
    EventKind,
    ExitState,
    Followed,
    Protection,
    ProtectionEvent,
    ProtectionStatus,
    Rule,
    Step,
    WantedExit,
    changed,
    ended,
    figures,
    stepped,
)
from domain.protection_exits import followed_exits, is_retry_due, without_retry
from domain.protection_levels import met, next_target_price, trailed, units_of_targets, with_sold
from domain.protection_terms import price_of, tighter

UNKNOWN_TOLD_AFTER = timedelta(seconds=15)
"""How long a protection may be unknown before people are notified: a single lost price is only a lag."""
TRAIL_TOLD_EVERY = timedelta(minutes=5)
"""How often people are notified of a stop that follows the price."""


def step(protection: Protection, covered: Covered, mark: Mark | None, now: datetime) -> Step:
    """Follow its exits, the entry's fills and what is held, then the price; see the top of this module."""
    if not protection.is_watched:
        return Step(protection, protection)
    p, events = followed_exits(protection, covered.exits, now, is_held=bool(covered.units))
    if not p.is_watched or _is_seen_to(p, covered):
        return stepped(protection, p, events, now)
    if p.status is ProtectionStatus.FIRED:
        p, more = _after_exits(p, covered, now)
        events += more
        if p.status is ProtectionStatus.FIRED:
            return stepped(protection, p, events, now)
    if covered.average is None and covered.filled:
        if p.average_price is None:  # nothing to count from: neither levels nor a trail
            p, more = _unpriced(p, covered, now)
            events += more
            if p.quantity and _is_time(p, now):
                return _fired(protection, without_retry(p), events, Rule.TIME, None, covered, now)
            return stepped(protection, p, events, now)
        covered = replace(covered, average=p.average_price)
    p, more = _follow(p, covered, now)
    events += more
    if p.status is not ProtectionStatus.ACTIVE or not p.quantity:
        return stepped(protection, without_retry(p), events, now)
    return _priced(protection, p, events, covered, mark, now)


def _priced(
    before: Protection,
    p: Protection,
    events: tuple[ProtectionEvent, ...],
    covered: Covered,
    mark: Mark | None,
    now: datetime,
) -> Step:
    """Ask for the exit that is due: because one failed, by the clock, or by what the price meets."""
    p = changed(p, active_since=min(p.active_since or now, now))
    if is_retry_due(p, now) and p.retry_rule is not None:
        return _fired(before, p, events, p.retry_rule, None, covered, now)
    if _is_time(p, now):
        return _fired(before, without_retry(p), events, Rule.TIME, None, covered, now)
    fault = fault_of(mark, p.exchange, p.symbol, since=p.active_since or now, now=now)
    if fault is not None or mark is None:
        p, more = _unknown(p, fault or MarkFault.MISSING, now)
        return stepped(before, p, events + more, now)
    p, more = _known(p, mark, now)
    p, moved = trailed(p, mark, now)
    events += more + moved
    rule = met(p, mark.price)
    if rule is not None and not _is_waiting(p, rule):
        return _fired(before, without_retry(p), events, rule, mark, covered, now)
    tells = bool(moved) and _is_due(p.trail_told_at, now)
    if tells:
        p = replace(p, trail_told_at=now)
    done = stepped(before, p, events, now)
    return replace(done, tells_trail=True) if tells else done


def _is_seen_to(p: Protection, covered: Covered) -> bool:
    """Return True while an exit of everything may be live: it, or a further part of it, takes what comes late too."""
    if p.exit_command_id is None:
        return False
    if any(each.is_all for each in p.exits):
        return True
    last = covered.exits.get(p.exit_command_id or "")
    is_followed = any(each.command_id == p.exit_command_id for each in p.exits)
    return last is not None and last.state is ExitState.LIVE and not is_followed


def _is_time(p: Protection, now: datetime) -> bool:
    return p.exit_at is not None and now >= p.exit_at and not _is_waiting(p, Rule.TIME)


def _is_waiting(p: Protection, rule: Rule) -> bool:
    """Return True where a second try is due that waits its time; no other rule waits for that of a target."""
    return p.retry_rule is not None and (p.retry_rule is not Rule.TARGET or rule is Rule.TARGET)


def _begun(p: Protection, now: datetime) -> Protection:
    """Note when the first fill is seen, from which the time to exit may count."""
    if p.active_since is not None:
        return p
    after = further_of(p.protection_json).exit_after
    times = [at for at in (p.exit_at, None if after is None else now + after) if at is not None]
    return replace(p, active_since=now, exit_at=min(times, default=None))


def _unpriced(p: Protection, covered: Covered, now: datetime) -> Followed:
    if not covered.units and p.quantity and covered.entry_is_over:
        return ended(p, "NOTHING_HELD", now)
    return _unknown(replace(_begun(p, now), quantity=covered.units), MarkFault.FILL_UNPRICED, now)


def _after_exits(p: Protection, covered: Covered, now: datetime) -> Followed:
    """Go on after an exit of all that was covered: it is over, or a late fill or a failure leaves something held."""
    p = changed(p, over_since=_over_since(p, covered, now))
    if p.exits:
        return p, ()
    if not covered.units:
        p = without_retry(p)
        return (replace(p, is_watched=False) if _is_settled(p, covered, now) else p), ()
    event = ProtectionEvent(EventKind.AGAIN, now, figures(quantity=covered.units, stop=p.stop_price))
    return replace(p, status=ProtectionStatus.ACTIVE, generation=p.generation + 1), (event,)


def _follow(p: Protection, covered: Covered, now: datetime) -> Followed:
    """Cover what the entry has filled and its strategy still holds."""
    p = changed(p, over_since=_over_since(p, covered, now))
    if not covered.filled:
        is_late = p.over_since is not None and now - p.over_since > UNFILLED_KEPT
        return ended(p, "UNFILLED", now) if is_late and not p.filled else (p, ())
    after = p
    assert covered.average is not None
    if (covered.filled, covered.average) != (p.filled, p.average_price):
        best = p.best_price if p.is_armed or covered.average == p.average_price else None
        after = replace(p, filled=covered.filled, average_price=covered.average, best_price=best)
        after = _with_levels(after, now)
    if covered.units != after.quantity:
        after = replace(after, quantity=covered.units)
    if after is not p:
        after = _with_target(after)
    if not covered.units:
        if _is_settled(after, covered, now) and not after.exits:
            return ended(after, "NOTHING_HELD", now)
        after = changed(after, unknown_since=None, is_unknown=False)
    if (after.quantity, after.stop_price, after.target_price) == (p.quantity, p.stop_price, p.target_price):
        return after, ()
    kind = EventKind.SHRUNK if after.quantity < p.quantity else EventKind.FILLED
    facts = figures(quantity=after.quantity, average=covered.average, stop=after.stop_price)
    events = [ProtectionEvent(kind, now, facts | figures(target=after.target_price))]
    if p.average_price is None and after.stop_loss is not None and after.stop_price is None:
        events.append(ProtectionEvent(EventKind.NO_STOP, now, figures(average=covered.average)))
    return after, tuple(events)


def _over_since(p: Protection, covered: Covered, now: datetime) -> datetime | None:
    """Return since when the entry is over with a part or nothing filled; None: it is not, or it is full."""
    if not covered.entry_is_over or (covered.is_full and covered.filled):
        return None
    return min(p.over_since or now, now)  # the clock may have been set back


def _is_settled(p: Protection, covered: Covered, now: datetime) -> bool:
    """Return True when no fill of the entry is expected any more, not even a late one."""
    if p.over_since is None:
        return covered.entry_is_over
    return now - p.over_since > UNFILLED_KEPT


def _with_target(p: Protection) -> Protection:
    """Set the target by the average fill; of several, where what is covered has changed too."""
    return replace(p, target_price=next_target_price(p))


def _with_levels(p: Protection, now: datetime) -> Protection:
    """Set the levels from the average fill. The stop never moves back, wherever the average goes."""
    stop = price_of(p.stop_loss, p.average_price, -p.side.sign)
    stop = tighter(p.side, p.stop_price, stop)
    return replace(_begun(p, now), status=ProtectionStatus.ACTIVE, stop_price=stop)


def _unknown(p: Protection, fault: MarkFault, now: datetime) -> Followed:
    since = min(p.unknown_since or now, now)  # the clock may have been set back
    if p.is_unknown or now - since < UNKNOWN_TOLD_AFTER:
        return replace(p, unknown_since=since), ()
    event = ProtectionEvent(EventKind.UNKNOWN, now, {"fault": fault.value})
    return replace(p, unknown_since=since, is_unknown=True), (event,)


def _known(p: Protection, mark: Mark, now: datetime) -> Followed:
    if p.unknown_since is None:
        return p, ()
    after = replace(p, unknown_since=None, is_unknown=False)
    if not p.is_unknown:
        return after, ()
    return after, (ProtectionEvent(EventKind.KNOWN, now, figures(price=mark.price)),)


def _fired(
    before: Protection,
    p: Protection,
    events: tuple[ProtectionEvent, ...],
    rule: Rule,
    mark: Mark | None,
    covered: Covered,
    now: datetime,
) -> Step:
    """Ask for the exit. What the entry fills after an exit of a part is covered by the next generation.

    An exit of everything follows later fills by itself.

    Args:
        mark: the price that met the rule; None: an exit that failed is asked for again, or it is time.
    """
    units = p.quantity
    if mark is None and p.retry_units is not None:
        units = min(p.quantity, p.retry_units)
    elif mark is not None and rule is Rule.TARGET:
        units = units_of_targets(p, mark.price)
    is_all = covered.is_all and units == p.quantity
    wanted = WantedExit(p.intent, p.side.opposite, None if is_all else units, rule, units)
    is_again = mark is None and p.retry_at is not None
    price = (p.fired_price if is_again else None) if mark is None else mark.price
    facts = figures(price=price, quantity=units, stop=p.stop_price, target=p.target_price)
    if is_again:
        facts["again"] = str(p.failures)
    event = ProtectionEvent(EventKind.FIRED, now, {"rule": rule.value, **facts})
    after = replace(
        without_retry(p),
        fired_by=rule,
        fired_at=now,
        fired_price=price,
        failures=p.failures if is_again else 0,
        exited=p.exited + units,
        quantity=p.quantity - units,
    )
    if rule is Rule.TARGET and p.targets_sold:
        sold = with_sold(p, units).targets_sold
        after = _with_target(replace(after, targets_sold=sold))
    if mark is not None:
        after = replace(after, mark_price=mark.price, mark_at=mark.at)
    if is_all or (not after.quantity and _is_settled(p, covered, now)):
        after = replace(after, status=ProtectionStatus.FIRED)
    else:
        after = replace(after, generation=p.generation + 1)
    return replace(stepped(before, after, (*events, event), now), exit=wanted)


def _is_due(told_at: datetime | None, now: datetime) -> bool:
    return told_at is None or now - told_at >= TRAIL_TOLD_EVERY
