"""What tests of protections are made of: a protection, prices, what is held, and a run of steps."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

from domain.enums import Side
from domain.marks import Mark
from domain.protection import (
    Covered,
    EventKind,
    ExitSeen,
    Protection,
    Step,
    protection_of,
)
from domain.protection_step import step
from tests.contract.store_making import an_order
from tests.support import START

SECOND = timedelta(seconds=1)


def d(value: object) -> Decimal:
    return Decimal(str(value))


def protection(**terms: object) -> Protection:
    made, event = protection_of(replace(an_order("a1", START), **terms))  # type: ignore[arg-type]
    assert event.kind is EventKind.OPENED
    return made


def filled(
    units: object = 50, average: object = 100, *, held: object = None, is_over: bool = True
) -> Covered:
    return Covered(d(units), d(average), is_over, d(units if held is None else held), is_all=True)


def mark(price: object, second: float = 1, symbol: str = "NIFTY26NOV24500CE", exchange: str = "NFO") -> Mark:
    return Mark(exchange, symbol, d(price), START + second * SECOND, "test")


@dataclass
class Run:
    """A protection and what has come of it; each price is a second later than the one before."""

    p: Protection
    covered: Covered = field(default_factory=filled)
    second: float = 0
    ends: dict[str, ExitSeen] = field(default_factory=dict)  # exits whose end is known
    steps: list[Step] = field(default_factory=list)

    def at(self, *prices: object) -> "Run":
        for price in prices:
            self.second += 1
            seen = None if price is None else mark(price, self.second)
            self.look(seen)
        return self

    def look(self, seen: Mark | None) -> Step:
        covered = replace(self.covered, exits=self.ends)
        done = step(self.p, covered, seen, START + self.second * SECOND)
        if done.exit is not None:
            done = done.with_exit(f"x{len(self.exits) + 1}")
        self.steps.append(done)
        self.p = done.after
        return done

    @property
    def stop(self) -> Decimal | None:
        return self.p.stop_price

    @property
    def exits(self) -> list[tuple[Side, Decimal | None]]:
        return [(s.exit.side, s.exit.quantity) for s in self.steps if s.exit is not None]

    @property
    def told(self) -> list[EventKind]:
        return [event.kind for s in self.steps for event in s.events]
