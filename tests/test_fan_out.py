"""One alert for several clients: a group of legs for each, in one transaction, each by itself."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alerts.responses import receipt_json
from domain.alert import ClientShare, ParsedAlert
from domain.entry_waits import WaitsFor
from domain.enums import ExecutionType, LegKind, OrderType, Outcome, Side
from domain.errors import InvalidAlert, NothingAsked, SignalReused
from domain.limits import Limits
from domain.order import Order
from domain.states import Status
from tests.commands_making import CE, PE, delivery, read_once, service
from tests.support import MARKET_EXIT, Desk, entry, leg

A, B, C = ClientShare("a"), ClientShare("b", Decimal(2)), ClientShare("c", Decimal("0.5"))


def fanned(*legs: Any, shares: tuple[ClientShare, ...] = (A, B, C), **changes: Any) -> ParsedAlert:
    return replace(entry(*legs, **changes), client_id=shares[0].client_id, shares=shares)


@pytest.fixture
def house(desk: Desk) -> Desk:
    """A desk whose service has three clients; their positions have been read."""
    return with_clients(desk)


def with_clients(desk: Desk, **limits: Limits) -> Desk:
    a, b, c = (limits.get(name, Limits()) for name in "abc")
    desk.commands = service(desk.store, desk.clock, a=a, b=b, c=c)
    for name in "abc":
        read_once(desk, name)
    return desk


def registered(desk: Desk, alert: ParsedAlert) -> tuple[Outcome, tuple[Order, ...]]:
    receipt = desk.commands.register(alert, delivery(desk.clock.now()))
    return receipt.outcome, receipt.legs


def test_each_client_gets_its_own_legs_and_their_numbers_go_on(house: Desk):
    outcome, legs = registered(house, fanned(CE, PE))
    assert outcome is Outcome.ACCEPTED
    assert [(each.client_id, each.symbol, each.quantity) for each in legs] == [
        (name, symbol.symbol, quantity)
        for name, quantity in (("a", 50), ("b", 100), ("c", 25))
        for symbol in (CE, PE)
    ]
    assert [each.leg_index for each in legs] == [0, 1, 2, 3, 4, 5]
    assert [each.command_id.rpartition("-")[2] for each in legs] == ["1", "2", "3", "4", "5", "6"]
    assert len({each.client_order_id for each in legs}) == 6
    assert house.rows("SELECT client_id, outcome FROM alerts") == [("a", "accepted")]


def test_a_client_over_its_limit_stops_no_other(desk: Desk):
    house = with_clients(desk, b=Limits(max_order_quantity=Decimal(60)))
    outcome, legs = registered(house, fanned())
    assert outcome is Outcome.PARTIALLY_BLOCKED
    assert [each.status for each in legs] == [Status.CREATED, Status.FAILED, Status.CREATED]


def test_a_spread_is_kept_together_within_one_client(desk: Desk):
    house = with_clients(desk, b=Limits(max_order_quantity=Decimal(60)))
    small = replace(PE, quantity=Decimal(10))
    _, legs = registered(house, fanned(CE, small, shares=(A, B)))
    assert [each.status for each in legs] == [Status.CREATED, Status.CREATED, Status.FAILED, Status.FAILED]
    assert [each.tag and each.tag.rpartition(":")[2] for each in legs[2:]] == [
        "MAX_ORDER_QUANTITY",
        "GROUP_INCOMPLETE",
    ]
    assert legs[1].waits_for is WaitsFor.GROUP


def test_what_ends_a_leg_of_one_client_ends_none_of_another(house: Desk):
    _, legs = registered(house, fanned(CE, PE, shares=(A, B)))
    house.commands.cancel(legs[0].command_id, by="operator", reason="wrong day")
    ends = [house.order(each.command_id).status for each in legs]
    assert ends == [Status.FAILED, Status.FAILED, Status.CREATED, Status.CREATED]


def test_the_same_alert_again_is_a_duplicate_for_all_of_them(house: Desk):
    _, first = registered(house, fanned(signal_id="s"))
    receipt = house.commands.register(fanned(signal_id="s"), delivery(house.clock.now()))
    assert receipt.outcome is Outcome.DUPLICATE
    assert [each.client_id for each in receipt.legs] == ["a", "b", "c"]
    assert receipt.originals == tuple(house.order(each.command_id) for each in first)
    assert house.rows("SELECT count(*) FROM orders WHERE status = 'CREATED'") == [(3,)]
    with pytest.raises(SignalReused):
        registered(house, fanned(leg(qty=51), signal_id="s"))


def test_no_client_trades_twice_where_the_first_client_of_the_file_is_another_now(house: Desk):
    registered(house, fanned(signal_id="s"))
    again = house.commands.register_together(
        [(fanned(signal_id="s", shares=(B, A)), delivery(house.clock.now()))]
    )
    assert isinstance(again[0], Exception)
    assert house.rows("SELECT count(*) FROM orders") == [(3,)]


def test_half_of_an_odd_quantity_is_refused_for_that_client_alone(house: Desk):
    _, legs = registered(house, fanned(leg(qty=5)))
    assert [(each.client_id, each.quantity) for each in legs] == [("a", 5), ("b", 10)]
    assert any("2.5" not in str(n.detail) and n.client_id == "c" for n in house.notices)
    with pytest.raises(InvalidAlert, match="whole units for client c"):
        registered(house, fanned(leg(qty=7), shares=(C,)))


def test_what_a_client_does_not_trade_is_in_the_answer(house: Desk):
    receipt = house.commands.register(fanned(leg(qty=5)), delivery(house.clock.now()))
    assert receipt.outcome is Outcome.PARTIALLY_BLOCKED
    [told] = json.loads(receipt_json(receipt))["not_traded"]
    assert (told["client_id"], told["code"]) == ("c", "INVALID")
    assert "expected whole units for client c, got 5 × 0.5" in told["message"]
    assert house.rows("SELECT outcome FROM alerts") == [("partially_blocked",)]


def test_no_share_of_an_exit_is_lost(house: Desk):
    shares = (A, ClientShare("b", Decimal("1.5")), C)
    for name, held in (("a", 4), ("b", 6), ("c", 2)):
        hold(house, name, held)
    outcome, legs = registered(house, an_exit_of(3, shares))
    assert outcome is Outcome.ACCEPTED
    assert [(each.client_id, each.quantity) for each in legs] == [("a", 3), ("b", 5), ("c", 2)]
    for name, held in (("a", 1), ("b", 1)):
        hold(house, name, held)
    _, legs = registered(house, an_exit_of(1, shares))
    assert [(each.client_id, each.requested_quantity) for each in legs] == [("a", 1), ("b", 2), ("c", 1)]
    assert [each.quantity for each in legs[:2]] == [1, 1]


def an_exit_of(quantity: int, shares: tuple[ClientShare, ...]) -> ParsedAlert:
    wanted = leg(qty=quantity, side=Side.SELL, kind=LegKind.EXIT, order_type=OrderType.MARKET, price=None)
    return replace(fanned(shares=shares), execution_type=ExecutionType.EXIT, legs=(wanted,))


def test_an_entry_that_cannot_be_halved_takes_no_exit_along(house: Desk):
    close = leg(qty=None, side=None, kind=LegKind.FLAT, order_type=OrderType.MARKET, price=None)
    turn = leg(qty=3, side=Side.SELL, order_type=OrderType.MARKET, price=None)
    alert = replace(fanned(shares=(A, C)), execution_type=ExecutionType.ADJUST, legs=(close, turn))
    hold(house, "a", 4)
    hold(house, "c", 2)
    receipt = house.commands.register(alert, delivery(house.clock.now()))
    assert [(each.client_id, each.execution_type, each.quantity) for each in receipt.legs] == [
        ("a", ExecutionType.EXIT, 4),
        ("a", ExecutionType.ENTRY, 3),
        ("c", ExecutionType.EXIT, 2),
    ]
    assert [each.client_id for each in receipt.not_traded] == ["c"]
    assert receipt.outcome is Outcome.PARTIALLY_BLOCKED


def test_a_position_to_reach_is_rounded_down_so_that_the_way_down_is_not_lost(house: Desk):
    wanted = leg(qty=5, kind=LegKind.TARGET, order_type=OrderType.MARKET, price=None)
    alert = replace(fanned(shares=(A, C)), execution_type=ExecutionType.ADJUST, legs=(wanted,))
    hold(house, "a", 10)
    hold(house, "c", 5)
    _, legs = registered(house, alert)
    assert [(each.client_id, each.execution_type, each.quantity) for each in legs] == [
        ("a", ExecutionType.EXIT, 5),
        ("c", ExecutionType.EXIT, 3),
    ]


@given(quantity=st.integers(1, 500), tenths=st.integers(1, 50))
def test_a_share_of_an_exit_is_never_less_than_it_asks_for_and_is_whole(quantity, tenths):
    share = ClientShare("c", Decimal(tenths) / 10)
    [got] = an_exit_of(quantity, (share,)).of(share).legs
    assert got.quantity is not None
    assert 0 <= got.quantity - quantity * share.multiplier < 1
    assert got.quantity == int(got.quantity)


def test_a_fraction_may_be_halved(house: Desk):
    _, legs = registered(house, fanned(replace(CE, quantity=Decimal("0.05")), shares=(C,)))
    assert legs[0].quantity == Decimal("0.025")


def test_a_client_that_is_not_there_stops_no_other(house: Desk):
    _, legs = registered(house, fanned(shares=(A, ClientShare("gone"), B)))
    assert [each.client_id for each in legs] == ["a", "b"]
    assert [each.leg_index for each in legs] == [0, 1]


def test_an_exit_of_all_is_one_for_each(house: Desk):
    _, legs = registered(house, fanned(MARKET_EXIT, execution_type=ExecutionType.EXIT))
    assert [(each.client_id, each.requested_quantity) for each in legs] == [
        ("a", None),
        ("b", None),
        ("c", None),
    ]
    assert all(each.execution_type is ExecutionType.EXIT for each in legs)


def test_each_client_reaches_the_target_from_what_it_holds_itself(house: Desk):
    wanted = leg(qty=50, kind=LegKind.TARGET, order_type=OrderType.MARKET, price=None)
    alert = replace(fanned(shares=(A, B)), execution_type=ExecutionType.ADJUST, legs=(wanted,))
    hold(house, "a", 80)
    hold(house, "b", 100)  # twice 50: it is there already
    _, legs = registered(house, alert)
    assert [(each.client_id, each.execution_type, each.side, each.quantity) for each in legs] == [
        ("a", ExecutionType.EXIT, Side.SELL, 30)
    ]


def test_nothing_is_asked_where_all_are_there_already(house: Desk):
    wanted = leg(qty=50, kind=LegKind.TARGET, order_type=OrderType.MARKET, price=None)
    hold(house, "a", 50)
    hold(house, "b", 100)
    with pytest.raises(NothingAsked):
        registered(house, replace(fanned(shares=(A, B)), execution_type=ExecutionType.ADJUST, legs=(wanted,)))


def hold(desk: Desk, client: str, quantity: int) -> None:
    values = (
        client,
        CE.symbol,
        "NFO",
        "STRADDLE",
        "MIS",
        str(quantity),
        1,
        "2026-11-27T04:00:00.000000+00:00",
    )
    store: Any = desk.store
    store._commits.run(
        lambda c: c.execute("INSERT OR REPLACE INTO holdings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
    )


SHARES = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, 9)).map(lambda drawn: ClientShare(drawn[0], Decimal(drawn[1]))),
    min_size=1, max_size=3, unique_by=lambda share: share.client_id,
)  # fmt: skip


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(shares=SHARES, quantity=st.integers(1, 500), legs=st.integers(1, 3))
def test_each_leg_is_there_once_for_each_client_by_its_multiple(tmp_path_factory, shares, quantity, legs):
    house = with_clients(Desk(tmp_path_factory.mktemp("fan")))
    asked = [leg(f"S{n}", qty=quantity) for n in range(legs)]
    _, got = registered(house, fanned(*asked, shares=tuple(shares)))
    assert [(o.client_id, o.symbol, o.quantity) for o in got] == [
        (share.client_id, each.symbol, quantity * share.multiplier) for share in shares for each in asked
    ]
    assert [o.leg_index for o in got] == list(range(len(got)))
    assert len({o.client_order_id for o in got}) == len(got)
