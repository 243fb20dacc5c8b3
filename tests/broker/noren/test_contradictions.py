"""Rows of one order that cannot all be true: its history and the day's trades settle them, or nobody does."""

import itertools

import pytest

from domain.broker_reports import BrokerStatus
from tests.broker.noren.making import d, order_row
from tests.broker.noren.stub import not_ok, says

NUMBER = "26112000000001"
OPEN = order_row(status="OPEN", norentm="09:30:00 20-11-2026")
COMPLETE = order_row(status="COMPLETE", fillshares="50", avgprc="112.50", norentm="09:30:05 20-11-2026")
EMPTY = order_row(status="COMPLETE", norentm="09:30:05 20-11-2026")
FAILS = says(not_ok("Server Timeout :  "))


def one(broker, stub, *found):
    stub.tell("OrderBook", says(list(found)))
    book = broker.read_book([])
    assert len(book.reports) == 1
    return book.by_id[NUMBER]


def trade(quantity, price="112.50", flid="1"):
    return order_row(flid=flid, flqty=quantity, flprc=price)


@pytest.mark.parametrize("found", list(itertools.permutations([OPEN, COMPLETE, COMPLETE])))
def test_the_newest_row_that_says_most_wins_wherever_it_stands(broker, stub, found):
    report = one(broker, stub, *found)
    assert (report.status, report.filled_quantity, report.contradiction) == (BrokerStatus.COMPLETE, 50, "")
    assert not stub.of("SingleOrdHist")


def test_complete_without_a_fill_is_settled_by_the_history(broker, stub):
    stub.tell("SingleOrdHist", says([COMPLETE, OPEN]))
    report = one(broker, stub, EMPTY)
    assert (report.filled_quantity, report.average_price, report.contradiction) == (50, d("112.5"), "")
    assert stub.of("SingleOrdHist")[0].fields["norenordno"] == NUMBER


def test_complete_without_a_fill_is_settled_by_the_trades(broker, stub):
    stub.tell("SingleOrdHist", says([EMPTY, OPEN]))
    elsewhere = trade("50", flid="9") | {"norenordno": "26112000000009"}
    stub.tell("TradeBook", says([trade("20"), trade("30", "113.50", flid="2"), trade("20"), elsewhere]))
    report = one(broker, stub, EMPTY)
    assert (report.filled_quantity, report.average_price, report.contradiction) == (50, d("113.1"), "")


def test_more_filled_than_ordered_is_believed_where_the_trades_say_so(broker, stub):
    over = COMPLETE | {"fillshares": "75"}
    stub.tell("SingleOrdHist", says([over]))
    stub.tell("TradeBook", says([trade("75")]))
    assert one(broker, stub, over).filled_quantity == 75


@pytest.mark.parametrize(
    ("history", "trades"),
    [
        (says([EMPTY]), says([trade("20")])),
        (says([EMPTY]), FAILS),
        (FAILS, says([trade("50")])),
        (says([EMPTY | {"trantype": "S"}]), FAILS),
    ],
)
def test_what_nothing_settles_decides_nothing_and_says_why(broker, stub, history, trades):
    stub.tell("SingleOrdHist", history)
    stub.tell("TradeBook", trades)
    report = one(broker, stub, EMPTY)
    assert report.contradiction.startswith("COMPLETE 0 of 50; its ")


def test_a_finished_row_and_a_newer_live_one_are_asked_about(broker, stub):
    newer = OPEN | {"norentm": "09:30:09 20-11-2026"}
    stub.tell("SingleOrdHist", says([COMPLETE, OPEN]))
    assert one(broker, stub, COMPLETE, newer).filled_quantity == 50
    cancelled = order_row(status="CANCELED", norentm="09:30:05 20-11-2026")
    stub.tell("SingleOrdHist", FAILS)
    assert one(broker, stub, newer, cancelled).contradiction


def test_the_same_rows_are_not_asked_about_at_every_read(broker, stub, clock):
    stub.standing["SingleOrdHist"] = stub.standing["TradeBook"] = FAILS
    for _ in range(3):
        assert one(broker, stub, EMPTY).contradiction
    assert len(stub.of("SingleOrdHist")) == 1
    clock.advance(seconds=5)
    one(broker, stub, EMPTY)
    assert len(stub.of("SingleOrdHist")) == 2


def test_only_a_few_orders_are_asked_about_at_once(broker, stub):
    stub.standing["SingleOrdHist"] = stub.standing["TradeBook"] = FAILS
    stub.tell("OrderBook", says([EMPTY | {"norenordno": f"2611200000000{n}"} for n in range(8)]))
    book = broker.read_book([])
    assert len(stub.of("SingleOrdHist")) == 3 and all(report.contradiction for report in book.reports)


# dead orders of which the row does not say how much was filled -----------------------------------------------------

CANCELED = order_row(status="CANCELED", norentm="09:30:05 20-11-2026")
PARTLY = CANCELED | {"cancelqty": "30"}


def test_a_cancel_of_all_of_it_was_filled_by_nothing(broker, stub):
    report = one(broker, stub, CANCELED | {"cancelqty": "50"})
    assert (report.status, report.filled_quantity, report.contradiction) == (BrokerStatus.CANCELLED, 0, "")
    assert not stub.of("SingleOrdHist")


@pytest.mark.parametrize("row", [PARTLY, CANCELED])
def test_what_a_cancelled_order_was_filled_by_is_settled_by_its_history(broker, stub, row):
    stub.tell("SingleOrdHist", says([row | {"fillshares": "20", "avgprc": "112.50"}, OPEN]))
    report = one(broker, stub, row)
    assert (report.status, report.filled_quantity, report.contradiction) == (BrokerStatus.CANCELLED, 20, "")


@pytest.mark.parametrize("row", [PARTLY, CANCELED])
def test_what_a_cancelled_order_was_filled_by_is_settled_by_the_trades(broker, stub, row):
    stub.tell("SingleOrdHist", says([row, OPEN]))
    stub.tell("TradeBook", says([trade("20")]))
    report = one(broker, stub, row)
    assert (report.filled_quantity, report.average_price, report.contradiction) == (20, d("112.5"), "")


@pytest.mark.parametrize("trades", [says([]), says([trade("10")]), FAILS])
def test_a_cancel_of_a_part_stays_in_doubt_while_no_trade_explains_it(broker, stub, clock, trades):
    stub.standing["SingleOrdHist"], stub.standing["TradeBook"] = says([PARTLY, OPEN]), trades
    for _ in range(4):
        assert one(broker, stub, PARTLY).contradiction
        clock.advance(seconds=6)


def test_where_nothing_says_what_was_filled_no_trade_has_to_show_for_a_while(broker, stub, clock):
    stub.standing["SingleOrdHist"], stub.standing["TradeBook"] = says([CANCELED, OPEN]), says([])
    assert one(broker, stub, CANCELED).contradiction, "its trade may show late"
    clock.advance(seconds=6)
    assert one(broker, stub, CANCELED).contradiction
    clock.advance(seconds=7)
    report = one(broker, stub, CANCELED)
    assert (report.status, report.filled_quantity, report.contradiction) == (BrokerStatus.CANCELLED, 0, "")


def test_what_has_expired_need_not_name_its_fills(broker, stub):
    expired = order_row(status="EXPIRED", norentm="15:30:05 20-11-2026")
    report = one(broker, stub, expired)
    assert (report.status, report.filled_quantity, report.contradiction) == (BrokerStatus.EXPIRED, 0, "")
    assert not stub.of("SingleOrdHist")


def test_rows_that_were_settled_are_not_asked_about_again(broker, stub, clock):
    settled = PARTLY | {"fillshares": "20", "avgprc": "112.50"}
    stub.standing["SingleOrdHist"] = says([settled])
    for _ in range(5):
        assert one(broker, stub, PARTLY).filled_quantity == 20
        clock.advance(seconds=6)
    assert len(stub.of("SingleOrdHist")) == 1


def test_of_many_doubtful_orders_each_has_its_turn(broker, stub, clock):
    """Only a few are asked about at each read: those that never were come first."""
    rows = [CANCELED | {"norenordno": f"2611200000{n:04}"} for n in range(12)]
    stub.standing["SingleOrdHist"] = stub.standing["TradeBook"] = FAILS
    for _ in range(4):
        stub.tell("OrderBook", says(rows))
        broker.read_book([])
        clock.advance(seconds=6)
    asked = [call.fields["norenordno"] for call in stub.of("SingleOrdHist")]
    assert sorted(asked) == sorted(row["norenordno"] for row in rows)


def test_a_clock_that_is_set_forward_is_no_proof_that_no_trade_came(broker, stub, clock):
    stub.standing["SingleOrdHist"], stub.standing["TradeBook"] = says([CANCELED, OPEN]), says([])
    assert one(broker, stub, CANCELED).contradiction
    clock.advance(hours=1)
    assert one(broker, stub, CANCELED).contradiction
    clock.advance(seconds=6)
    assert not one(broker, stub, CANCELED).contradiction
