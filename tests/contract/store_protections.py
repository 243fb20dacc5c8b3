"""The contract of protections, of their history, and of the last prices that they look at."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.account import BrokerAccount
from domain.enums import Side
from domain.errors import ConcurrentUpdate
from domain.further_terms import further_text
from domain.limits import Limits, OwnLimits
from domain.marks import Mark
from domain.ports import ExposureQuery
from domain.protection import Covered, ExitSeen, ExitState, Protection, ProtectionStatus, Rule, protection_of
from domain.protection_step import step
from domain.protection_terms import LockTexts, Terms, TrailingType
from tests.contract.store_making import CLIENT, EXCHANGE, STRATEGY, SYMBOL, House, StoreCase

TERMS: dict[str, Any] = {
    "stop_loss": "2%",
    "target": "130",
    "trailing_type": TrailingType.POINTS,
    "trailing_value": Decimal("3.5"),
    "trail_when": Decimal(5),
}


def opened(house: House, alert_id: str = "a1", **changes: Any) -> Protection:
    """The protection of a new entry, as it is stored."""
    entry = house.register(alert_id, **{**TERMS, **changes})
    protection, event = protection_of(entry)
    house.store.write(lambda tx: tx.add_protection(protection, event))
    return protection


def mark(house: House, price: object, symbol: str = SYMBOL) -> Mark:
    return Mark(EXCHANGE, symbol, Decimal(str(price)), house.clock.now(), "test")


def covered(units: int = 50) -> Covered:
    return Covered(Decimal(units), Decimal("112.5"), True, Decimal(units), is_all=True)


def moved(
    house: House,
    p: Protection,
    price: object,
    exits: dict[str, ExitSeen] | None = None,
    units: int = 50,
    exit_id: str = "exit-1",
) -> Protection:
    now = house.clock.now()
    seen = replace(mark(house, price), at=now)
    done = step(p, replace(covered(), units=Decimal(units), exits=exits or {}), seen, now)
    if done.exit is not None:
        done = done.with_exit(exit_id)
    return house.store.write(lambda tx: tx.move_protection(done))


class ProtectionsContract(StoreCase):
    def test_the_terms_of_an_entry_are_stored_with_it(self, house):
        order = house.register(**TERMS)
        found = house.order(order.command_id)
        assert {name: getattr(found, name) for name in TERMS} == TERMS
        plain = house.register("a2")
        assert house.order(plain.command_id).trailing_value is None

    def test_a_protection_is_read_as_it_was_written_after_every_move(self, house):
        p = opened(house)
        assert house.store.protection(p.protection_id) == p
        for price in ("112", "118.25", "120"):
            p = moved(house, p, price)
            assert house.store.protection(p.protection_id) == p
        assert (p.status, p.stop_price, p.best_price) == (
            ProtectionStatus.ACTIVE,
            Decimal("116.5"),
            Decimal(120),
        )
        p = moved(house, p, "116.5")
        assert house.store.protection(p.protection_id) == p
        assert (p.status, p.fired_by, p.exit_command_id) == (ProtectionStatus.FIRED, Rule.TRAIL, "exit-1")
        assert house.store.protection("p-other") is None

    def test_one_that_moved_on_is_not_moved_again(self, house):
        p = opened(house)
        now = house.clock.now()
        done = step(p, covered(), mark(house, 112), now + timedelta(seconds=1))
        assert done.changes
        house.store.write(lambda tx: tx.move_protection(done))
        kept = house.store.protection(p.protection_id)
        with pytest.raises(ConcurrentUpdate):
            house.store.write(lambda tx: tx.move_protection(done))
        assert house.store.protection(p.protection_id) == kept

    def test_open_ones_are_listed_by_client_and_those_that_are_over_are_not(self, house):
        first, second = opened(house), opened(house, "a2", side=Side.SELL)
        opened(house, "b1", client_id="bob")
        assert house.store.open_protections(CLIENT) == [first, second]
        fired = moved(house, first, 1)
        assert house.store.open_protections(CLIENT) == [fired, second]  # its exit is followed
        over = moved(house, fired, 1, {"exit-1": ExitSeen(ExitState.DONE)}, units=0)
        assert over.status is ProtectionStatus.FIRED
        assert house.store.open_protections(CLIENT) == [second]
        assert house.store.write(lambda tx: tx.open_protections(CLIENT)) == [second]
        assert house.store.write(lambda tx: tx.protection(first.protection_id)) == over

    def test_a_second_try_that_is_due_is_stored(self, house):
        p = moved(house, opened(house), 1)
        failed = ExitSeen(ExitState.FAILED, Decimal(10), "BROKER_REJECTED:RMS")
        p = moved(house, p, 1, {"exit-1": failed}, units=40)
        assert (p.exits, p.failures, p.retry_units) == ((), 1, 40)
        assert house.store.protection(p.protection_id) == p

    def test_several_targets_and_what_they_have_sold_are_stored(self, house):
        text = '{"targets":[["10pt","50"],["20pt","50"]],"lot_size":"25"}'
        p = opened(house, target=None, protection_json=text)
        assert house.order(p.command_id).protection_json == text
        assert house.store.protection(p.protection_id) == p
        p = moved(house, p, "122.5")
        assert (p.quantity, p.targets_sold, p.target_price) == (25, (25, 0), Decimal("132.5"))
        assert house.store.protection(p.protection_id) == p

    def test_a_stop_at_cost_and_a_time_to_exit_are_stored(self, house):
        exit_at = house.clock.now() + timedelta(hours=1)
        text = further_text(
            Terms(cost_trigger="5pt", exit_at="15:10", exit_after_minutes=Decimal(30)), exit_at
        )
        p = opened(house, protection_json=text)
        assert house.store.protection(p.protection_id) == p
        assert p.exit_at == exit_at
        p = moved(house, p, "117.5")
        assert p.is_at_cost and p.exit_at is not None and p.exit_at < exit_at
        assert house.store.protection(p.protection_id) == p

    def test_how_much_of_a_profit_is_locked_is_stored(self, house):
        text = further_text(Terms(lock=LockTexts("10pt", "4pt", "5pt", "2pt")))
        p = opened(house, trailing_type=None, trailing_value=None, trail_when=None, protection_json=text)
        assert house.store.protection(p.protection_id) == p
        p = moved(house, p, "128.5")
        assert (p.locked_steps, p.stop_price) == (1, Decimal("118.5"))
        assert house.store.protection(p.protection_id) == p

    def test_several_orders_are_read_at_once(self, house):
        first, second = house.register(), house.register("a2")
        ids = [first.command_id, second.command_id, "a9-1"]
        assert house.store.get_all(ids) == {each.command_id: each for each in (first, second)}
        claimed = house.claim(first)
        assert house.store.get_all(ids)[first.command_id] == claimed

    def test_the_parts_of_a_leg_are_read_with_and_without_a_transaction(self, house):
        leg = house.register()
        part = house.register("a2", parent_command_id=leg.command_id)
        assert house.store.parts(leg.command_id) == [house.order(part.command_id)]
        assert house.store.parts(part.command_id) == []

    def test_the_last_price_of_each_symbol_is_kept(self, house):
        first, other = mark(house, "101.05"), mark(house, 7, "BANKNIFTY")
        house.store.write(lambda tx: tx.keep_marks(CLIENT, [first, other]))
        later = mark(house, 102)
        house.store.write(lambda tx: tx.keep_marks(CLIENT, [later]))
        assert {(m.symbol, m.price) for m in house.store.marks(CLIENT)} == {
            (SYMBOL, Decimal(102)),
            ("BANKNIFTY", Decimal(7)),
        }
        assert later in house.store.write(lambda tx: tx.marks(CLIENT))
        assert house.store.marks("bob") == []

    def test_the_prices_seen_at_another_account_are_forgotten(self, house):
        house.store.write(lambda tx: tx.keep_marks(CLIENT, [mark(house, 101)]))
        house.store.write(lambda tx: tx.rebind_account(CLIENT, BrokerAccount("broker", "U2")))
        assert house.store.marks(CLIENT) == []

    def test_stops_that_were_met_at_a_loss_are_facts_of_a_limit_on_them(self, house):
        first, second = opened(house), opened(house, "a2", strategy_name="OTHER")
        moved(house, moved(house, first, 112), 1)  # at a loss
        kept = moved(house, moved(house, second, 112), 125)
        moved(house, kept, 120, exit_id="exit-2")  # by its trail, at a gain
        query = ExposureQuery(CLIENT, STRATEGY, EXCHANGE, SYMBOL, 1)
        limits = Limits(own=OwnLimits(stop_streak=1))

        def met(bound):
            now = house.clock.now()
            found = house.store.write(lambda tx: tx.facts(query, now=now, limits=bound, live_allowed=True))
            return [stop.strategy for stop in found.of_limits.stops_met]

        assert met(limits) == [STRATEGY]
        assert met(Limits()) == []
        house.clock.advance(minutes=91)
        assert met(limits) == []
