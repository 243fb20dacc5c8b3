"""An exit reduces what is there and never turns it round, whatever else holds or closes the position."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.alert import ExecutionType, Side
from domain.exits import (
    FILL_TOO_YOUNG,
    FLAT,
    PERHAPS_OF_OTHERS,
    ExitHold,
    ExitSize,
    NothingToExit,
    size_exit,
)
from domain.reports import Position, PositionsSnapshot
from domain.risk_facts import ExitFacts
from tests.domain.making import AT, an_order

QUICK = settings(max_examples=300, deadline=None, derandomize=True)
HORIZON = timedelta(seconds=2)
READ = AT + timedelta(minutes=1)
ELSEWHERE = (
    Position("NSE", "NIFTY26NOV24500CE", "MIS", Decimal(999)),
    Position("NFO", "BANKNIFTY26NOVFUT", "MIS", Decimal(999)),
    Position("NFO", "NIFTY26NOV24500CE", "NRML", Decimal(-999)),
)

units = st.integers(0, 200).map(Decimal) | st.decimals(0, 3, places=4)
signed = st.integers(-200, 200).map(Decimal) | st.decimals(-3, 3, places=4)


def exit_order(requested: Decimal | None = None, side: Side = Side.SELL):
    return an_order(
        execution_type=ExecutionType.EXIT,
        side=side,
        quantity=requested or Decimal(0),
        requested_quantity=requested,
    )


def snapshot(net: Decimal | None) -> PositionsSnapshot:
    own = () if net is None else (Position("NFO", "NIFTY26NOV24500CE", "MIS", net),)
    return PositionsSnapshot(READ, (*ELSEWHERE, *own))


def size(order, net, facts, *, may_wait_for_entries=True):
    return size_exit(order, snapshot(net), facts, horizon=HORIZON, may_wait_for_entries=may_wait_for_entries)


def free(net: Decimal | None, facts: ExitFacts) -> Decimal:
    """What of the position is neither another strategy's nor about to be taken."""
    net = net or Decimal(0)
    others = sum((abs(held) for held in facts.held_by_others.values() if held * net > 0), Decimal(0))
    own = abs(facts.held) if facts.held * net > 0 else Decimal(0)
    unexplained = max(abs(net) - others - own, Decimal(0))
    side = Side.BUY if net > 0 else Side.SELL
    unfilled = sum(m.get(side, Decimal(0)) for m in (facts.resting_of_others, facts.unknown_of_others))
    whole = max(
        abs(net) - others, min(own, abs(net))
    )  # its own, even where together they hold more than there is
    return max(whole - facts.exits_in_flight - min(unexplained, unfilled), Decimal(0))


facts_of_any_kind = st.builds(
    ExitFacts,
    held_by_others=st.dictionaries(st.sampled_from(["A", "B", "C"]), signed, max_size=3),
    exits_in_flight=st.just(Decimal(0)) | units,
    entries_in_flight=st.integers(0, 2),
    held=signed,
    resting_of_others=st.dictionaries(st.sampled_from(Side), units),
    unknown_of_others=st.dictionaries(st.sampled_from(Side), units),
    last_fills=st.dictionaries(
        st.sampled_from(Side),
        st.sampled_from([-60, -2.000001, -2, -1.999999, 0, 5]).map(lambda s: READ + timedelta(seconds=s)),
    ),
)


@QUICK
@given(
    st.none() | signed,
    st.none() | units.filter(bool),
    st.sampled_from(Side),
    facts_of_any_kind,
    st.booleans(),
)
def test_an_exit_never_takes_more_than_is_free_and_waits_or_ends_only_when_nothing_is(
    net, requested, side, facts, may_wait
):
    answer = size(exit_order(requested, side), net, facts, may_wait_for_entries=may_wait)
    young = {side for side, at in facts.last_fills.items() if at + HORIZON >= READ}
    available = free(net, facts)
    if young and (may_wait or not net or (Side.SELL if net > 0 else Side.BUY) in young):
        assert isinstance(answer, ExitHold)
    elif available:
        assert isinstance(answer, ExitSize)
        assert answer.side is (Side.SELL if net > 0 else Side.BUY)
        assert answer.quantity == (available if requested is None else min(available, requested))
        assert abs(net + answer.side.sign * answer.quantity) == abs(net) - answer.quantity, "reversed"
    else:
        assert not isinstance(answer, ExitSize)
        assert isinstance(answer, ExitHold) or not young


@QUICK
@given(signed.filter(bool), st.lists(st.none() | units.filter(bool), max_size=8), facts_of_any_kind)
def test_any_number_of_exits_that_are_under_way_together_never_reverse(net, requests, facts):
    """Each is sized while all before it are still in flight and the position read still shows none of them."""
    asked = Decimal(0)
    for requested in requests:
        now = ExitFacts(facts.held_by_others, facts.exits_in_flight + asked)
        answer = size(exit_order(requested), net, now)
        if isinstance(answer, ExitSize):
            assert answer.side.sign * net < 0
            asked += answer.quantity
    others = sum(abs(held) for held in facts.held_by_others.values() if held * net > 0)
    assert asked <= max(abs(net) - others - facts.exits_in_flight, 0)


@QUICK
@given(signed, facts_of_any_kind)
def test_nothing_to_exit_is_said_only_when_no_wait_can_help(net, facts):
    answer = size(exit_order(), net, facts)
    if isinstance(answer, NothingToExit):
        others = sum(abs(held) for held in facts.held_by_others.values() if held * net > 0)
        assert abs(net) <= others or not facts.exits_in_flight
        assert abs(net) - facts.exits_in_flight <= others
        assert not facts.entries_in_flight


@pytest.mark.parametrize(("net", "side"), [(75, Side.SELL), (-75, Side.BUY)])
def test_the_whole_position_by_the_side_that_closes_it(net, side):
    for asked in Side:
        assert size(exit_order(side=asked), Decimal(net), ExitFacts()) == ExitSize(side, Decimal(75))


def test_a_cap_is_a_cap():
    assert size(exit_order(Decimal(20)), Decimal(75), ExitFacts()) == ExitSize(Side.SELL, Decimal(20))
    assert size(exit_order(Decimal(500)), Decimal(75), ExitFacts()) == ExitSize(Side.SELL, Decimal(75))


def test_what_others_hold_on_the_other_side_is_no_reason_to_take_less():
    facts = ExitFacts({"OTHER": Decimal(-30)})
    assert size(exit_order(), Decimal(75), facts) == ExitSize(Side.SELL, Decimal(75))


def test_flat_and_not_listed_are_alike():
    assert size(exit_order(), Decimal(0), ExitFacts()) == NothingToExit("the position is flat")
    assert size(exit_order(), None, ExitFacts()) == NothingToExit("the position is flat")


def test_who_holds_the_rest_is_named():
    facts = ExitFacts({"B": Decimal("30.0"), "A": Decimal(45)})
    assert size(exit_order(), Decimal(75), facts) == NothingToExit(
        "nothing of it is this strategy's: A 45, B 30"
    )


def test_an_exit_behind_another_exit_waits():
    answer = size(exit_order(), Decimal(75), ExitFacts(exits_in_flight=Decimal(75)))
    assert answer == ExitHold("another exit of this position is under way")


def test_an_exit_behind_an_entry_waits_only_as_long_as_it_may():
    facts = ExitFacts(entries_in_flight=1)
    assert size(exit_order(), None, facts) == ExitHold("an older entry is not settled yet")
    assert size(exit_order(), None, facts, may_wait_for_entries=False) == NothingToExit(FLAT)


@pytest.mark.parametrize("patient", [True, False])
@pytest.mark.parametrize(("net", "side"), [(75, Side.SELL), (-75, Side.BUY)])
@pytest.mark.parametrize(("microseconds", "kind"), [(-1, ExitSize), (0, ExitHold), (1, ExitHold)])
def test_a_read_that_a_recent_fill_may_not_show_in_is_not_used(microseconds, kind, net, side, patient):
    """It may have reduced the position: the exit would turn it round."""
    facts = ExitFacts(last_fills={side: READ - HORIZON + timedelta(microseconds=microseconds)})
    assert isinstance(size(exit_order(), Decimal(net), facts, may_wait_for_entries=patient), kind)


def test_a_fill_that_can_only_have_added_is_waited_for_no_longer_than_for_entries():
    facts = ExitFacts(last_fills={Side.BUY: READ})
    assert size(exit_order(), Decimal(75), facts) == ExitHold(FILL_TOO_YOUNG)
    assert size(exit_order(), Decimal(75), facts, may_wait_for_entries=False) == ExitSize(
        Side.SELL, Decimal(75)
    )
    for net in (None, 0):
        assert size(exit_order(), net, facts, may_wait_for_entries=False) == ExitHold(FILL_TOO_YOUNG)


@pytest.mark.parametrize(
    ("net", "others", "in_flight", "answer"),
    [
        (
            50,
            50,
            0,
            ExitSize(Side.SELL, Decimal(50)),
        ),  # half of what two hold is gone, and nobody knows whose
        (30, 50, 0, ExitSize(Side.SELL, Decimal(30))),
        (50, 50, 50, ExitHold("another exit of this position is under way")),
        (70, 50, 0, ExitSize(Side.SELL, Decimal(50))),
        (100, 50, 0, ExitSize(Side.SELL, Decimal(50))),
        (
            -50,
            50,
            0,
            ExitSize(Side.BUY, Decimal(50)),
        ),  # turned round by hand: what there is belongs to nobody
    ],
)
def test_where_strategies_hold_more_than_there_is_each_may_take_its_own(net, others, in_flight, answer):
    facts = ExitFacts({"B": Decimal(others)}, Decimal(in_flight), held=Decimal(50))
    assert size(exit_order(), Decimal(net), facts) == answer


@pytest.mark.parametrize(
    ("net", "held", "unfilled", "answer"),
    [
        # another strategy's entry of 25 is at the broker and its fill not recorded: those 25 may be its
        (25, 0, {Side.BUY: 25}, None),
        (75, 50, {Side.BUY: 25}, 50),
        (75, 0, {Side.BUY: 25}, 50),
        (75, 75, {Side.BUY: 25}, 75),  # all of it is ours by our own fills: the entry has brought nothing yet
        (75, 50, {Side.SELL: 25}, 75),  # an entry on the other side brings nothing to this position
        (-75, -50, {Side.SELL: 25}, 50),
        (75, 50, {}, 75),
    ],
)
def test_what_another_strategy_may_have_just_bought_is_left_alone(net, held, unfilled, answer):
    brought = {side: Decimal(units) for side, units in unfilled.items()}
    for facts in (
        ExitFacts(held=Decimal(held), resting_of_others=brought),
        ExitFacts(held=Decimal(held), unknown_of_others=brought),
    ):
        for patient in (True, False):
            sized = size(exit_order(), Decimal(net), facts, may_wait_for_entries=patient)
            if answer is None:
                assert sized == ExitHold(PERHAPS_OF_OTHERS)
            else:
                assert sized == ExitSize(Side.SELL if net > 0 else Side.BUY, Decimal(answer))


def test_an_exit_is_not_stopped_by_an_order_that_rests():
    """It waits once whatever its age, so that the book can be read, and then no longer than it may."""
    facts = ExitFacts(resting_of_others={Side.BUY: Decimal(50)})
    waited = replace(exit_order(), reason_message=PERHAPS_OF_OTHERS)
    assert size(exit_order(), Decimal(50), facts, may_wait_for_entries=False) == ExitHold(PERHAPS_OF_OTHERS)
    assert size(waited, Decimal(50), facts, may_wait_for_entries=True) == ExitHold(PERHAPS_OF_OTHERS)
    assert size(waited, Decimal(50), facts, may_wait_for_entries=False) == ExitSize(Side.SELL, Decimal(50))


def test_what_an_unknown_outcome_may_have_brought_is_not_taken_on_a_guess():
    facts = ExitFacts(unknown_of_others={Side.BUY: Decimal(50)})
    waited = replace(exit_order(), reason_message=PERHAPS_OF_OTHERS)
    assert size(waited, Decimal(50), facts, may_wait_for_entries=False) == ExitHold(PERHAPS_OF_OTHERS)
