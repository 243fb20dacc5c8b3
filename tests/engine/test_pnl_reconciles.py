"""Profit and loss by our own fills, to the paisa, against the cash that the paper broker's matching core has booked.

Random days through the whole engine: two strategies in two symbols, fills in parts, rests, exits of a part and of all,
watchers that die, and prices that move in between.
"""

import random
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from broker.paper.adapter import PaperBroker
from domain.enums import ExecutionType, Side
from domain.money import ZERO
from domain.pnl import day_pnl_of
from domain.times import trading_day
from tests.broker.making import make
from tests.support import INDEPENDENT, MARKET_EXIT, Desk, leg

SYMBOLS, STRATEGIES = ("AAA", "BBB"), ("ONE", "TWO")


class Day(Desk):
    """A day on the paper broker."""

    def __init__(self, folder: Path, seed: int) -> None:
        super().__init__(folder, strategy=INDEPENDENT)
        self.chance = random.Random(seed)
        self.paper: PaperBroker = make(folder / "paper.db", self.clock)
        self.broker = self.paper
        self.deaths = 0
        self.die()

    def die(self) -> None:
        self.kill(f"watcher-{self.deaths}" if self.deaths else "watcher-1")
        self.deaths += 2
        self.engine = self.new_engine(f"watcher-{self.deaths}")
        self.look()

    def step(self) -> None:
        chance, symbol = self.chance, self.chance.choice(SYMBOLS)
        name = chance.choice(STRATEGIES)
        self.clock.advance(chance.uniform(0.1, 2))
        what = chance.random()
        if what < 0.35:
            side = Side.BUY if symbol == "AAA" else Side.SELL  # the strategies of a symbol are on one side
            price = self.price()
            self.post(
                leg(symbol, chance.randint(1, 300), side=side, price=price, exchange="NFO"),
                strategy_name=name,
            )
        elif what < 0.6:
            part = chance.choice((None, Decimal(chance.randint(1, 100))))
            exit_ = replace(MARKET_EXIT, symbol=symbol, quantity=part, reference_price=None)
            self.post(exit_, execution_type=ExecutionType.EXIT, strategy_name=name)
        elif what < 0.95:
            available = chance.choice((None, Decimal(chance.randint(1, 120))))
            self.paper.set_mark("NFO", symbol, self.price(), available)
        else:
            self.die()
        self.engine.tick()

    def price(self) -> Decimal:
        return Decimal(self.chance.randint(9000, 11_000)) / 100

    def count(self) -> None:
        for _ in range(4):
            self.settle(2)
            self.clock.advance(2)

    def figures(self) -> tuple[Decimal, Decimal]:
        """Our own sum at one price for all, and the broker's cash with what is open at that price."""
        prices = {("NFO", symbol): Decimal(100) for symbol in SYMBOLS}
        day = trading_day(self.clock.now(), self.rules.zone, self.rules.day_starts)
        books = self.store.pnl_books("default")
        own = sum(
            (
                pnl.total or ZERO
                for pnl in day_pnl_of(books, self.store.day_results("default", day), prices).values()
            ),
            ZERO,
        )
        net = sum((p.net_quantity for p in self.paper.read_positions().positions), ZERO)
        return own, self.paper.cash() + net * 100


def reconcile(folder: Path, seed: int, steps: int) -> int:
    day = Day(folder, seed)
    for _ in range(steps):
        day.step()
    day.count()
    own, cash = day.figures()
    paisa = Decimal("0.01")
    assert own.quantize(paisa) == cash.quantize(paisa), f"seed {seed}"
    fills = day.rows("SELECT count(*) FROM orders WHERE filled_quantity <> '0'")
    return int(str(fills[0][0]))


@pytest.mark.parametrize("seed", range(3))
def test_a_random_day_reconciles_with_the_matching_core_s_cash(tmp_path, seed):
    assert reconcile(tmp_path, seed, 60) > 5


@pytest.mark.gate
def test_long_random_days_reconcile(tmp_path):
    assert sum(reconcile(tmp_path / str(seed), 100 + seed, 150) for seed in range(6)) > 100
