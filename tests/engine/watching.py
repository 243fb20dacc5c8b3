"""A desk with a protected entry, its watchers, and prices that a test sets."""

from decimal import Decimal
from typing import Any

from domain.marks import Mark
from domain.protection import Protection
from domain.protection_terms import Terms
from engine.client_context import ClientContext
from engine.protection_watcher import ProtectionWatcher
from tests.support import Desk, kinds, leg

EXCHANGE, SYMBOL = "NFO", "NIFTY26NOV24500CE"
STOP = Terms(stop_loss="100", target="130")


class Market:
    """Last prices that a test sets. None: there is none."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.prices: dict[str, Decimal] = {}
        self.reads = 0

    def last_marks(self, places):
        self.reads += 1
        at = self.desk.clock.now()
        return [Mark(e, s, self.prices[s], at, "test") for e, s in places if s in self.prices]


class Watched:
    """A desk whose engine has filled a protected entry, and the watcher of its protections."""

    def __init__(
        self, folder, terms: Terms | None = STOP, *, fill_at_once: bool = True, **options: Any
    ) -> None:
        self.desk = Desk(folder, **options)
        self.desk.broker.fill_at_once = fill_at_once
        self.market = Market(self.desk)
        self.watchers = [self.watcher("w1"), self.watcher("w2")]
        [self.entry] = self.desk.post(leg(protection=terms))
        self.settle()

    def watcher(self, name: str) -> ProtectionWatcher:
        return ProtectionWatcher(self.desk.store, clock=self.desk.clock, claimant=name)

    @property
    def context(self) -> ClientContext:
        return ClientContext("default", self.desk.broker, self.desk.policies["default"], marks=self.market)

    def settle(self) -> None:
        self.desk.settle()

    def at(self, *prices: object, watcher: int = 0) -> None:
        for price in prices:
            if price is None:
                self.market.prices.clear()
            else:
                self.market.prices[SYMBOL] = Decimal(str(price))
            self.desk.clock.advance(1)
            self.watchers[watcher].watch(self.context)

    @property
    def protection(self) -> Protection:
        found = self.desk.store.protection(f"p-{self.entry.command_id}")
        assert found is not None
        return found

    @property
    def exits(self) -> list:
        rows = self.desk.rows(
            "SELECT command_id FROM orders WHERE execution_type = 'EXIT' ORDER BY command_id"
        )
        return [self.desk.order(str(row[0])) for row in rows]

    def told(self) -> list[str]:
        return [
            kind for kind in kinds(self.desk) if kind.startswith(("STOP", "TARGET", "TRAIL", "PROTECTION"))
        ]
