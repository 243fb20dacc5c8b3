"""What hands trade beside us counts once, and as long as it is there: round trips, figures before rows."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from broker.delivered_shares import Delivered, merged
from domain.broker_reports import BrokerStatus, Position, PositionsSnapshot
from domain.enums import Side
from domain.errors import ReadFailed
from domain.exit_sizing import HoldReason
from domain.limits import ExitScope, StrategyPolicy
from domain.states import Status
from tests.engine.by_hand import SYMBOL, empty, hand, resting_elsewhere, round_trip
from tests.engine.test_adopting import adopt, by_hand
from tests.engine.test_late_evidence import lag_positions, net, spin
from tests.support import EXIT, MARKET_EXIT, leg


def test_a_round_trip_by_hand_holds_no_exit(desk):
    resting_elsewhere(desk)
    by_hand(desk, 50, "H1")
    spin(desk, 15)
    by_hand(desk, -50, "H2")
    spin(desk, 300)
    assert net(desk) == 0
    desk.post()
    spin(desk, 200)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 320)
    assert net(desk) == 0


def test_a_round_trip_by_hand_ends_no_exit_soon_after_its_entry(desk):
    """Within 30 s of the entry's fill the exit is ended at once: NO_POSITION, and 50 are held."""
    resting_elsewhere(desk)
    by_hand(desk, 50, "H1")
    spin(desk, 15)
    by_hand(desk, -50, "H2")
    spin(desk, 300)
    desk.post()
    spin(desk, 10)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 20)
    assert desk.order(exit_.command_id).status is Status.EXECUTED


def test_a_round_trip_of_yesterday_is_over(desk):
    """It stays over the night: the trader's round trip of yesterday, a new book today."""
    resting_elsewhere(desk)
    by_hand(desk, 50, "H1")
    spin(desk, 15)
    by_hand(desk, -50, "H2")
    spin(desk, 300)
    desk.clock.advance(24 * 3600)
    desk.broker.orders = {k: v for k, v in desk.broker.orders.items() if k.startswith("B")}
    spin(desk, 30)
    desk.post()
    spin(desk, 60)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 120)
    assert desk.order(exit_.command_id).status is Status.EXECUTED


def test_after_a_round_trip_one_empty_read_forgets_nothing(desk):
    round_trip(desk, 50)
    desk.post()
    spin(desk, 200)
    right = desk.broker.read_positions
    desk.broker.read_positions = lambda *, urgent=False: PositionsSnapshot(desk.clock.now(), ())
    spin(desk, 2.5)
    desk.broker.read_positions = right
    spin(desk, 5)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 30)
    assert net(desk) == 0


def test_after_a_round_trip_a_reversal_goes(desk):
    round_trip(desk, 50)
    desk.post()
    spin(desk, 200)
    desk.post(MARKET_EXIT, **EXIT)
    desk.post(leg(side=Side.SELL, price=Decimal(110)))
    spin(desk, 320)
    assert net(desk) == -50


def test_units_that_positions_showed_first_are_counted_once(desk):
    hand(desk, 50, "H1")
    spin(desk, 60)
    adopt(desk)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert net(desk) == 0


def test_what_a_hand_sold_and_bought_again_is_even(desk):
    """Strategy's own 50; hand sells 20 of it, buys them back ten minutes later; hand sells all; then the exit."""
    desk.broker.traits = replace(desk.broker.traits, position_horizon=2.0, book_interval=1.0)
    resting_elsewhere(desk)
    desk.post()
    spin(desk, 200)
    hand(desk, -20, "H1")
    spin(desk, 300)
    hand(desk, 20, "H2")
    spin(desk, 300)
    assert desk.rows(
        "SELECT sum((CASE side WHEN 'BUY' THEN 1 ELSE -1 END) * unexplained_quantity) FROM external_orders"
    ) == [(0,)]


def test_an_order_by_hand_that_fills_in_pieces_is_counted_once(desk):
    """The positions are ahead of the book by a few seconds: the last piece counts twice."""
    resting_elsewhere(desk)
    read_book = desk.broker.read_book
    hand(desk, 50, "H1")

    desk.broker.read_book = lambda refs, urgent=False: replace(
        b := read_book(refs),
        reports=tuple(
            replace(r, filled_quantity=Decimal(20), status=BrokerStatus.OPEN)
            if r.broker_order_id == "H1"
            else r
            for r in b.reports
        ),
    )
    spin(desk, 8)
    desk.broker.read_book = read_book
    spin(desk, 300)
    assert desk.rows("SELECT unexplained_quantity FROM external_orders") == [("0",)]


def test_an_order_by_hand_under_a_number_of_yesterday_is_another_order(desk):
    """Number 17 was a hand's purchase of BANKNIFTY yesterday; today it is a hand's sale of what we hold."""
    desk.broker.traits = replace(desk.broker.traits, position_horizon=2.0, book_interval=1.0)
    hand(desk, 30, "17", symbol="GOLD")
    spin(desk, 30)
    desk.clock.advance(24 * 3600)
    desk.broker.orders.clear()
    spin(desk, 30)
    desk.post()
    spin(desk, 40)

    lag_positions(desk, 3)
    spin(desk, 11)
    hand(desk, -50, "17")
    spin(desk, 1.5)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert [c.side for c in desk.broker.placed] == [Side.BUY]


def test_units_that_a_hand_held_before_close_nothing_of_ours(desk):
    """A hand is long by 50, a strategy goes short by 50: the account is flat, and both hold what they hold."""
    resting_elsewhere(desk)
    hand(desk, 50, "H1")
    spin(desk, 200)
    desk.post(leg(side=Side.SELL))
    spin(desk, 240)
    assert "HOLDING_CLEARED" not in [n.kind for n in desk.notices]
    assert [
        str(r[0]) for r in desk.rows("SELECT net_quantity FROM holdings WHERE symbol = 'NIFTY26NOV24500CE'")
    ] == ["-50"]


def test_a_hand_that_sells_what_it_had_bought_closes_nothing_of_ours(desk):
    """A hand buys 50, a strategy buys 50, the hand sells its own again; and positions are empty for some seconds."""
    resting_elsewhere(desk)
    hand(desk, 50, "H1")
    spin(desk, 3)
    desk.post()
    spin(desk, 60)
    hand(desk, -50, "H2")
    spin(desk, 30)
    right = desk.broker.read_positions
    desk.broker.read_positions = empty(desk)
    spin(desk, 7)
    desk.broker.read_positions = right
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert net(desk) == 0
    assert "HOLDING_CLEARED" not in [n.kind for n in desk.notices]


def test_a_second_entry_is_a_duplicate_after_a_round_trip_around_the_first(desk):
    resting_elsewhere(desk)
    hand(desk, 50, "H1")
    spin(desk, 1.5)
    desk.post()
    spin(desk, 60)
    hand(desk, -50, "H2")
    spin(desk, 30)
    (second,) = desk.post(leg(price=Decimal(101)))
    spin(desk, 30)
    assert desk.order(second.command_id).tag == "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED"


def test_a_sale_by_hand_that_the_book_shows_late_counts_once(desk):
    """The hand's own units: positions show at once that they are gone, the order book twelve seconds later."""
    resting_elsewhere(desk)
    hand(desk, 50, "H1")
    spin(desk, 60)
    read_book = desk.broker.read_book
    hand(desk, -50, "H2")
    desk.broker.read_book = lambda refs, urgent=False: replace(
        b := read_book(refs), reports=tuple(r for r in b.reports if r.broker_order_id != "H2")
    )
    spin(desk, 12)
    desk.broker.read_book = read_book
    spin(desk, 30)
    assert desk.rows("SELECT unexplained_quantity FROM external_orders WHERE broker_order_id = 'H2'") == [
        ("0",)
    ]
    desk.post()
    spin(desk, 30)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert net(desk) == 0


def test_a_position_that_is_gone_for_one_read_takes_nothing_off_a_later_order(desk):
    """A surplus of a hand is missing in some reads; then the hand really sells."""
    resting_elsewhere(desk)
    hand(desk, 50, "H1")
    spin(desk, 60)
    right = desk.broker.read_positions
    desk.broker.read_positions = empty(desk)
    spin(desk, 5)
    desk.broker.read_positions = right
    spin(desk, 8)
    hand(desk, -30, "H2")
    spin(desk, 300)
    assert desk.rows("SELECT believed FROM position_differences") == [("20",)]
    assert desk.rows("SELECT units FROM believed_ahead WHERE units <> '0'") == []


def test_a_hedge_by_hand_in_another_product_closes_nothing_of_ours(desk):
    desk.post()
    spin(desk, 60)
    hand(desk, -50, "H1", product="NRML")
    spin(desk, 20)
    right = desk.broker.read_positions
    desk.broker.read_positions = empty(desk)
    spin(desk, 4)
    desk.broker.read_positions = right
    spin(desk, 5)
    (second,) = desk.post(leg(price=Decimal(101)))
    spin(desk, 10)
    assert desk.order(second.command_id).tag == "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED"
    assert "HOLDING_CLEARED" not in [n.kind for n in desk.notices]
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert desk.order(exit_.command_id).filled_quantity == 50


def test_an_order_by_hand_while_the_book_cannot_be_read_counts_once(desk):
    """A minute without the order book, positions as ever: long enough for the book to be late by more than a wait."""
    resting_elsewhere(desk)
    desk.broker.book_error = ReadFailed("502")
    spin(desk, 5)
    hand(desk, 50, "H1")
    spin(desk, 60)
    desk.broker.book_error = None
    spin(desk, 60)
    assert desk.rows("SELECT unexplained_quantity FROM external_orders") == [("0",)]
    desk.broker.book_error = ReadFailed("502")
    spin(desk, 5)
    hand(desk, -50, "H2")
    spin(desk, 60)
    desk.broker.book_error = None
    spin(desk, 60)
    assert desk.rows("SELECT unexplained_quantity FROM external_orders") == [("0",), ("0",)]
    desk.post()
    spin(desk, 60)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert desk.order(exit_.command_id).filled_quantity == 50


@pytest.mark.parametrize("scope", ExitScope)
@pytest.mark.parametrize("apart", [0.5, 3, 8])
def test_a_late_read_that_has_just_what_our_fills_say_is_not_believed(make_desk, scope, apart):
    """25 of our 100 were sold by hand, and 25 by us: positions of before that have the 75 of our own fills."""
    desk = make_desk(strategy=StrategyPolicy(scope))
    desk.post(leg(qty=100))
    spin(desk, 60)
    read_book, right = desk.broker.read_book, desk.broker.read_positions
    desk.broker.read_book = lambda refs, urgent=False: replace(
        b := read_book(refs), reports=tuple(r for r in b.reports if r.broker_order_id != "H1")
    )
    hand(desk, -25, "H1")
    spin(desk, 10)
    before, until = right(), desk.clock.now() + timedelta(seconds=12)

    def late(*, urgent=False):
        now = right()
        return now if now.read_started_at > until else replace(before, read_started_at=now.read_started_at)

    desk.broker.read_positions = late
    (part,) = desk.post(replace(MARKET_EXIT, quantity=Decimal(25)), signal_id="part", **EXIT)
    spin(desk, apart)
    assert desk.order(part.command_id).status is Status.EXECUTED
    (rest,) = desk.post(MARKET_EXIT, signal_id="rest", **EXIT)
    spin(desk, 120)
    assert (net(desk), desk.order(rest.command_id).status) == (0, Status.EXECUTED)


@pytest.mark.parametrize("hand_first", [True, False])
def test_shares_of_earlier_days_that_a_hand_sells_were_in_no_sum_of_ours(desk, hand_first):
    """50 delivered shares (CNC) are sold by hand while the strategy trades the same stock in MIS."""
    right = desk.broker.read_positions

    def with_savings(*, urgent=False):
        now = right()
        positions, _ = merged(now.positions, Delivered({("NFO", SYMBOL): Decimal(50)}, ()))
        return replace(now, positions=positions)

    desk.broker.read_positions = with_savings
    resting_elsewhere(desk)
    spin(desk, 240)
    for step in (hand_first, not hand_first):
        if step:
            hand(desk, -50, "H1", product="CNC")
        else:
            desk.post()
        spin(desk, 60)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert desk.order(exit_.command_id).status is Status.EXECUTED
    assert right().net("NFO", SYMBOL, "MIS") == 0


def test_a_read_that_contradicted_our_fills_is_not_right_because_another_exit_was_filled(desk):
    """A hand has sold 20 of 50, untold yet; another exit sells 20 more, and the read is of before that."""
    desk.post()
    spin(desk, 40)

    def shows(units):
        rows = (Position("NFO", SYMBOL, "MIS", Decimal(units)),)
        desk.broker.read_positions = lambda *, urgent=False: PositionsSnapshot(desk.clock.now(), rows)

    shows(30)
    (whole,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 1.5)
    assert desk.order(whole.command_id).reason_message == HoldReason.DISPUTED.sentence
    (part,) = desk.post(replace(MARKET_EXIT, quantity=Decimal(20)), **EXIT)
    spin(desk, 5)
    assert desk.order(part.command_id).status is Status.EXECUTED
    assert desk.order(whole.command_id).status is Status.CREATED, "30 are sent, and 10 are left"
    shows(10)
    spin(desk, 90)
    order = desk.order(whole.command_id)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 10)
