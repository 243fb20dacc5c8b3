"""Combined stop, target, trail and lock of a group of legs: what its profit as a whole may come to. Pure.

The profit is the sum of what its legs have realised and what they would realise now, in money of the account or in
points of the net premium. What is kept of it only grows; it is met once. While the profit is not known nothing moves,
and nothing is met.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from domain.locks import Lock
from domain.money import ZERO, decimal_text
from domain.protection import Rule
from domain.protection_step import UNKNOWN_TOLD_AFTER

FIELD = "group_protection"
"""The field of an alert, and the table of the strategies file."""


class CombinedUnit(StrEnum):
    """What the numbers of a combined protection count."""

    MONEY = "MONEY"  # of the account, for all units of the group
    POINTS = (
        "POINTS"  # of the net premium: money for each unit of the largest number that divides all quantities
    )


@dataclass(frozen=True, slots=True)
class CombinedTerms:
    """What protects a group as a whole; all numbers in `unit`, above 0.

    - `stop_loss`: the loss at which it exits; `target`: the profit.
    - `trailing_value`: how far the profit may fall from its best; `trail_when`: the profit that arms it; None: none.
    - `lock`: which part of a profit is kept once it has come so far.
    """

    unit: CombinedUnit
    stop_loss: Decimal | None = None
    target: Decimal | None = None
    trailing_value: Decimal | None = None
    trail_when: Decimal | None = None
    lock: Lock | None = None

    @property
    def fault(self) -> tuple[str, str] | None:
        """Which field cannot be meant, and what was expected; None: they all can."""
        if (self.stop_loss, self.target, self.trailing_value, self.lock) == (None, None, None, None):
            return (
                "stop_loss",
                "expected a stop_loss, target, trailing_value or lock_and_trail, got none of them",
            )
        if self.trail_when is not None and self.trailing_value is None:
            return "trailing_value", "expected how far the profit may fall from its best, with a trail_when"
        return None if self.lock is None else self.lock.fault

    def text(self, amount: Decimal) -> str:
        """Return an amount for people: `1200` in money, `12 points`."""
        return decimal_text(amount) + (" points" if self.unit is CombinedUnit.POINTS else "")


@dataclass(frozen=True, slots=True)
class Combined:
    """A combined protection as it stands.

    - `best`: the best profit so far, at least 0; kept where a trail or a lock asks for it.
    - `kept`: the profit, or negative the loss, at which it exits; None: it may lose whatever it may. It only grows.
    - `is_armed`: the trail follows. `locked_steps`: as `domain.protection.Protection` has it.
    - `unknown_since`, `is_unknown`: since when the profit is not known, and that people were told.
    - `fired_by`, `fired_at`, `fired_profit`: the rule that was met, when, and at which profit.
    - `is_over`: it ended without being met.
    """

    terms: CombinedTerms
    best: Decimal = ZERO
    kept: Decimal | None = None
    is_armed: bool = False
    locked_steps: int | None = None
    unknown_since: datetime | None = None
    is_unknown: bool = False
    fired_by: Rule | None = None
    fired_at: datetime | None = None
    fired_profit: Decimal | None = None
    is_over: bool = False

    @property
    def is_live(self) -> bool:
        """True while it may still be met."""
        return self.fired_by is None and not self.is_over


class CombinedEvent(StrEnum):
    """What happened to a combined protection."""

    OPENED = "OPENED"
    ARMED = "ARMED"
    MOVED = "MOVED"  # the trail keeps more
    LOCKED = "LOCKED"
    LOCK_STEPPED = "LOCK_STEPPED"
    UNKNOWN = "UNKNOWN"
    KNOWN = "KNOWN"
    FIRED = "FIRED"
    CANCELLED = "CANCELLED"  # by a person
    ENDED = "ENDED"


class Happened(NamedTuple):
    """One event of it. `facts`: figures and codes, by name."""

    kind: CombinedEvent
    facts: Mapping[str, str]


class Looked(NamedTuple):
    """What one look makes of it: how it stands then, and what happened; `after.fired_by` says what was met."""

    after: Combined
    events: tuple[Happened, ...] = ()


def combined_of(terms: CombinedTerms) -> Combined:
    """Return the protection of a group that begins now."""
    return Combined(terms, kept=None if terms.stop_loss is None else -terms.stop_loss)


def looked(c: Combined, profit: Decimal, now: datetime) -> Looked:
    """Follow the profit, in the unit of the terms.

    The order of checks is lock, stop, target: what is kept is met before a target is.
    """
    events = list[Happened]()
    if c.unknown_since is not None:
        if c.is_unknown:
            events.append(Happened(CombinedEvent.KNOWN, _facts(profit=profit)))
        c = replace(c, unknown_since=None, is_unknown=False)
    c = _followed(c, profit, events)
    rule = _met(c, profit)
    if rule is not None:
        c = replace(c, fired_by=rule, fired_at=now, fired_profit=profit)
        facts = _facts(profit=profit, kept=c.kept, target=c.terms.target)
        events.append(Happened(CombinedEvent.FIRED, {"rule": rule.value, **facts}))
    return Looked(c, tuple(events))


def unseen(c: Combined, why: str, symbol: str, now: datetime) -> Looked:
    """Take note that the profit is not known: nothing is met. People are told when that lasts.

    Args:
        why: the code of the reason; `symbol`: of the leg whose part of the profit is missing.
    """
    since = min(c.unknown_since or now, now)  # the clock may have been set back
    after = c if since == c.unknown_since else replace(c, unknown_since=since)
    if c.is_unknown or now - since < UNKNOWN_TOLD_AFTER:
        return Looked(after)
    event = Happened(CombinedEvent.UNKNOWN, {"fault": why, "symbol": symbol})
    return Looked(replace(after, is_unknown=True), (event,))


def ended(c: Combined, kind: CombinedEvent, facts: Mapping[str, str]) -> Looked:
    """End it for good without an exit."""
    return Looked(replace(c, is_over=True, unknown_since=None, is_unknown=False), (Happened(kind, facts),))


def _followed(c: Combined, profit: Decimal, events: list[Happened]) -> Combined:
    terms = c.terms
    if terms.trailing_value is None and terms.lock is None:
        return c
    if profit > c.best:
        c = replace(c, best=profit)
    if terms.lock is not None:
        steps = terms.lock.steps(c.best)
        if steps is not None and (c.locked_steps is None or steps > c.locked_steps):
            kept = _more(c.kept, terms.lock.kept(steps))
            kind = CombinedEvent.LOCKED if c.locked_steps is None else CombinedEvent.LOCK_STEPPED
            facts = {"step": str(steps), **_facts(profit=profit, before=c.kept, kept=kept)}
            events.append(Happened(kind, facts))
            c = replace(c, locked_steps=steps, kept=kept)
    if terms.trailing_value is None or (not c.is_armed and c.best < (terms.trail_when or ZERO)):
        return c
    kept, kind = _more(c.kept, c.best - terms.trailing_value), CombinedEvent.MOVED
    if not c.is_armed:
        kind, c = CombinedEvent.ARMED, replace(c, is_armed=True)
    elif kept == c.kept:
        return c
    events.append(Happened(kind, _facts(profit=profit, before=c.kept, kept=kept)))
    return replace(c, kept=kept)


def _met(c: Combined, profit: Decimal) -> Rule | None:
    if c.kept is not None and profit <= c.kept:
        lock, steps = c.terms.lock, c.locked_steps
        if lock is not None and steps is not None and lock.kept(steps) == c.kept:
            return Rule.LOCK
        return Rule.STOP if c.terms.stop_loss is not None and c.kept == -c.terms.stop_loss else Rule.TRAIL
    if c.terms.target is not None and profit >= c.terms.target:
        return Rule.TARGET
    return None


def _more(one: Decimal | None, other: Decimal) -> Decimal:
    """Return what keeps more: what is kept never falls."""
    return other if one is None else max(one, other)


def _facts(**values: Decimal | None) -> dict[str, str]:
    return {name: decimal_text(value) for name, value in values.items() if value is not None}
