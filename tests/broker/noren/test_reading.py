"""Rows of the wire: any case, numbers as text, fields that are missing."""

from decimal import Decimal

import pytest

from domain.broker_capabilities import IdClass
from domain.broker_reports import BrokerStatus, OrderRef
from domain.enums import Side
from domain.errors import ReadFailed
from domain.instruments.instrument import Instrument, Kind
from tests.broker.noren.making import d, order_row, position_row
from tests.broker.noren.stub import NO_DATA, not_ok, says
from tests.contract.broker_contract import a_command


def read(broker, stub, *rows):
    stub.tell("OrderBook", says(list(rows)))
    return broker.read_book([])


def one(broker, stub, **changes):
    (report,) = read(broker, stub, order_row(**changes)).reports
    return report


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PENDING", BrokerStatus.PENDING),
        ("Open Pending", BrokerStatus.PENDING),
        ("AFTER MARKET ORDER REQ RECEIVED", BrokerStatus.PENDING),
        ("OPEN", BrokerStatus.OPEN),
        ("Open", BrokerStatus.OPEN),
        ("New", BrokerStatus.OPEN),
        ("REPLACED", BrokerStatus.OPEN),
        ("MODIFY PENDING", BrokerStatus.OPEN),
        ("CANCEL_PENDING", BrokerStatus.OPEN),
        ("TRIGGER_PENDING", BrokerStatus.TRIGGER_PENDING),
        ("trigger pending", BrokerStatus.TRIGGER_PENDING),
        ("Complete", BrokerStatus.COMPLETE),
        ("REJECT", BrokerStatus.REJECTED),
        ("REJECTED", BrokerStatus.REJECTED),
        ("CANCELED", BrokerStatus.CANCELLED),
        ("cancelled", BrokerStatus.CANCELLED),
        ("EXPIRED", BrokerStatus.EXPIRED),
        ("INVALID_STATUS_TYPE", BrokerStatus.UNRECOGNISED),
        ("SOMETHING NEW", BrokerStatus.UNRECOGNISED),
        ("", BrokerStatus.UNRECOGNISED),
        (None, BrokerStatus.UNRECOGNISED),
    ],
)
def test_status_words(broker, stub, word, status):
    assert one(broker, stub, status=word).status is status


def test_a_row_of_text(broker, stub):
    report = one(broker, stub, status="COMPLETE", fillshares="50", avgprc="112.55")
    assert (report.broker_order_id, report.client_order_id) == ("26112000000001", "owabc")
    assert (report.exchange, report.symbol, report.side) == ("NFO", "NIFTY26NOV24500CE", Side.BUY)
    assert (report.quantity, report.filled_quantity, report.average_price) == (50, 50, d("112.55"))


def test_a_row_of_numbers_and_capitals(broker, stub):
    row = order_row(qty=50, fillshares=25, avgprc=112.55, norenordno=26112000000001, trantype="s", exch="nfo")
    (report,) = read(broker, stub, {name.upper(): value for name, value in row.items()}).reports
    assert (report.quantity, report.filled_quantity, report.average_price) == (50, 25, d("112.55"))
    assert isinstance(report.average_price, Decimal)
    assert (report.broker_order_id, report.side, report.exchange) == ("26112000000001", Side.SELL, "NFO")


@pytest.mark.parametrize("price", ["1,00.00", "n/a", "NaN", "-"])
def test_a_fill_counts_where_its_price_cannot_be_read(broker, stub, price):
    book = read(broker, stub, order_row(status="COMPLETE", fillshares="50.00", avgprc=price))
    assert book.unreadable == ()
    (report,) = book.reports
    assert (report.status, report.filled_quantity, report.average_price) == (BrokerStatus.COMPLETE, 50, None)
    assert report.unread == f"avgprc {price!r} cannot be read"
    assert read(broker, stub, order_row(status="OPEN", fillshares="0", avgprc=price)).reports[0].unread == ""


@pytest.mark.parametrize("name", ["netavgprc", "lp"])
def test_a_position_is_known_where_its_price_cannot_be_read(broker, stub, name):
    stub.tell("PositionBook", says([position_row(**{name: "1,00.00"})]))
    snapshot = broker.read_positions()
    assert not snapshot.unreadable and snapshot.net("NFO", "NIFTY26NOV24500CE", "MIS") == -50


def test_a_quantity_with_separators_stays_unreadable(broker, stub):
    book = read(broker, stub, order_row(status="COMPLETE", fillshares="1,000", avgprc="1,00.00"))
    assert not book.reports and len(book.unreadable) == 1


def test_a_partial_fill_shows_while_the_order_is_open(broker, stub):
    report = one(broker, stub, status="OPEN", fillshares="25", avgprc="112.50")
    assert (report.status, report.filled_quantity) == (BrokerStatus.OPEN, 25)


def test_what_is_missing_is_not_made_up(broker, stub):
    report = one(broker, stub, remarks=None, avgprc="0.00")
    assert report.client_order_id is None and report.average_price is None and report.filled_quantity == 0
    assert (report.reason, report.code) == ("", "")


def test_a_rejection_says_who_and_why(broker, stub):
    report = one(broker, stub, status="REJECTED", rejreason="RED:RULE:{Check  circuit limit}")
    assert (report.reason, report.code) == ("RED:RULE:{Check circuit limit}", "RED")


@pytest.mark.parametrize(
    "changes",
    [
        {"norenordno": None},
        {"qty": None},
        {"qty": "many"},
        {"trantype": "X"},
        {"tsym": ""},
        {"fillshares": "NaN"},
    ],
)
def test_a_row_that_cannot_be_read_stands_in_nobodys_way_but_its_own(broker, stub, changes):
    bad = order_row(norenordno="26112000000001") | changes
    book = read(
        broker, stub, {n: v for n, v in bad.items() if v is not None}, order_row(norenordno="26112000000002")
    )
    assert [report.broker_order_id for report in book.reports] == ["26112000000002"]
    assert len(book.unreadable) == 1
    row = book.unreadable[0]
    assert row.broker_order_id == (None if "norenordno" in changes else "26112000000001")
    assert row.symbol == (None if "tsym" in changes else "NIFTY26NOV24500CE")
    assert '"trantype"' in row.text  # the row as it came
    assert book.complete
    hidden = OrderRef("owabc", row.broker_order_id)
    assert book.hides(hidden, "NFO", "NIFTY26NOV24500CE") is row
    assert book.hides(OrderRef("owother", "26112000000002"), "NFO", "NIFTY26NOV24500CE") is None


def test_a_whole_book_is_complete(broker, stub):
    assert read(broker, stub, order_row()).complete
    assert (broker.traits.id_class, broker.traits.is_real) == (IdClass.C1, True)


def test_a_book_that_misses_what_it_showed_today_proves_no_absence(broker, stub, clock):
    assert read(broker, stub, order_row()).complete
    assert not broker.read_book([]).complete
    stub.tell("OrderBook", says([order_row(norenordno="26112000000002")]))
    assert not broker.read_book([]).complete
    clock.advance(days=1)
    assert broker.read_book([]).complete


def test_a_book_that_lacks_what_it_had_is_not_complete_whatever_its_numbers(broker, stub):
    assert read(broker, stub, order_row(norenordno="WEB-7", norentm="09:30:00 20-11-2026")).complete
    stub.tell("OrderBook", says(not_ok('Error Occurred : 5 "no data"')))
    assert not broker.read_book([]).complete


def test_a_row_of_yesterday_is_not_missed_today(broker, stub):
    assert read(broker, stub, order_row(norenordno="WEB-7", norentm="15:30:00 19-11-2026")).complete
    stub.tell("OrderBook", says(not_ok('Error Occurred : 5 "no data"')))
    assert broker.read_book([]).complete


def test_a_book_that_lags_behind_an_acknowledged_order_is_not_complete(broker, stub, clock):
    broker.place(a_command())
    assert broker.read_book([]).complete  # it may be missing for a moment
    clock.advance(seconds=3)
    assert not broker.read_book([]).complete
    assert read(broker, stub, order_row()).complete


def test_a_number_that_no_book_ever_shows_does_not_make_all_books_incomplete(broker, stub, clock):
    broker.place(a_command())
    clock.advance(seconds=299)
    assert not broker.read_book([]).complete
    clock.advance(seconds=2)
    assert broker.read_book([OrderRef("owabc", "26112000000001")]).complete


def test_a_book_must_show_the_open_orders_of_today(broker, stub):
    ours, yesterdays = OrderRef("owabc", "26112000000007"), OrderRef("owold", "26111900000007")
    stub.standing["OrderBook"] = says(NO_DATA)
    assert not broker.read_book([ours]).complete
    assert broker.read_book([yesterdays, OrderRef("ownew", None)]).complete


def test_positions(broker, stub):
    stub.tell(
        "PositionBook", says([position_row(), position_row(prd="B", netqty="0", netavgprc="0.00", lp=None)])
    )
    first, second = broker.read_positions().positions
    assert (first.exchange, first.symbol, first.product) == ("NFO", "NIFTY26NOV24500CE", "MIS")
    assert (first.net_quantity, first.average_price, first.last_price) == (-50, d("112.5"), 110)
    assert (first.realized_pnl, first.unrealized_pnl) == (d("12.25"), 125)
    assert (second.product, second.net_quantity, second.average_price, second.last_price) == (
        "B",
        0,
        None,
        None,
    )


@pytest.mark.parametrize(
    "changes", [{"netqty": None}, {"netqty": ""}, {"netqty": "x"}, {"netqty": "1,000"}, {"urmtom": "x"}]
)
def test_a_position_that_cannot_be_read_is_not_known_and_the_others_are(broker, stub, changes):
    other = position_row(tsym="BANKNIFTY26NOV52000CE", netqty="15")
    stub.tell("PositionBook", says([position_row(**changes), other]))
    snapshot = broker.read_positions()
    assert snapshot.net("NFO", "BANKNIFTY26NOV52000CE", "MIS") == 15
    assert snapshot.is_readable("NFO", "BANKNIFTY26NOV52000CE")
    assert not snapshot.is_readable("NFO", "NIFTY26NOV24500CE")
    assert snapshot.is_readable("NFO", "NIFTY26NOV24500PE")  # a row of another symbol does not hide it
    assert snapshot.day_pnl is None


def test_a_position_without_its_symbol_hides_every_symbol_that_is_not_listed(broker, stub):
    stub.tell("PositionBook", says([position_row(), position_row(tsym=None)]))
    snapshot = broker.read_positions()
    assert snapshot.is_readable("NFO", "NIFTY26NOV24500CE") and not snapshot.is_readable("NFO", "ELSE")
    assert snapshot.is_readable("NSE", "ELSE")  # the row names its exchange


@pytest.mark.parametrize("turned", [False, True])
def test_two_rows_of_one_position_that_differ_tell_nothing_of_it(broker, stub, turned):
    found = [position_row(), position_row(netqty="0")]
    stub.tell("PositionBook", says(found[::-1] if turned else found))
    snapshot = broker.read_positions()
    assert not snapshot.is_readable("NFO", "NIFTY26NOV24500CE") and not snapshot.positions


def test_a_position_that_comes_twice_counts_once(broker, stub):
    stub.tell("PositionBook", says([position_row(), position_row()]))
    snapshot = broker.read_positions()
    assert snapshot.day_pnl == d("137.25") and snapshot.net("NFO", "NIFTY26NOV24500CE", "MIS") == -50


def test_symbols_are_compared_in_capitals_and_sent_as_the_broker_writes_them(broker, stub):
    stub.tell("PositionBook", says([position_row(tsym="Nifty26Nov24500ce")]))
    assert broker.read_positions().net("NFO", "NIFTY26NOV24500CE", "MIS") == -50
    broker.place(a_command(symbol="NIFTY26NOV24500CE"))
    assert stub.of("PlaceOrder")[0].fields["tsym"] == "Nifty26Nov24500ce"
    report = one(broker, stub, tsym="Nifty26Nov24500ce")
    assert report.symbol == "NIFTY26NOV24500CE"


SCRIP = {"exch": "NSE", "tsym": "M&M-EQ", "token": "2031", "ls": "1", "ti": "0.05"}


def test_history_trades_quote_and_search(broker, stub):
    stub.tell(
        "SingleOrdHist", says([order_row(status="COMPLETE", fillshares="50"), order_row(status="PENDING")])
    )
    assert [r.status for r in broker.order_history("26112000000001")] == [
        BrokerStatus.COMPLETE,
        BrokerStatus.PENDING,
    ]
    trade = order_row(flid="7", flqty="25", flprc="112.45")
    stub.tell("TradeBook", says([trade]))
    (fill,) = broker.trades()
    assert (fill.trade_id, fill.quantity, fill.price) == ("7", 25, d("112.45"))
    stub.tell("GetQuotes", says({"stat": "Ok", "exch": "NFO", "token": "35013", "lp": "112.5"}))
    assert broker.last_price("NFO", "35013") == d("112.5")
    listed = Instrument("NFO", "NIFTY26NOV24500CE", "35013", Kind.CALL, "NIFTY")
    stub.tell("GetQuotes", says({"stat": "Ok", "exch": "NFO", "token": "35013", "lp": "112.5"}))
    assert broker.price_of(listed) == d("112.5")
    stub.tell(
        "Limits", says({"stat": "Ok", "cash": "100000.50", "marginused": "40000.25", "brkcollamt": "7"})
    )
    assert broker.read_equity()[0] == d("60000.25")
    stub.tell("SearchScrip", says({"stat": "Ok", "values": [SCRIP]}), says(not_ok("No Data :  ")))
    (scrip,) = broker.search("NSE", "M&M")
    assert (scrip.symbol, scrip.token, scrip.lot_size, scrip.tick_size) == ("M&M-EQ", "2031", 1, d("0.05"))
    assert broker.search("NSE", "nothing") == ()


@pytest.mark.parametrize("changes", [{"flqty": None}, {"flprc": "x"}, {"norenordno": ""}, {"trantype": "?"}])
def test_a_trade_that_cannot_be_read_is_not_left_out(broker, stub, changes):
    trade = order_row(flid="7", flqty="25", flprc="112.45")
    stub.tell("TradeBook", says([trade, trade | changes]))
    with pytest.raises(ReadFailed, match="a trade cannot be read"):
        broker.trades()


@pytest.mark.parametrize("changes", [{"token": ""}, {"tsym": None}, {"ls": "x"}])
def test_a_symbol_that_cannot_be_read_is_not_left_out(broker, stub, changes):
    stub.tell("SearchScrip", says({"stat": "Ok", "values": [SCRIP, SCRIP | changes]}))
    with pytest.raises(ReadFailed, match="a symbol cannot be read"):
        broker.search("NSE", "M&M")


@pytest.mark.parametrize(
    ("endpoint", "call"),
    [
        ("SingleOrdHist", lambda b: b.order_history("1")),
        ("TradeBook", lambda b: b.trades()),
        ("GetQuotes", lambda b: b.last_price("NFO", "1")),
        ("Limits", lambda b: b.read_equity()),
        ("SearchScrip", lambda b: b.search("NFO", "x")),
    ],
)
@pytest.mark.parametrize("answer", [says(not_ok("Server Timeout : ")), says({"stat": "Ok"}), says(b"", 502)])
def test_other_reads_fail_as_reads(broker, stub, endpoint, call, answer):
    stub.tell(endpoint, answer)
    with pytest.raises(ReadFailed):
        call(broker)
