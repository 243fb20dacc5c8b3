"""Locks of a profit: once it has reached an amount, a smaller one is kept, and more for each step further. Pure.

The rule is the same for one position, where it counts in points, and for a group of legs, where it counts in money.
"""

from dataclasses import dataclass
from decimal import Decimal

from domain.money import ZERO, decimal_text
from domain.protection_terms import Level, LevelUnit, LockTexts, Terms, level_of

NAME = "lock_and_trail"
"""The field that brings a lock."""


@dataclass(frozen=True, slots=True)
class Lock:
    """When the profit reaches `at`, `floor` of it is kept; for each further `step`, `trail` more. All in one unit.

    `step` and `trail`: None: nothing more is kept, however far it goes.
    """

    at: Decimal
    floor: Decimal
    step: Decimal | None = None
    trail: Decimal | None = None

    def steps(self, best: Decimal) -> int | None:
        """Return how many further steps the best profit has made; None: it has not reached the lock."""
        if best < self.at:
            return None
        return 0 if self.step is None else int((best - self.at) // self.step)

    def kept(self, steps: int) -> Decimal:
        """Return the profit that is kept after so many further steps."""
        return self.floor + steps * (self.trail or ZERO)

    @property
    def fault(self) -> tuple[str, str] | None:
        """Which of its numbers is wrong, and what was expected; None: they are as they should be."""
        if self.floor >= self.at:
            return f"{NAME}.lock_floor", "expected less than lock_at: what is kept would be lost at once"
        if (self.step is None) is not (self.trail is None):
            missing = "step" if self.step is None else "trail"
            return f"{NAME}.{missing}", "expected both step and trail, or neither"
        if self.step is not None and self.trail is not None and self.trail > self.step:
            wanted = f"at most the step of {decimal_text(self.step)}: more would overtake the profit"
            return f"{NAME}.trail", f"expected {wanted}"
        return None


@dataclass(frozen=True, slots=True)
class LevelLock:
    """A lock whose numbers are distances from the average fill. `floor` None: at the average fill itself."""

    at: Level
    floor: Level | None
    step: Level | None
    trail: Level | None

    def points(self, average: Decimal) -> Lock:
        """Return it in points."""
        floor, step, trail = (
            None if each is None else each.points(average) for each in (self.floor, self.step, self.trail)
        )
        return Lock(self.at.points(average), floor or ZERO, step, trail)


def level_lock(texts: LockTexts) -> LevelLock:
    """Read a lock's texts."""
    floor, step, trail = (None if text is None else level_of(text) for text in texts[1:])
    return LevelLock(level_of(texts.at), floor, step, trail)


def lock_fault(terms: Terms) -> tuple[str, str] | None:
    """Return which field of a lock is wrong, and what was expected; None: it is as it should be, or absent."""
    if terms.lock is None:
        return None
    read = level_lock(terms.lock)
    named = (("lock_at", read.at), ("lock_floor", read.floor), ("step", read.step), ("trail", read.trail))
    for field, level in named:
        if level is not None and level.unit is LevelUnit.PRICE:
            return f"{NAME}.{field}", 'expected a distance such as "2%" or "10pt", got a price'
        if level is not None and level.unit is not read.at.unit:
            return f"{NAME}.{field}", "expected the unit of lock_at"
    floor, step, trail = (
        None if each is None else each.value for each in (read.floor, read.step, read.trail)
    )
    return Lock(read.at.value, floor or ZERO, step, trail).fault
