"""What follows for a group that is protected as a whole. Pure.

What is met makes the group leave as one that is unwound does: what is open is cancelled, sold legs are bought back
first, hedges are sold last, and each exit's id follows from the group and from when it began to leave. So it leaves
once.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from domain.combined import Combined, CombinedEvent, CombinedTerms, Looked, ended, looked, unseen
from domain.group_profit import NotKnown, in_unit
from domain.leg_groups import Decision, LegGroup, LegSeen, decide, leave, moved_on
from domain.protection import Rule

NAMES = {Rule.STOP: "stop", Rule.TRAIL: "trailing stop", Rule.LOCK: "locked profit", Rule.TARGET: "target"}
"""What each rule is called."""


def decide_combined(
    group: LegGroup,
    legs: Sequence[LegSeen],
    profit: Decimal | NotKnown,
    now: datetime,
    *,
    halt: str | None = None,
) -> Decision:
    """Return what follows for a group whose combined protection is watched.

    Args:
        profit: of its legs, in money.
        halt: as for `decide`.
    """
    c = group.combined
    assert c is not None
    look = _look(group, c, legs, profit, now)
    if look.after.fired_by is not None:
        return replace(leave(group, legs, why_of(look.after), look.after, now), events=look.events)
    found = (
        decide(group, legs, now, halt=halt) if group.state.is_open else Decision(group, group, tuple(legs))
    )
    if look.after == c:
        return found
    moved = found.after if found.after is not group else moved_on(group, now)
    return replace(found, after=replace(moved, combined=look.after), events=look.events)


def why_of(c: Combined) -> str:
    """Say what was met, at which profit."""
    assert c.fired_by is not None and c.fired_profit is not None
    level = level_met(c.terms, c.fired_by, c.kept)
    return f"combined {NAMES[c.fired_by]} met: profit {c.terms.text(c.fired_profit)}, agreed {c.terms.text(level)}"


def level_met(terms: CombinedTerms, rule: Rule, kept: Decimal | None) -> Decimal:
    """Return the profit at which the rule is met."""
    level = terms.target if rule is Rule.TARGET else kept
    assert level is not None
    return level


def _look(
    group: LegGroup, c: Combined, legs: Sequence[LegSeen], profit: Decimal | NotKnown, now: datetime
) -> Looked:
    if not any(leg.order.filled_quantity for leg in legs):
        return Looked(c)
    if not group.state.is_open and all(leg.is_settled(now) for leg in legs):
        return ended(c, CombinedEvent.ENDED, {"reason": "NOTHING_HELD"})
    if isinstance(profit, NotKnown):
        return unseen(c, profit.why, profit.symbol, now)
    if not any(leg.left for leg in legs):
        return Looked(c)  # what is still to be filled is no position yet
    return looked(c, in_unit(profit, legs, c.terms.unit), now)
