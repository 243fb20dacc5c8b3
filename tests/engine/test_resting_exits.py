"""Exits that rest at the broker: priced anew until they are filled, never twice, and told where they do not end."""

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.broker_reports import BrokerStatus
from domain.enums import ExecutionType, LegKind, OrderType
from domain.errors import NotSent, Refused
from domain.exit_chase import ChaseRules, chase_of
from domain.money import ZERO
from domain.notices import NoticeKind
from domain.order import Order
from domain.states import Phase, Status
from engine.client_context import EngineTimings
from tests.engine.test_risk import FLATTEN, House
from tests.support import EXIT, MARKET_EXIT, Desk

SYMBOL = "NIFTY26NOV24500CE"
BELOW_THE_BAND = (
    "Your order price is lower than the current lower circuit limit of 70.65. "
    "Place an order within the daily range."
)


class Resting:
    """A desk whose broker turns market orders into limits that nobody meets."""

    def __init__(self, folder, **rules: object) -> None:
        self.desk = Desk(folder, rules=EngineTimings(chase=ChaseRules(**rules)))  # type: ignore[arg-type]
        self.broker = self.desk.broker
        self.broker.prices[SYMBOL] = Decimal(100)
        self.desk.post()
        self.desk.settle()
        self.broker.fill_at_once = False

    def exit(self, **changes: Any) -> Order:
        [out] = self.desk.post(replace(MARKET_EXIT, **changes), **EXIT)
        self.desk.settle()
        return out

    def slice(self, largest: Decimal) -> None:
        """From now on no order may be larger."""
        [(client, context)] = self.desk.engine._contexts.items()
        contexts = {client: replace(context, largest=lambda exchange, symbol: largest)}
        self.desk.engine._contexts = contexts

    def go_on(self, seconds: float, price: object = None) -> None:
        if price is not None:
            self.broker.prices[SYMBOL] = Decimal(str(price))
        for _ in range(round(seconds)):
            self.desk.clock.advance(1)
            self.desk.engine.tick()
            self.desk.engine.refresh("default", force=True)
            self.never_too_much()

    def never_too_much(self) -> None:
        """What live and filled exits sell is never more than was bought."""
        sold = sum((r.filled_quantity for r in self.sells()), ZERO)
        live = sum(
            (r.quantity - r.filled_quantity for r in self.sells() if r.status is BrokerStatus.OPEN), ZERO
        )
        assert sold + live <= 50, (sold, live)

    def sells(self) -> list:
        placed = {c.client_order_id for c in self.broker.placed if c.execution_type is ExecutionType.EXIT}
        return [r for r in self.broker.orders.values() if r.client_order_id in placed]

    @property
    def exits(self) -> list[Order]:
        rows = self.desk.rows(
            "SELECT command_id FROM orders WHERE execution_type = 'EXIT' ORDER BY created_at"
        )
        return [self.desk.order(str(row[0])) for row in rows]

    def told(self) -> list[str]:
        return [n.detail for n in self.desk.notices if n.kind is NoticeKind.SYSTEM and "the exit" in n.detail]


@pytest.fixture
def resting(tmp_path):
    return Resting(tmp_path)


def test_an_exit_that_rests_is_priced_anew_by_a_proven_cancel_and_a_further_part(resting):
    out = resting.exit()
    resting.go_on(3)
    assert resting.broker.cancelled == []
    resting.broker.fill_at_once = True
    resting.go_on(5, 98)
    first, second = resting.exits
    assert (first.command_id, first.phase) == (out.command_id, Phase.CANCELLED)
    assert (second.command_id, second.phase) == (f"{out.command_id}.2", Phase.FILLED)
    assert (second.quantity, second.requested_side) == (50, first.requested_side)
    assert resting.desk.store.holdings("default") == []
    assert "priced anew (1 of 10), last price 98" in str(json.loads(first.context_json or ""))


def test_what_was_filled_before_the_cancel_is_not_sold_again(resting):
    resting.exit()
    resting.broker.report(resting.sells()[0].broker_order_id, BrokerStatus.OPEN, 20)
    resting.go_on(7, 98)
    assert [o.quantity for o in resting.exits] == [50, 30]
    assert resting.exits[1].requested_quantity == 30


def test_a_cancel_that_the_book_does_not_show_leads_to_no_second_order(resting, monkeypatch):
    resting.exit()
    monkeypatch.setattr(resting.broker, "cancel", lambda ref: None)
    resting.go_on(40, 98)
    assert len(resting.exits) == 1


def test_an_order_that_fills_while_it_is_cancelled_is_over(resting, monkeypatch):
    resting.exit()
    sell = resting.sells()[0].broker_order_id
    monkeypatch.setattr(
        resting.broker, "cancel", lambda ref: resting.broker.report(sell, BrokerStatus.COMPLETE, 50)
    )
    resting.go_on(20, 98)
    assert [o.phase for o in resting.exits] == [Phase.FILLED]


def test_it_is_one_exit_to_people(resting):
    resting.exit()
    resting.go_on(7, 98)
    resting.broker.fill_at_once = True
    resting.go_on(12)
    kinds = [n.kind for n in resting.desk.notices if n.order is not None and n.order.side == "SELL"]
    assert kinds == [NoticeKind.PLACED, NoticeKind.FILLED]


def test_a_number_of_times_at_most_and_then_a_person(tmp_path):
    resting = Resting(tmp_path, most=3)
    out = resting.exit()
    resting.go_on(90, 99)
    assert len(resting.exits) == 4 and resting.exits[-1].phase is Phase.WORKING
    late, given_up = resting.told()
    assert "the exit does not end" in late and "still holds 50 MIS" in late
    assert "priced anew 3 times, which is the most" in given_up and "exit by hand" in given_up
    assert all(o.parent_command_id in (None, out.command_id) for o in resting.exits)


def test_beyond_the_worst_price_nothing_is_priced_anew_until_the_price_comes_back(resting):
    resting.exit()
    resting.go_on(30, 89)
    assert len(resting.exits) == 1
    assert any("beyond the worst price 90 (10 % from 100" in text for text in resting.told())
    resting.broker.fill_at_once = True
    resting.go_on(5, 91)
    assert resting.exits[-1].phase is Phase.FILLED


def test_the_worst_price_goes_with_each_order(resting):
    resting.exit()
    resting.go_on(7, 98)
    assert [c.worst_price for c in resting.broker.placed] == [None, 90, 90]


def test_without_a_price_nothing_is_priced_anew_and_a_person_is_told(resting):
    resting.broker.prices.clear()
    resting.exit()
    resting.go_on(14)
    assert resting.told() == []
    resting.go_on(40)
    [told] = resting.told()
    assert "Last price: not known" in told and "Without a last price it is not priced anew" in told
    assert len(resting.exits) == 1


def test_a_price_that_an_alert_named_is_not_followed(resting):
    resting.exit(order_type=OrderType.LIMIT, price=Decimal(120))
    resting.go_on(60, 98)
    assert (len(resting.exits), resting.told()) == (1, [])


def test_who_cancels_while_it_is_priced_anew_ends_it(resting, monkeypatch):
    out = resting.exit()
    ask = resting.broker.cancel
    monkeypatch.setattr(resting.broker, "cancel", lambda ref: None)
    resting.go_on(5, 98)
    assert chase_of(resting.exits[0]).asked
    resting.desk.commands.cancel(out.command_id, by="cli:ann")
    monkeypatch.setattr(resting.broker, "cancel", ask)
    resting.go_on(20)
    assert [o.phase for o in resting.exits] == [Phase.CANCELLED]


def test_a_watcher_that_is_killed_in_between_leaves_one_exit(resting):
    resting.exit()
    for _ in range(4):
        resting.go_on(5.5, 98)
        resting.desk.kill()
        resting.desk.engine = resting.desk.new_engine("watcher-1")
        resting.desk.look()
    assert len({chase_of(o).instead_of for o in resting.exits}) == len(resting.exits) > 2
    resting.broker.fill_at_once = True
    resting.go_on(10)
    assert sum(o.filled_quantity for o in resting.exits) == 50


def test_it_may_be_turned_off(tmp_path):
    resting = Resting(tmp_path, every=timedelta(0))
    resting.exit()
    resting.go_on(30, 98)
    assert len(resting.exits) == 1 and "EXIT_REPRICE_SECONDS is 0" in resting.told()[0]


def test_an_order_that_was_cancelled_and_comes_back_has_no_second_successor(resting):
    resting.exit()
    resting.go_on(7, 98)
    first = resting.exits[0]
    resting.broker.report(first.broker_order_id, BrokerStatus.OPEN, 10)
    resting.desk.engine.tick()
    assert resting.exits[0].phase is Phase.PARTIALLY_FILLED
    resting.broker.report(first.broker_order_id, BrokerStatus.CANCELLED, 10)
    resting.desk.clock.advance(1)
    resting.desk.engine.tick()
    assert sum(chase_of(o).instead_of == first.command_id for o in resting.exits) == 1
    assert resting.exits[0].status is Status.FAILED


def test_an_exit_above_the_largest_order_leaves_in_slices(tmp_path):
    resting = Resting(tmp_path)
    resting.slice(Decimal(20))
    resting.broker.fill_at_once = True
    out = resting.exit()
    resting.go_on(3)
    assert [o.quantity for o in resting.exits] == [20, 20, 10]
    assert [o.command_id for o in resting.exits][1:] == [f"{out.command_id}.2", f"{out.command_id}.3"]
    assert resting.desk.store.holdings("default") == []


def test_a_slice_that_was_not_sent_registers_the_others_no_second_time(tmp_path):
    """A part of a position, in slices; the broker turns the first call away unseen: its slices are known already."""
    resting = Resting(tmp_path)
    resting.slice(Decimal(10))
    resting.broker.fill_at_once = True
    resting.broker.script = [NotSent("too many requests")]
    resting.exit(quantity=Decimal(30))
    resting.go_on(20)
    assert sum(o.filled_quantity for o in resting.exits) == 30
    assert [o.filled_quantity for o in resting.exits] == [10, 10, 10]


def test_an_exit_that_was_priced_anew_and_filled_is_not_repeated(resting):
    """A part of 20 of 50; the same alert comes twice."""
    part = replace(MARKET_EXIT, quantity=Decimal(20))
    resting.desk.post(part, **EXIT)
    resting.desk.settle()
    resting.go_on(4)
    resting.broker.fill_at_once = True
    resting.go_on(5, 98)
    assert [o.filled_quantity for o in resting.exits] == [0, 20]
    [again] = resting.desk.post(part, **EXIT)
    resting.desk.settle()
    assert again.status is Status.FAILED
    assert sum(o.filled_quantity for o in resting.exits) == 20


def test_slices_that_rest_are_priced_anew_one_by_one(tmp_path):
    resting = Resting(tmp_path)
    resting.slice(Decimal(20))
    resting.exit()
    resting.go_on(8, 99)
    resting.broker.fill_at_once = True
    resting.go_on(12)
    assert sum(o.filled_quantity for o in resting.exits) == 50
    assert max(o.quantity for o in resting.exits) == 20


def test_a_refusal_that_names_the_band_leads_to_one_more_try_at_its_edge(resting):
    resting.broker.script = [Refused(BELOW_THE_BAND)]
    resting.broker.fill_at_once = True
    resting.exit()
    resting.go_on(2)
    first, second = resting.exits
    assert (first.phase, second.phase) == (Phase.REFUSED, Phase.FILLED)
    assert (second.order_type, second.price, second.quantity) == (OrderType.LIMIT, Decimal("70.65"), 50)
    assert "once more, as a limit at the band's edge, 70.65" in resting.told()[0]


def test_a_second_refusal_for_the_band_is_a_persons(resting):
    resting.broker.script = [Refused(BELOW_THE_BAND), Refused(BELOW_THE_BAND)]
    resting.exit()
    resting.go_on(20)
    assert [o.phase for o in resting.exits] == [Phase.REFUSED, Phase.REFUSED]
    assert [n.kind for n in resting.desk.notices].count(NoticeKind.REJECTED) == 2


def test_a_refusal_that_does_not_give_the_edge_is_a_persons_at_once(resting):
    resting.broker.script = [Refused("Order price is beyond LPP limit.")]
    resting.exit()
    resting.go_on(20)
    assert [o.phase for o in resting.exits] == [Phase.REFUSED]


def test_a_later_exit_takes_along_what_an_earlier_one_left_resting(tmp_path):
    """As the exit of a target rests, and the stop is met."""
    resting = Resting(tmp_path, every=timedelta(hours=1))
    resting.exit(quantity=Decimal(20), kind=LegKind.EXIT)
    resting.go_on(3, 98)
    resting.broker.fill_at_once = True
    resting.exit()
    resting.go_on(5)
    assert resting.exits[0].phase is Phase.CANCELLED
    assert sum(o.filled_quantity for o in resting.exits) == 50
    assert resting.desk.store.holdings("default") == []


def test_an_exit_that_was_sent_a_moment_ago_is_left_alone(tmp_path):
    resting = Resting(tmp_path, every=timedelta(hours=1))
    resting.desk.post(replace(MARKET_EXIT, quantity=Decimal(20), kind=LegKind.EXIT), **EXIT)
    resting.desk.engine.tick()
    resting.desk.post(MARKET_EXIT, **EXIT)
    resting.desk.engine.tick()
    assert resting.broker.cancelled == []


def test_a_forced_exit_that_is_priced_anew_is_not_asked_for_beside_its_part(tmp_path):
    house = House(tmp_path, FLATTEN)
    broker = house.desk.broker
    house.enter(price=100)
    broker.fill_at_once, broker.prices[SYMBOL] = False, Decimal(80)
    house.price(80, 80)
    for _ in range(12):
        house.desk.settle()
        house.price(80)
    exits = house.exits()
    assert len(exits) > 2 and len({o.parent_command_id or o.command_id for o in exits}) == 1
