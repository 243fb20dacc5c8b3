"""An alert that names the position to reach: what leads there follows from what is held, or nothing is traded."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.alert import LegRequest, ParsedAlert
from domain.enums import ExecutionType, LegKind, OrderType, Outcome, Side
from domain.errors import InvalidAlert, NothingAsked, OutcomeUnknown
from domain.ids import content_hash
from domain.limits import ExitScope, Limits, StrategyBook, StrategyPolicy
from domain.order import Order
from domain.protection_terms import Terms
from tests.engine.test_late_evidence import net, spin
from tests.support import EXIT, MARKET_EXIT, Desk, entry, leg

MORE = Limits(max_entries=9)  # adding to a position is an entry more


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path, limits=MORE)


def target(quantity: int, **changes: Any) -> ParsedAlert:
    side = Side.BUY if quantity > 0 else Side.SELL
    values = {"side": side, "order_type": OrderType.MARKET, "price": None, "kind": LegKind.TARGET, **changes}
    wanted: LegRequest = replace(leg(qty=abs(quantity)), **values)
    return replace(entry(), execution_type=ExecutionType.ADJUST, legs=(wanted,))


def reached(desk: Desk, alert: ParsedAlert) -> tuple[Order, ...]:
    legs = desk.commands.register(alert, desk.delivery()).legs
    spin(desk, 3)
    return legs


def refused(desk: Desk, alert: ParsedAlert) -> str:
    before = desk.rows("SELECT count(*) FROM orders")
    with pytest.raises(InvalidAlert) as caught:
        desk.commands.register(alert, desk.delivery())
    assert desk.rows("SELECT count(*) FROM orders") == before
    return caught.value.code


STEPS = [
    ((), 50, ["ENTRY BUY 50"]),
    ((50,), 80, ["ENTRY BUY 30"]),
    ((50,), 20, ["EXIT SELL 30"]),
    ((50,), -20, ["EXIT SELL 50", "ENTRY SELL 20"]),
    ((-50,), -20, ["EXIT BUY 30"]),
    ((-50,), -70, ["ENTRY SELL 20"]),
    ((-50,), 10, ["EXIT BUY 50", "ENTRY BUY 10"]),
]


@pytest.mark.parametrize(("held", "wanted", "orders"), STEPS, ids=str)
def test_what_is_held_decides_what_leads_to_the_target(
    desk: Desk, held: tuple[int, ...], wanted: int, orders: list[str]
):
    for quantity in held:
        reached(desk, target(quantity))
    legs = reached(desk, target(wanted))
    done = [desk.order(each.command_id) for each in legs]
    assert [f"{each.execution_type} {each.side} {each.filled_quantity}" for each in done] == orders
    assert net(desk) == wanted


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(-90, 90).filter(bool), min_size=1, max_size=5))
def test_whatever_targets_come_the_last_one_is_held(tmp_path_factory, targets: list[int]):
    desk = Desk(tmp_path_factory.mktemp("targets"), limits=MORE)
    for wanted in targets:
        try:
            reached(desk, target(wanted))
        except NothingAsked:
            assert net(desk) == wanted
        assert net(desk) == wanted


def test_adding_to_a_position_passes_the_limit_of_entries(tmp_path: Path):
    desk = Desk(tmp_path)
    reached(desk, target(50))
    [more] = reached(desk, target(80))
    assert (more.tag, net(desk)) == ("DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED", 50)


def test_a_target_that_is_held_already_asks_for_nothing(desk: Desk):
    reached(desk, target(50))
    with pytest.raises(NothingAsked):
        desk.commands.register(target(50), desk.delivery())
    assert len(desk.broker.placed) == 1


def test_nothing_is_traded_where_the_positions_were_not_read_lately(desk: Desk):
    desk.clock.advance(61)
    assert refused(desk, target(50)) == "POSITION_UNKNOWN"
    desk.engine.refresh("default", force=True)
    reached(desk, target(50))
    assert net(desk) == 50


def test_nothing_is_traded_before_the_positions_are_read(tmp_path):
    desk = Desk(tmp_path)
    desk.rows("SELECT 1")
    unread = replace(desk.policies["default"], client_id="other")
    desk.policies["other"] = unread
    with pytest.raises(InvalidAlert, match="not read yet"):
        desk.commands.register(replace(target(50), client_id="other"), desk.delivery())


def test_nothing_is_traded_while_an_order_of_the_strategy_is_open(desk: Desk):
    desk.broker.fill_at_once = False
    reached(desk, target(50))
    assert refused(desk, target(80)) == "POSITION_UNKNOWN"
    again = desk.commands.register(target(50), desk.delivery())
    assert again.outcome is Outcome.DUPLICATE, "the same target, sent again while it is under way"
    assert len(desk.broker.placed) == 1


def test_nothing_is_traded_while_an_outcome_is_unknown(desk: Desk):
    desk.broker.script = [OutcomeUnknown("timed out")]
    desk.post(leg(), strategy_name="OTHER")
    desk.engine.execute_next("default")
    assert refused(desk, target(50)) == "POSITION_UNKNOWN"


@pytest.mark.parametrize(
    ("held", "wanted", "order_side"), [(80, 50, Side.BUY), (20, 50, Side.SELL), (0, -5, Side.BUY)]
)
def test_nothing_is_traded_against_the_side_that_the_alert_names(
    desk: Desk, held: int, wanted: int, order_side: Side
):
    if held:
        reached(desk, target(held))
    assert refused(desk, target(wanted, order_side=order_side)) == "POSITION_UNKNOWN"
    reached(desk, target(wanted, order_side=order_side.opposite))
    assert net(desk) == wanted


def test_nothing_is_traded_where_another_product_is_held(desk: Desk):
    reached(desk, target(50))
    assert refused(desk, target(20, product="NRML")) == "POSITION_UNKNOWN"


def test_nothing_is_traded_where_an_exit_would_close_what_others_hold(desk: Desk):
    strategies = StrategyBook(StrategyPolicy(exit_scope=ExitScope.POSITION))
    desk.policies["default"] = replace(desk.policies["default"], strategies=strategies)
    assert refused(desk, target(50)) == "NOT_BUILT"


def test_the_same_target_counts_again_after_the_position_was_left(desk: Desk):
    first = reached(desk, target(50))
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 3)
    second = reached(desk, target(50))
    assert first[0].command_id != second[0].command_id
    assert net(desk) == 50


def test_a_signal_id_counts_once_for_ever(desk: Desk):
    alert = replace(target(50), signal_id="s1")
    reached(desk, alert)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 3)
    again = desk.commands.register(alert, desk.delivery())
    assert (again.outcome, len(again.legs)) == (Outcome.DUPLICATE, 1)
    spin(desk, 3)
    assert net(desk) == 0


def test_several_alerts_that_arrive_together_are_each_by_itself(desk: Desk):
    alerts = [(target(50), desk.delivery()), (target(80), desk.delivery())]
    first, second = desk.commands.register_together(alerts)
    assert isinstance(second, InvalidAlert)
    assert not isinstance(first, Exception)
    spin(desk, 3)
    assert net(desk) == 50


def test_only_what_is_opened_is_protected(desk: Desk):
    reached(desk, target(50, protection=Terms("2%")))
    reached(desk, target(20, protection=Terms("2%")))
    assert desk.rows("SELECT count(*) FROM protections") == [(1,)]


def test_the_side_of_the_order_is_part_of_what_a_target_asks_for():
    one, other = (content_hash(target(50, order_side=side)) for side in (None, Side.BUY))
    assert one != other


def test_a_target_needs_its_side_and_its_quantity():
    for changes in ({"side": None}, {"quantity": None}):
        without: Any = replace(target(50).legs[0], **changes)
        with pytest.raises(ValueError, match="needs a side"):
            replace(target(50), legs=(without,))
    with pytest.raises(ValueError, match="a leg of"):
        replace(target(50), legs=target(50).legs * 2)
    assert target(50).target == target(50).legs[0]
