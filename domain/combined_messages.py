"""What people are told of a group's combined protection. Pure."""

from collections.abc import Sequence

from domain.combined import Combined, CombinedEvent, CombinedUnit, Happened
from domain.combined_step import NAMES, level_met
from domain.group_profit import CLOSED_UNPRICED
from domain.leg_groups import Decision, LegGroup, LegSeen
from domain.marks import MarkFault
from domain.money import decimal_text
from domain.notices import Notice, NoticeKind
from domain.protection import Rule

_WAITED = {
    CombinedEvent.ARMED: (NoticeKind.TRAIL_ARMED, "the combined trail is armed"),
    CombinedEvent.LOCKED: (NoticeKind.PROFIT_LOCKED, "a part of the combined profit is locked"),
}


def combined_notices(decision: Decision, whose: str) -> list[Notice]:
    """Return the notices of what happened in a step. `whose`: which group it is, in words."""
    group, c = decision.after, decision.after.combined
    if c is None:
        return []
    found = (_notice(group, c, decision.legs, event, whose) for event in decision.events)
    return [notice for notice in found if notice is not None]


def _notice(
    group: LegGroup, c: Combined, legs: Sequence[LegSeen], event: Happened, whose: str
) -> Notice | None:
    if event.kind is CombinedEvent.FIRED:
        return _fired(group, c, legs, whose)
    if event.kind is CombinedEvent.UNKNOWN:
        return _unknown(group, c, event, whose)
    if event.kind not in _WAITED:
        return None
    kind, said = _WAITED[event.kind]
    what = f"{whose}: {said} at a profit of {event.facts['profit']}; it exits at {event.facts.get('kept', 'none')}"
    unit = "points of the net premium" if c.terms.unit is CombinedUnit.POINTS else "money"
    more = f"Counted in {unit}. It only grows; each move stands on the pages of its orders. Nothing to do."
    return Notice(kind, group.client_id, None, group.alert_id, None, what, more=more)


def _fired(group: LegGroup, c: Combined, legs: Sequence[LegSeen], whose: str) -> Notice:
    assert c.fired_by is not None and c.fired_profit is not None
    level = c.terms.text(level_met(c.terms, c.fired_by, c.kept))
    held = ", ".join(
        f"{leg.order.side} {decimal_text(leg.left)} {leg.order.symbol}" for leg in legs if leg.left
    )
    what = (
        f"{whose}: its profit of {c.terms.text(c.fired_profit)} met the combined {NAMES[c.fired_by]} at {level}; all "
        f"of it exits at market: {held}"
    )
    more = (
        "What is open is cancelled, sold legs are bought back first, hedges are sold last. You are told when nothing "
        "is left. cli.py flatten exits all of it at once."
    )
    kind = NoticeKind.TARGET_FIRED if c.fired_by is Rule.TARGET else NoticeKind.STOP_FIRED
    return Notice(kind, group.client_id, None, group.alert_id, None, what, more=more)


def _unknown(group: LegGroup, c: Combined, event: Happened, whose: str) -> Notice:
    fault, symbol = event.facts["fault"], event.facts["symbol"]
    why = (
        "a part of the leg is gone, and no exit of the strategy says at which price"
        if fault == CLOSED_UNPRICED
        else MarkFault(fault).sentence
    )
    what = f"{whose}: its combined profit is not known, so that nothing of it is watched as a whole: {symbol}: {why}"
    kept = "no stop" if c.kept is None else f"exit at a profit of {c.terms.text(c.kept)}"
    target = "" if c.terms.target is None else f", target {c.terms.text(c.terms.target)}"
    more = (
        f"Nothing fires while that lasts ({kept}{target}); stops of single legs go on. It goes on by itself as soon as "
        "it is known. Look at the market, and close the group by the strategy's EXIT or cli.py flatten if you have to."
    )
    return Notice(NoticeKind.PROTECTION_UNKNOWN, group.client_id, None, group.alert_id, None, what, more=more)
