"""A loss limit is reached, and the watcher dies at each of its commits: the same exit, one message, and flat."""

from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.broker_reports import BrokerStatus
from domain.enums import ExecutionType
from domain.notices import NoticeKind
from domain.order import Order
from tests.engine.dying import Killed
from tests.engine.test_risk import FLATTEN, House
from tests.support import leg


class Dying:
    """Counts what is committed, and ends the process at one of these moments."""

    def __init__(self, house: House, at: int, *, kept: bool) -> None:
        self.house, self.at, self.kept, self.count = house, at, kept, 0
        self.write = house.desk.store.write
        house.desk.store.write = self  # type: ignore[method-assign]

    def __call__(self, work: Callable[[Any], Any]) -> Any:
        self.count += 1
        if self.count != self.at:
            return self.write(work)
        if self.kept:
            self.write(work)
        raise Killed

    def until_death(self, step: Callable[[], None]) -> None:
        """Do a step; where it dies, another watcher takes over and does it."""
        try:
            step()
        except Killed:
            self.house.limit(FLATTEN)
            step()


def breach(folder: Path, at: int = 0, *, kept: bool = False) -> tuple[House, Dying]:
    """A strategy with a position and a resting entry loses its limit."""
    house = House(folder, FLATTEN)
    house.enter(price=100)
    house.desk.broker.fill_at_once = False
    house.enter("RESTING", price=90)
    house.desk.broker.fill_at_once = True
    dying = Dying(house, at, kept=kept)
    steps: list[Callable[[], object]] = [lambda: house.price(80), lambda: house.price(80)]
    steps += [lambda: house.desk.engine.tick(), lambda: house.price(80)] * 12
    for step in steps:
        dying.until_death(step)  # type: ignore[arg-type]
    return house, dying


def sent(house: House) -> list[Order]:
    exits = [c for c in house.desk.broker.placed if c.execution_type is ExecutionType.EXIT]
    return [house.desk.order(command.command_id) for command in exits]


def sweep(folder: Path, commits: Iterable[int]) -> None:
    for at in commits:
        for kept in (False, True):
            house, _ = breach(folder / f"{at}-{kept}", at, kept=kept)
            why = f"dead at commit {at}, kept: {kept}"
            assert [order.filled_quantity for order in sent(house)] == [Decimal(50)], why
            assert house.desk.store.holdings("default") == [], why
            nets = {p.symbol: p.net_quantity for p in house.desk.broker.read_positions().positions}
            assert not any(nets.values()), why
            assert len(house.desk.broker.cancelled) == 1, why
            told = [
                row
                for row in house.desk.rows("SELECT kind FROM telegram_messages")
                if row == ("LOSS_LIMIT_HIT",)
            ]
            assert len(told) == 1, why
            assert house.desk.post(leg("LATER"))[0].tag == "RISK_BLOCKED:DAILY_LOSS_HIT", why
            assert NoticeKind.OVERFILLED not in [notice.kind for notice in house.desk.notices], why


def test_dying_around_the_latch_changes_nothing(tmp_path):
    sweep(tmp_path, (2, 3, 4))


@pytest.mark.gate
def test_dying_at_each_commit_changes_nothing(tmp_path):
    _, dying = breach(tmp_path / "whole")
    assert dying.count > 8
    sweep(tmp_path, range(1, dying.count + 1))


@pytest.mark.parametrize("late", [0, 20, 50])
def test_an_entry_that_fills_while_it_is_taken_back_is_exited_too(tmp_path, late):
    house = House(tmp_path, FLATTEN)
    house.enter(price=100)
    desk = house.desk
    desk.broker.fill_at_once = False
    resting = house.enter("RESTING", price=90)
    desk.broker.fill_at_once = True

    desk.broker.cancel = lambda ref: desk.broker.report(
        resting.broker_order_id, BrokerStatus.CANCELLED if late < 50 else BrokerStatus.COMPLETE, late
    )
    house.price(80, 80)
    for _ in range(6):
        desk.settle()
        desk.clock.advance(4)
        house.price(80)
        house.price(90, symbol="RESTING")
    assert desk.store.holdings("default") == []
    nets = {p.symbol: p.net_quantity for p in desk.broker.read_positions().positions}
    assert not any(nets.values()), nets
