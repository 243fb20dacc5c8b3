"""What needs a person, and what people decided about it. Pure.

An item stays until what it is about is over. A person may acknowledge it, or snooze it until a time. Both count for
the facts that the person saw: where these change, the item is open again. What has no facts of its own may be snoozed
alone.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

LONGEST_SNOOZE = timedelta(hours=24)


class Need(StrEnum):
    """What an item is about, the most urgent first."""

    EXIT_FAILED = "EXIT_FAILED"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    UNPROTECTED = "UNPROTECTED"
    PROTECTION_UNKNOWN = "PROTECTION_UNKNOWN"
    INCOMPLETE_ALERT = "INCOMPLETE_ALERT"
    SERVICE = "SERVICE"
    BROKER = "BROKER"
    DIFFERENCE = "DIFFERENCE"
    LIMIT_REACHED = "LIMIT_REACHED"
    HALTED = "HALTED"
    LONG_AT_BROKER = "LONG_AT_BROKER"


SNOOZED_ONLY = frozenset((Need.SERVICE, Need.BROKER, Need.LONG_AT_BROKER))
"""Their facts do not tell one failure, or one order, from the next: acknowledged once, all later ones were hidden."""

URGENCY = {need: place for place, need in enumerate(Need)}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that a person must decide.

    `about`: what it concerns, unique among items of one need and client. `facts`: what a person who sees it relies on;
    other facts make it a new matter. `row`: what is shown of it.
    """

    need: Need
    client_id: str
    about: str
    facts: str = ""
    row: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Identify the item, and with it the decisions about it."""
        return f"{self.need}|{self.client_id}|{self.about}"

    @property
    def may_be_acknowledged(self) -> bool:
        """False where it may be snoozed alone."""
        return self.need not in SNOOZED_ONLY


class Decided(StrEnum):
    """What a person decided about an item."""

    ACKNOWLEDGED = "ACKNOWLEDGED"
    SNOOZED = "SNOOZED"
    REOPENED = "REOPENED"


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision about an item, for the facts that it had. `until`: of a snooze alone."""

    key: str
    client_id: str
    facts: str
    decided: Decided
    by: str
    at: datetime
    until: datetime | None = None
    reason: str = ""

    def hides(self, item: Item, now: datetime) -> bool:
        """Return True while the item need not be shown as open."""
        if item.facts != self.facts or self.decided is Decided.REOPENED:
            return False
        if self.until is None:
            return item.may_be_acknowledged
        # A clock that was set back must not hide an item for longer than was meant.
        return self.at <= now < self.until


def by_urgency(items: Iterable[Item]) -> list[Item]:
    """Sort items, the most urgent first."""
    return sorted(items, key=lambda item: (URGENCY[item.need], item.client_id, item.about))


def parted(
    items: Sequence[Item], decisions: Mapping[str, Decision], now: datetime
) -> tuple[list[Item], list[tuple[Item, Decision]]]:
    """Part items into the open ones and those that somebody has seen, each with the decision."""
    still_open, seen = list[Item](), list[tuple[Item, Decision]]()
    for item in items:
        decision = decisions.get(item.key)
        if decision is not None and decision.hides(item, now):
            seen.append((item, decision))
        else:
            still_open.append(item)
    return still_open, seen
