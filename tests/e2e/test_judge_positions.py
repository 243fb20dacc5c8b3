"""The judge's eye on positions: it calls what an exit must not do, and nothing that a correct engine may do."""

from typing import Any

import pytest

from tests.e2e.judge_made_up import MadeUp
from tests.e2e.judge_positions import EXCUSED, POSITIONS


@pytest.fixture
def world(tmp_path) -> MadeUp:
    """S1 has bought 50 at 2 s."""
    made = MadeUp(tmp_path)
    made.order("entry", "SUBMITTING", "WORKING", "FILLED", broker_order_id="1", filled_quantity="50")
    made.at_broker("1", "owentry", "COMPLETE", 50, taken=2)
    return made


def called(world: MadeUp, *, horizon: float = 0) -> dict[str, str]:
    """What is found of positions, by name, each once."""
    found = {
        name: each for name, each in world.judge(horizon=horizon).found.items() if each and name in POSITIONS
    }
    assert all(len(each) == 1 for each in found.values()), found
    return {name: each[0] for name, each in found.items()}


def an_entry(world: MadeUp, name: str, number: str, at: float, **broker: Any) -> None:
    """Another entry of S1, registered a second before the broker takes it."""
    world.order(name, "SUBMITTING", "FILLED", began=at - 1, broker_order_id=number, filled_quantity="50")
    world.at_broker(number, f"ow{name}", "COMPLETE", 50, taken=at, **broker)


def an_exit(
    world: MadeUp, number: str, at: float, *, side: str = "SELL", strategy: str = "S1", **broker: Any
) -> None:
    """An exit of 50, registered a second before it is filled."""
    columns: dict[str, Any] = {
        "execution_type": "EXIT",
        "strategy_name": strategy,
        "filled_quantity": "50",
        "side": side,
    }
    world.order(
        f"exit{number}", "SUBMITTING", "FILLED", began=at - 1, step=0.5, broker_order_id=number, **columns
    )
    world.at_broker(number, f"owexit{number}", "COMPLETE", 50, taken=at, side=side, **broker)


def a_failed_exit(world: MadeUp, at: float, tag: str = "GUARD_BLOCKED:NO_POSITION", **columns: Any) -> None:
    """An exit that was registered three seconds before it FAILED."""
    world.order(
        "failed", "BLOCKED", began=at - 3, step=3, execution_type="EXIT", side="SELL", tag=tag, **columns
    )


def test_a_position_that_is_closed_is_in_order(world):
    an_exit(world, "2", 10)
    a_failed_exit(world, 20)
    assert not called(world)


# reversed ------------------------------------------------------------------------------------------------------


def test_a_second_exit_reverses_and_sells_what_is_nobodys(world):
    an_exit(world, "2", 10)
    an_exit(world, "3", 20)
    found = called(world)
    assert set(found) == {"reversed", "not its own"}
    assert "from 0 to -50" in found["reversed"] and "50 of 50" in found["not its own"]


def test_an_exit_on_the_wrong_side_enlarges(world):
    an_exit(world, "2", 10, side="BUY")
    assert "from 50 to 100" in called(world)["reversed"]


def test_a_short_is_bought_back_and_no_more(world):
    an_exit(world, "2", 10)
    world.order(
        "short", "SUBMITTING", "FILLED", began=20, side="SELL", broker_order_id="3", filled_quantity="50"
    )
    world.at_broker("3", "owshort", "COMPLETE", 50, taken=21.5, side="SELL")
    an_exit(world, "4", 30, side="BUY")
    assert not called(world)
    an_exit(world, "5", 40, side="BUY")
    assert {"reversed", "not its own"} == set(called(world))


@pytest.mark.parametrize(("when", "excused"), [(80, False), (90, True), (99, True), (101, False)])
def test_what_a_hand_sold_after_the_read_is_no_fault_of_the_exit(world, when, excused):
    """The exit was sent at 99.5 s, by a state of 87.5 s at the oldest, and filled at 100 s."""
    trades = [(when, lambda: world.by_hand("2", -50, when)), (100, lambda: an_exit(world, "3", 100))]
    for _, trade in sorted(trades, key=lambda each: each[0]):
        trade()
    assert ("reversed" in called(world)) is (not excused and when < 100)


def test_a_hand_that_sold_less_excuses_less(world):
    world.by_hand("2", -20, 95)
    world.by_hand("3", -20, 20)
    an_exit(world, "4", 100)
    assert (
        "by hand meanwhile 0" in called(world)["reversed"]
        or "by hand meanwhile 20" in called(world)["reversed"]
    )


@pytest.mark.parametrize(("when", "calls"), [(20, True), (95, False)])
def test_a_position_that_was_converted_is_sold_where_it_is(world, when, calls):
    world.converted(50, when)
    an_exit(world, "2", 100)
    assert ("reversed" in called(world)) is calls


# not its own ---------------------------------------------------------------------------------------------------


def test_units_that_were_bought_by_hand(world):
    """S2 holds nothing; there are enough units for it to sell, so nothing is reversed."""
    world.by_hand("2", 50, 5)
    an_exit(world, "3", 20, strategy="S2")
    world.holding(0, "S2")
    assert set(called(world)) == {"not its own"}


def test_units_of_another_strategy(world):
    world.order("b", "SUBMITTING", "FILLED", strategy_name="S2", broker_order_id="2", filled_quantity="50")
    world.at_broker("2", "owb", "COMPLETE", 50, taken=1.5)
    an_exit(world, "3", 20, strategy="S2")
    assert not called(world)
    an_exit(world, "4", 30, strategy="S2")
    world.holding(0, "S2")
    assert "S2" in called(world)["not its own"]


def test_own_units_though_a_hand_sold_as_many(world):
    """Of S1's 50, S2's 50 and a hand's sale of 50, either strategy may take the 50 that are left."""
    world.order("b", "SUBMITTING", "FILLED", strategy_name="S2", broker_order_id="2", filled_quantity="50")
    world.at_broker("2", "owb", "COMPLETE", 50, taken=1.5)
    world.by_hand("3", -50, 30)
    an_exit(world, "4", 60, strategy="S2")
    assert not called(world)


def test_a_strategy_whose_units_a_hand_sold_may_turn_and_come_back(world):
    """The engine has given them up; what it then sells short and buys back is its own."""
    world.by_hand("2", -50, 5)
    world.order(
        "short", "SUBMITTING", "FILLED", began=20, side="SELL", broker_order_id="3", filled_quantity="50"
    )
    world.at_broker("3", "owshort", "COMPLETE", 50, taken=21.5, side="SELL")
    an_exit(world, "4", 30, side="BUY")
    assert not called(world)


# exits that ended too soon -------------------------------------------------------------------------------------


def test_an_exit_that_failed_although_its_strategy_holds(world):
    a_failed_exit(world, 10)
    assert "owned between 50 and 50" in called(world)["exits ended too soon"]


@pytest.mark.parametrize("tag", [*EXCUSED, "BROKER_REJECTED:RMS", "DUPLICATE_BLOCKED:SIGNAL_ALREADY_SEEN"])
def test_an_exit_that_somebody_else_ended(world, tag):
    a_failed_exit(world, 10, tag)
    assert not called(world)


def test_an_exit_that_waited_until_it_was_too_old(world):
    a_failed_exit(world, 10, "NOT_SENT:ALERT_TOO_OLD")
    assert "exits ended too soon" in called(world)


def test_an_exit_whose_units_a_hand_may_have_sold(world):
    world.by_hand("2", -50, 5)
    a_failed_exit(world, 10)
    assert not called(world)


def test_an_exit_and_holdings_of_what_a_hand_had_sold_before_it_was_bought(tmp_path):
    """The account is flat, so nothing can be exited, and the holding may be taken for closed."""
    world = MadeUp(tmp_path)
    world.by_hand("0", -50, 1)
    world.order("entry", "SUBMITTING", "FILLED", broker_order_id="1", filled_quantity="50")
    world.at_broker("1", "owentry", "COMPLETE", 50, taken=1.5)
    a_failed_exit(world, 10)
    assert not called(world)
    world.holding(0)
    assert not called(world)


def test_a_hand_that_sold_its_own_units_sold_none_of_the_strategys(world):
    world.by_hand("2", 50, 4)
    world.by_hand("3", -50, 5)
    a_failed_exit(world, 10)
    assert "exits ended too soon" in called(world)


@pytest.mark.parametrize(("side", "calls"), [("SELL", True), ("BUY", False), (None, True)])
def test_an_exit_that_names_a_side_is_about_that_side(world, side, calls):
    a_failed_exit(world, 10, requested_side=side)
    assert ("exits ended too soon" in called(world)) is calls


def test_an_exit_that_came_before_the_entry(world):
    an_exit(world, "2", 10)
    an_entry(world, "again", "3", 21)
    world.order("before", "BLOCKED", began=19, step=5, execution_type="EXIT", tag="GUARD_BLOCKED:NO_POSITION")
    assert not called(world)
    a_failed_exit(world, 30)
    assert "exits ended too soon" in called(world)


@pytest.mark.parametrize(
    ("columns", "calls"),
    [({}, True), ({"requested_quantity": "25"}, False), ({"requested_side": "BUY"}, False)],
)
def test_an_exit_that_failed_while_its_entry_rests(world, columns, calls):
    """One with a quantity leaves entries alone, one that buys back leaves entries that buy alone."""
    an_exit(world, "2", 10)
    world.order("rests", "SUBMITTING", "WORKING", began=20, broker_order_id="3")
    world.at_broker("3", "owrests", "OPEN", taken=21.5)
    a_failed_exit(world, 30, **columns)
    assert ("exits ended too soon" in called(world)) is calls


def test_an_exit_that_failed_after_its_entry_was_taken_back(world):
    an_exit(world, "2", 10)
    world.order("rests", "SUBMITTING", "WORKING", "CANCELLED", began=20, broker_order_id="3")
    world.at_broker("3", "owrests", "CANCELLED", taken=21.5, ended=25)
    a_failed_exit(world, 30)
    assert not called(world)


@pytest.mark.parametrize(("horizon", "calls"), [(20, True), (10, False)])
def test_an_exit_that_failed_while_its_entry_could_still_be_accepted(world, horizon, calls):
    """Beyond the horizon nobody has to reckon with it."""
    an_exit(world, "2", 10)
    world.order(
        "kept", "SUBMITTING", "UNKNOWN", "FILLED", began=20, broker_order_id="3", filled_quantity="50"
    )
    a_failed_exit(world, 30)
    world.at_broker("3", "owkept", "COMPLETE", 50, received=21.5, taken=35)
    assert ("exits ended too soon" in called(world, horizon=horizon)) is calls


@pytest.mark.parametrize(("horizon", "calls"), [(20, True), (10, False)])
def test_an_exit_that_failed_just_when_its_entry_had_been_accepted_late(world, horizon, calls):
    an_exit(world, "2", 10)
    world.order(
        "kept", "SUBMITTING", "UNKNOWN", "FILLED", began=20, broker_order_id="3", filled_quantity="50"
    )
    world.at_broker("3", "owkept", "COMPLETE", 50, received=21.5, taken=35)
    a_failed_exit(world, 36)
    assert ("exits ended too soon" in called(world, horizon=horizon)) is calls


def test_an_exit_that_was_executed_while_the_rest_of_its_entry_was_to_come(tmp_path):
    """Of an entry of 50 first 20 were filled and sold; the other 30 came later, and stay."""
    world = MadeUp(tmp_path)
    world.order("entry", "SUBMITTING", "WORKING", "FILLED", broker_order_id="1", filled_quantity="50")
    world.at_broker("1", "owentry", "COMPLETE", 50, taken=2, traded=40)
    world.order("exit", "SUBMITTING", "FILLED", began=10, execution_type="EXIT", broker_order_id="2")
    assert "filled afterwards" in called(world)["exits ended too soon"]
    an_exit(world, "3", 60)
    assert not called(world)


@pytest.mark.parametrize(("side", "calls"), [("SELL", False), ("BUY", True)])
def test_a_reversal_that_waited_for_the_exit_stays(world, side, calls):
    """Another exit came when the reversal waited for the first one: that is no reason to take the turn back."""
    world.order(
        "turn",
        "SUBMITTING",
        "FILLED",
        began=20,
        step=20,
        broker_order_id="7",
        filled_quantity="50",
        side=side,
    )
    an_exit(world, "3", 30)
    world.at_broker("7", "owturn", "COMPLETE", 50, taken=39, side=side)
    assert ("exits ended too soon" in called(world)) is calls


# holdings ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kept", "calls"), [(50, False), (0, True), (20, True), (-50, True), (100, False)])
def test_holdings_that_were_forgotten(world, kept, calls):
    world.holding(kept)
    assert ("holdings forgotten" in called(world)) is calls


def test_holdings_that_a_hand_may_have_sold_may_be_forgotten(world):
    world.by_hand("2", -20, 5)
    world.holding(30)
    assert not called(world)
    world.holding(20)
    assert "between 30 and 50" in called(world)["holdings forgotten"]


def test_holdings_of_one_whose_order_is_still_unknown_are_nobodys_to_know(world):
    world.order("unknown", "SUBMITTING", "UNKNOWN", began=20)
    world.holding(0)
    assert not called(world)


def test_a_conversion_changes_no_holding(world):
    world.converted(50, 30)
    assert not called(world)
    world.holding(0)
    assert "holdings forgotten" in called(world)
