"""An exit takes what its strategy holds, as far as the broker bears it out; it never turns a position round."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.broker_reports import Position, PositionsSnapshot
from domain.enums import ExecutionType, OrderType, Side
from domain.exit_chase import Chase, with_chase
from domain.exit_sizing import (
    ExitDispute,
    ExitHold,
    ExitSize,
    HoldReason,
    NothingToExit,
    entries_to_take_back,
    in_the_way,
    size_exit,
)
from domain.limits import ExitScope
from domain.risk_facts import ExitFacts, Holding
from domain.states import Phase
from tests.domain.making import AT, an_order

QUICK = settings(max_examples=500, deadline=None, derandomize=True)
SYMBOL = "NIFTY26NOV24500CE"


def exit_order(requested=None, side=None, **changes):
    values = {
        "execution_type": ExecutionType.EXIT,
        "side": side or Side.SELL,
        "requested_side": side,
        "quantity": requested or Decimal(0),
        "requested_quantity": requested,
        "requested_product": None,
        "order_type": OrderType.MARKET,
        "price": None,
        "created_at": AT + timedelta(minutes=1),
    }
    return an_order(**(values | changes))


def other(phase=Phase.WORKING, **changes):
    return an_order(phase, command_id="01kahy2r3c0000000000000001-1", **changes)


def positions(**by_product):
    rows = [Position("NFO", SYMBOL, product, Decimal(net)) for product, net in by_product.items()]
    return PositionsSnapshot(AT, (Position("NSE", SYMBOL, "MIS", Decimal(999)), *rows))


def holding(strategy, net, product="MIS", entries=1):
    return Holding("default", strategy, "NFO", SYMBOL, product, Decimal(net), entries)


def size(order, snapshot, *holdings, scope=ExitScope.OWN, may_wait=True, **facts):
    return size_exit(order, snapshot, ExitFacts(holdings, **facts), scope=scope, may_wait=may_wait)


units = st.integers(-100, 100)


@QUICK
@given(
    st.lists(st.tuples(st.sampled_from(["STRADDLE", "B", "C"]), units, st.sampled_from(["MIS", "NRML"])), max_size=5),
    st.dictionaries(st.sampled_from(["MIS", "NRML"]), units),
    st.none() | st.integers(1, 120).map(Decimal),
    st.none() | st.sampled_from(Side),
    st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 60)), max_size=2),
    st.sampled_from(ExitScope),
    units,
    units,
)  # fmt: skip
def test_never_the_other_side_never_more_than_both_sources_bear_out(
    held, nets, requested, side, exits, scope, by_hand, believed
):
    holdings = tuple(holding(*each) for each in held)
    under_way = tuple(
        other(execution_type=ExecutionType.EXIT, side=s, quantity=Decimal(q), strategy_name="B")
        for s, q in exits
    )
    answer = size(
        exit_order(requested, side), positions(**nets), *holdings,
        scope=scope, orders=under_way, by_hand=Decimal(by_hand), believed=Decimal(believed), may_wait=False,
    )  # fmt: skip
    sized = answer.smaller if isinstance(answer, ExitDispute) else answer
    if not isinstance(sized, ExitSize):
        return
    net, ours = sum(nets.values()), sum(h.net_quantity for h in holdings) + by_hand + believed
    whole, sign = sized.quantity + sized.rest, -sized.side.sign
    taking = sum(q for s, q in exits if s is sized.side)
    assert side in (None, sized.side)
    assert whole <= (requested or whole)
    own_products = {h.product for h in holdings if h.strategy_name == "STRADDLE"}
    beside = sum(max(-n * sign, 0) for p, n in nets.items() if p not in own_products)
    beside = (
        beside if scope is ExitScope.OWN else 0
    )  # on the other side, in products of others: nothing of it is ours
    assert whole + taking <= ours * sign + beside, "more than our own fills explain"
    assert sized.quantity <= nets[sized.product] * sign
    assert whole <= sum(max(n * sign, 0) for n in nets.values()), "more than the broker has"
    assert net * sign > 0 or any(n * sign > 0 for n in nets.values())
    if scope is ExitScope.OWN:
        own = sum(h.net_quantity for h in holdings if h.strategy_name == "STRADDLE")
        assert whole <= own * sign, "more than is the strategy's"


@QUICK
@given(st.integers(1, 100), units, units)
def test_it_ends_with_nothing_only_where_the_strategy_holds_nothing_or_both_sources_say_so(own, net, others):
    answer = size(exit_order(), positions(MIS=net), holding("STRADDLE", own), holding("B", others))
    if isinstance(answer, NothingToExit):
        assert own + others <= 0 and net <= 0


@pytest.mark.parametrize(("net", "side"), [(75, Side.SELL), (-75, Side.BUY)])
def test_all_that_the_strategy_holds_by_the_side_that_closes_it(net, side):
    assert size(exit_order(), positions(MIS=net), holding("STRADDLE", net)) == ExitSize(
        side, Decimal(75), "MIS"
    )


def test_units_by_hand_are_left_alone_unless_the_scope_is_the_position():
    hand = {"believed": Decimal(50)}
    snapshot, held = positions(MIS=100), holding("STRADDLE", 50)
    assert size(exit_order(), snapshot, held, **hand) == ExitSize(Side.SELL, Decimal(50), "MIS")
    whole = size(exit_order(), snapshot, held, scope=ExitScope.POSITION, **hand)
    assert whole == ExitSize(Side.SELL, Decimal(100), "MIS")


def test_a_strategy_that_holds_nothing_is_told_what_is_there_and_the_two_ways_on():
    answer = size(exit_order(), positions(MIS=80), holding("B", 50))
    assert isinstance(answer, NothingToExit)
    assert "the account has 80 MIS, of which B 50" in answer.detail
    assert (
        f"(cli.py adopt default {SYMBOL} STRADDLE 30 --reason REASON), or EXIT_SCOPE=position"
        in answer.detail
    )
    assert answer.detail.endswith(f"In a hurry: cli.py flatten --symbol {SYMBOL}")
    products = size(exit_order(), positions(MIS=-50, NRML=-20))
    assert f"adopt default {SYMBOL} STRADDLE -50 --product MIS " in products.detail


def test_an_exit_that_names_another_exchange_is_told_where_its_strategy_holds_the_symbol():
    mine = Holding("default", "STRADDLE", "NSE", SYMBOL, "MIS", Decimal(10), 1)
    answer = size(exit_order(), positions(), elsewhere=(mine,))
    assert isinstance(answer, NothingToExit)
    assert answer.detail == (
        f"STRADDLE holds 10 MIS of {SYMBOL} at NSE, still open, and the exit names NFO: send an EXIT that names it "
        f"as it is held. In a hurry: cli.py flatten --symbol {SYMBOL}"
    )
    with_others = size(exit_order(), positions(MIS=50), holding("B", 50), elsewhere=(mine,))
    assert isinstance(with_others, NothingToExit)
    assert (
        "STRADDLE holds 10 MIS" in with_others.detail
        and "at NFO the account has 50 MIS" in with_others.detail
    )


def test_an_exit_that_names_another_product_is_told_in_which_one_its_strategy_holds_the_symbol():
    for read in (10, 0):
        answer = size(exit_order(requested_product="NRML"), positions(MIS=read), holding("STRADDLE", 10))
        assert isinstance(answer, NothingToExit)
        assert answer.detail.startswith(
            f"STRADDLE holds 10 MIS of {SYMBOL} at NFO, still open, and the exit names NRML: "
        )
        assert "holds nothing" not in answer.detail


def test_what_is_all_held_by_others_cannot_be_adopted():
    answer = size(exit_order(), positions(MIS=50), holding("B", 50))
    assert isinstance(answer, NothingToExit)
    assert (
        "of which B 50. That is theirs: it cannot be adopted, and EXIT_SCOPE=position leaves" in answer.detail
    )


def test_a_read_that_lacks_what_our_fills_say_is_disputed():
    for read, smaller in ((0, None), (20, ExitSize(Side.SELL, Decimal(20), "MIS"))):
        answer = size(exit_order(), positions(MIS=read), holding("STRADDLE", 50))
        assert answer == ExitDispute(smaller, Decimal(50), Decimal(read))


def test_what_the_brokers_own_rows_explain_is_believed_at_once():
    answer = size(exit_order(), positions(MIS=20), holding("STRADDLE", 50), by_hand=Decimal(-30))
    assert answer == ExitSize(Side.SELL, Decimal(20), "MIS")


def test_an_exit_that_names_the_wrong_side_contradicts():
    answer = size(exit_order(side=Side.SELL), positions(MIS=-50), holding("STRADDLE", -50))
    assert isinstance(answer, NothingToExit) and answer.contradicts


def test_a_converted_position_leaves_in_the_product_in_which_it_is():
    answer = size(exit_order(requested_product="MIS"), positions(MIS=0, NRML=50), holding("STRADDLE", 50))
    assert answer == ExitSize(Side.SELL, Decimal(50), "NRML")


def test_what_others_have_on_the_other_side_in_a_product_of_their_own_closes_nothing_of_ours():
    short, long_beside = holding("STRADDLE", -50), positions(MIS=-50, NRML=65)
    bought = ExitSize(Side.BUY, Decimal(50), "MIS")
    assert size(exit_order(), long_beside, short, believed=Decimal(65)) == bought
    assert size(exit_order(), long_beside, short, holding("B", 65, "NRML")) == bought
    by_hand = {"believed": Decimal(50), "known": {"MIS": Decimal(50)}}
    closed_by_hand = size(exit_order(), positions(MIS=0), short, **by_hand)
    assert isinstance(closed_by_hand, NothingToExit)


def test_what_is_held_in_two_products_leaves_in_two_orders():
    held = (holding("STRADDLE", 50), holding("STRADDLE", 25, "NRML"))
    assert size(exit_order(), positions(MIS=50, NRML=25), *held) == ExitSize(
        Side.SELL, Decimal(50), "MIS", Decimal(25)
    )


@pytest.mark.parametrize("strategy", ["STRADDLE", "B"])
def test_an_exit_behind_another_exit_waits(strategy):
    before = other(
        execution_type=ExecutionType.EXIT, side=Side.SELL, strategy_name=strategy, order_type=OrderType.MARKET
    )
    answer = size(exit_order(), positions(MIS=50), holding("STRADDLE", 50), orders=(before,))
    assert answer == ExitHold(HoldReason.EXIT_UNDER_WAY)


def test_an_absent_exit_that_may_still_be_accepted_counts_as_under_way():
    absent = other(Phase.ABSENT, execution_type=ExecutionType.EXIT, side=Side.SELL)
    answer = size(exit_order(), positions(MIS=50), holding("STRADDLE", 50), orders=(absent,))
    assert answer == ExitHold(HoldReason.EXIT_UNDER_WAY)


def test_an_exit_waits_for_its_older_entries_as_long_as_it_lives():
    waits = ExitHold(HoldReason.ENTRY_NOT_SETTLED)
    for may_wait in (True, False):
        assert size(exit_order(), positions(), orders=(other(),), may_wait=may_wait) == waits
    part = exit_order(Decimal(20))
    for may_wait in (True, False):
        assert size(part, positions(), orders=(other(),), may_wait=may_wait) == waits


def test_what_is_taken_back():
    entry, reversal = other(), other(side=Side.SELL)
    target = other(execution_type=ExecutionType.EXIT, side=Side.SELL)  # a limit order
    of_another = other(strategy_name="B")
    orders = (entry, reversal, target, of_another)
    facts = ExitFacts((holding("STRADDLE", 50),), orders)
    assert (entries_to_take_back(exit_order(), facts), in_the_way(exit_order(), facts)) == (
        (entry,),
        (target,),
    )
    part, limit = exit_order(Decimal(20)), exit_order(order_type=OrderType.LIMIT, price=Decimal(1))
    assert (entries_to_take_back(part, facts), in_the_way(part, facts)) == ((), (target,))
    assert (entries_to_take_back(limit, facts), in_the_way(limit, facts)) == ((entry,), ())
    assert entries_to_take_back(exit_order(), ExitFacts((), orders)) == (entry, reversal)
    assert entries_to_take_back(exit_order(requested_product="NRML"), facts) == ()


def test_an_exit_at_market_passes_a_target():
    target = other(execution_type=ExecutionType.EXIT, side=Side.SELL)
    held = holding("STRADDLE", 50)
    assert size(exit_order(), positions(MIS=50), held, orders=(target,)) == ExitHold(HoldReason.TAKING_BACK)


def test_what_goes_on_for_an_exit_at_market_passes_a_target_too():
    """Its first row was cancelled for a new price, and a limit exit took the units meanwhile."""
    target = other(execution_type=ExecutionType.EXIT, side=Side.SELL)
    facts = ExitFacts((holding("STRADDLE", 50),), (target,))
    first = exit_order()
    part = replace(first, command_id="part", parent_command_id=first.command_id)
    beside = replace(part, context_json=with_chase(None, Chase(slice_of=first.command_id)))
    went_on = replace(part, context_json=with_chase(None, Chase(1, instead_of=first.command_id)))
    assert in_the_way(went_on, facts) == in_the_way(beside, facts) == (target,)
    assert in_the_way(part, facts) == ()  # it exits what an entry filled later
    of_its_leg = replace(target, parent_command_id=first.command_id)  # a limit at the edge of the price band
    assert in_the_way(beside, ExitFacts(facts.holdings, (of_its_leg,))) == ()


def test_an_exit_that_was_turned_away_may_have_been_taken_all_the_same():
    turned_away = other(
        phase=Phase.REGISTERED,
        execution_type=ExecutionType.EXIT,
        side=Side.SELL,
        quantity=Decimal(50),
        sent_at=AT,
    )
    assert turned_away.look_first
    answer = size(exit_order(), positions(MIS=50), holding("STRADDLE", 50), orders=(turned_away,))
    assert answer == ExitHold(HoldReason.EXIT_UNDER_WAY)


def test_what_a_read_of_before_a_fill_has_too_many_is_not_taken_for_what_is_left():
    """B's 75 were converted while its exit rests for them here, and C's exit of 50 has just been filled.

    The read is of before that fill: 175 here, of which 75 are leaving, and 50 have gone.
    """
    resting = other(
        execution_type=ExecutionType.EXIT, quantity=Decimal(75), strategy_name="B", side=Side.SELL
    )
    held = (holding("B", 75), holding("D", 25), holding("STRADDLE", 100))
    facts = {"orders": (resting,), "last_fills": {Side.SELL: AT - timedelta(seconds=2)}}
    answer = size(exit_order(), positions(MIS=175, NRML=75), *held, **facts)
    assert isinstance(answer, ExitDispute)
    assert answer.smaller is not None
    assert answer.smaller.quantity == 50
    facts["last_fills"] = {Side.SELL: AT - timedelta(minutes=1)}
    answer = size(exit_order(), positions(MIS=175, NRML=75), *held, **facts)
    assert isinstance(answer, ExitSize)  # somebody's units more, and no fill that could explain them


def test_a_read_of_before_a_fill_does_not_show_what_a_hand_has_sold():
    """B's exit of 75 has left S 25 of our 100, and a hand has sold 7 before: the read of before the fill has 68."""
    facts = {"last_fills": {Side.SELL: AT - timedelta(seconds=2)}}
    answer = size(exit_order(), positions(MIS=68), holding("STRADDLE", 25), **facts)
    assert isinstance(answer, ExitDispute)
    bought = {Side.BUY: AT - timedelta(seconds=2)}  # the read of before that has less, not more
    assert isinstance(
        size(exit_order(), positions(MIS=68), holding("STRADDLE", 25), last_fills=bought), ExitSize
    )
    facts["disputed"] = Decimal(43)  # but these were told before: somebody else's
    answer = size(exit_order(), positions(MIS=68), holding("STRADDLE", 25), **facts)
    assert isinstance(answer, ExitSize)


def test_what_an_entry_may_have_filled_does_not_hide_what_is_missing():
    """A hand sold 50, S5's exit 100, both not in this read; B's entry of 100 has 5: 125 are shown, 30 are there."""
    closed = {Side.SELL: AT - timedelta(seconds=3)}
    entry = other(quantity=Decimal(100), strategy_name="B")
    holdings = (holding("STRADDLE", 50), holding("S7", 25))
    answer = size(exit_order(), positions(MIS=125), *holdings, last_fills=closed, orders=(entry,))
    assert isinstance(answer, ExitDispute)
    # The same surplus, where the last fill is one that opened: such a read of before would have less, not more.
    opened = {Side.BUY: AT - timedelta(seconds=3)}
    answer = size(exit_order(), positions(MIS=125), *holdings, last_fills=opened, orders=(entry,))
    assert isinstance(answer, ExitSize)
    # An entry that rests unfilled keeps no exit from going.
    answer = size(exit_order(), positions(MIS=75), *holdings, last_fills=closed, orders=(entry,))
    assert isinstance(answer, ExitSize)


def test_what_is_believed_of_one_half_of_a_conversion_makes_nothing_flat():
    """Short 50 of S, and +85 believed in its product; the other half (-85) has just ended with a wild, empty read."""
    facts = {
        "believed": Decimal(85),
        "known": {"MIS": Decimal(85)},
        "last_fills": {Side.BUY: AT - timedelta(minutes=1)},
    }
    answer = size(exit_order(), positions(MIS=0), holding("STRADDLE", -50), **facts)
    assert isinstance(answer, ExitDispute)
    assert answer.smaller is None
    answer = size(exit_order(), positions(MIS=35), holding("STRADDLE", -50), **facts)
    assert isinstance(answer, NothingToExit)  # the read has what is believed


@pytest.mark.parametrize("scope", ExitScope)
def test_a_read_that_began_before_an_exits_fill_sizes_no_other_exit(scope):
    """By chance it has what our fills say now: another strategy sold 25 since, and a hand 25 before."""
    facts = {"last_fills": {Side.SELL: AT}}
    answer = size(exit_order(), positions(MIS=65), holding("STRADDLE", 65), scope=scope, **facts)
    assert isinstance(answer, ExitDispute)
    facts = {"last_fills": {Side.SELL: AT - timedelta(microseconds=1)}}
    assert isinstance(
        size(exit_order(), positions(MIS=65), holding("STRADDLE", 65), scope=scope, **facts), ExitSize
    )


@pytest.mark.parametrize(("order_type", "settles"), [(OrderType.MARKET, True), (OrderType.LIMIT, False)])
def test_a_difference_that_anothers_market_exit_may_have_made_settles_when_the_order_book_shows_it(
    order_type, settles
):
    price = None if order_type is OrderType.MARKET else Decimal(120)
    exit_ = other(
        execution_type=ExecutionType.EXIT, side=Side.SELL, quantity=Decimal(50), strategy_name="B",
        order_type=order_type, price=price,
    )  # fmt: skip
    answer = size(exit_order(), positions(MIS=50), holding("STRADDLE", 50), holding("B", 50), orders=(exit_,))
    assert answer == ExitDispute(None, Decimal(50), Decimal(0), may_settle=settles)


def test_what_is_missing_by_a_read_of_about_a_fill_settles_when_reads_show_that_fill():
    """Told from wrong reads, not ended yet because another exit was just filled: the dispute outlasts that."""
    facts = {"disputed": Decimal(-50), "last_fills": {Side.SELL: AT - timedelta(seconds=2)}}
    answer = size(exit_order(), positions(MIS=70), holding("STRADDLE", 25), holding("B", 45), **facts)
    assert isinstance(answer, ExitDispute) and answer.by_read < 25 and answer.may_settle
    facts["last_fills"] = {Side.SELL: AT - timedelta(minutes=1)}
    answer = size(exit_order(), positions(MIS=70), holding("STRADDLE", 25), holding("B", 45), **facts)
    assert answer == ExitSize(Side.SELL, Decimal(25), "MIS")


def test_a_read_of_about_a_fill_that_lacks_units_of_others_may_lack_ours_too():
    """A hand bought 50 that no book has yet, and the read is of before another exit's 25: 55 are left, not 80."""
    facts = {"last_fills": {Side.SELL: AT - timedelta(seconds=2)}}
    held = (holding("STRADDLE", 75), holding("B", 30))
    assert isinstance(size(exit_order(), positions(MIS=80), *held, **facts), ExitDispute)
    assert size(exit_order(), positions(MIS=105), *held, **facts) == ExitSize(Side.SELL, Decimal(75), "MIS")
    facts["last_fills"] = {Side.SELL: AT - timedelta(minutes=1)}
    assert size(exit_order(), positions(MIS=80), *held, **facts) == ExitSize(Side.SELL, Decimal(75), "MIS")


@pytest.mark.parametrize("hedge", [Decimal(-50), Decimal(-200)])
def test_a_hedge_of_a_hand_closes_nothing_by_an_empty_read(hedge):
    by_hand = {"by_hand": hedge, "known": {"NRML": hedge}}
    assert isinstance(size(exit_order(), positions(), holding("STRADDLE", 50), **by_hand), ExitDispute)
    sold = {"by_hand": Decimal(-50), "known": {"MIS": Decimal(-50)}}
    assert isinstance(size(exit_order(), positions(), holding("STRADDLE", 50), **sold), NothingToExit)
    assert isinstance(
        size(exit_order(), positions(), holding("STRADDLE", 50), holding("B", -50)), NothingToExit
    )
