"""Leg templates as data: the contracts that a strategy trades when its alert names an underlying."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from domain.enums import Side
from domain.instruments.instrument import Kind, folded
from domain.instruments.venues import usual_root

MOST_STRIKES = 50
"""How far from ATM a strike may be chosen."""


class ExpiryWord(StrEnum):
    """An expiry by its place in the master's list."""

    CURRENT_WEEK = "current_week"  # the first date that has not passed
    NEXT_WEEK = "next_week"  # the one behind it
    CURRENT_MONTH = "current_month"  # the last date of the first month that still has one
    NEXT_MONTH = "next_month"  # the last date of the month behind that one


class StrikeRule(NamedTuple):
    """ATM (0), or places in the list of strikes: in the money below 0, out of the money above."""

    steps: int

    @property
    def text(self) -> str:
        """As the strategies file writes it."""
        if not self.steps:
            return "ATM"
        return f"{'OTM' if self.steps > 0 else 'ITM'}{abs(self.steps)}"


class LegRule(NamedTuple):
    """One leg. `strike` None: of a future. `expiry`: its own; None: that of the template."""

    kind: Kind
    side: Side
    lots: Decimal
    strike: StrikeRule | None
    expiry: ExpiryWord | date | None = None


@dataclass(frozen=True, slots=True)
class LegTemplate:
    """What an alert on an underlying becomes.

    - `names`: what alerts call the underlying, in capitals, its own name among them.
    - `exchange`: where its contracts are.
    - `buy`, `sell`: the legs for each side; empty: this side is refused.
    - `reference`: exchange and symbol whose price chooses strikes; None: as `reference_of` finds it.
    """

    underlying: str
    names: frozenset[str]
    exchange: str
    expiry: ExpiryWord | date
    buy: tuple[LegRule, ...] = ()
    sell: tuple[LegRule, ...] = ()
    reference: tuple[str, str] | None = None

    def legs(self, side: Side) -> tuple[LegRule, ...]:
        """The legs for an alert of this side."""
        return self.buy if side is Side.BUY else self.sell

    def asked(self, side: Side) -> tuple[str, str]:
        """Exchange and name under which legs of this side are kept: an exit finds what it closes by it."""
        return self.exchange, f"{self.underlying} {side}"

    @property
    def root(self) -> str:
        """The underlying, as masters are searched for it."""
        return usual_root(folded(self.underlying))
