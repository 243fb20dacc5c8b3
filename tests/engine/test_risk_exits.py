"""What a forced exit asks for where positions are read seldom, and what a cooldown takes for leaving."""

from dataclasses import replace
from decimal import Decimal
from functools import partial

from domain.limits import CooldownAfter, ExitScope, LimitAction, Limits
from domain.marks import Mark
from tests.engine.test_risk import SYMBOL, House, _keep
from tests.support import EXIT, MARKET_EXIT

ALL = Limits(max_daily_loss=Decimal(500), on_daily_loss=LimitAction.FLATTEN, flatten_scope=ExitScope.POSITION)


def test_what_was_just_sold_is_not_asked_for_again_from_an_older_read(tmp_path):
    house = House(tmp_path, client=ALL)
    desk = house.desk
    house.enter(price=100)
    house.price(80, 80)
    held = desk.store.saved_positions("default")
    assert held is not None and [p.net_quantity for p in held.positions] == [50]
    desk.engine.execute_next("default", exits_only=True)
    desk.engine.reconcile("default")
    assert desk.store.holdings("default") == [], "it is sold"
    for _ in range(4):  # and the last read of the positions still shows it
        desk.clock.advance(12)
        desk.engine.watch_risk("default")
    assert len(house.exits()) == 1
    desk.engine.refresh("default", force=True)
    desk.engine.watch_risk("default")
    assert len(house.exits()) == 1


def test_a_cooldown_begins_when_the_last_unit_has_left(tmp_path):
    house = House(
        tmp_path,
        Limits(cooldown_minutes=Decimal(5), cooldown_after=CooldownAfter.ANY, max_entries=3),
    )
    desk = house.desk
    house.enter(price=100)

    def leave(units: int | None) -> None:
        desk.clock.advance(1)
        quantity = None if units is None else Decimal(units)
        exit_ = replace(MARKET_EXIT, symbol=SYMBOL, quantity=quantity, reference_price=Decimal(100))
        desk.post(exit_, **EXIT)
        desk.settle()

    leave(20)
    desk.store.write(partial(_keep, Mark("NFO", SYMBOL, Decimal(100), desk.clock.now(), "test")))
    assert house.enter(price=101).tag is None, "30 are still held: nothing was left"
    leave(None)
    assert house.enter(price=102).tag == "RISK_BLOCKED:COOLDOWN"
