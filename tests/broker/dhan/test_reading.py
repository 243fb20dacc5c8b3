"""What Dhan's books say, and what is never guessed of them."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from broker.dhan.parsing import status_in
from domain.broker_reports import BrokerStatus, OrderRef
from domain.errors import ReadFailed
from domain.ids import client_order_id
from tests.broker.dhan.at_dhan import NO_HOLDINGS, fails
from tests.broker.dhan.making import (
    CE,
    FIRST_WEEK,
    LATER_WEEK,
    SHARE,
    TAG,
    make,
    master_of,
    order_row,
    position_row,
)
from tests.contract.http_stub import hangs_up, says

ENDED = ("TRADED", "REJECTED", "CANCELLED", "EXPIRED")
PLACE = (*FIRST_WEEK.address, "MIS")
NUMBER = "112111182045"


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("TRANSIT", BrokerStatus.PENDING),
        ("PENDING", BrokerStatus.OPEN),
        ("PART_TRADED", BrokerStatus.OPEN),
        ("part_traded", BrokerStatus.OPEN),
        ("TRADED", BrokerStatus.COMPLETE),
        ("REJECTED", BrokerStatus.REJECTED),
        ("CANCELLED", BrokerStatus.CANCELLED),
        ("EXPIRED", BrokerStatus.EXPIRED),
        ("CLOSED", BrokerStatus.UNRECOGNISED),
        ("TRIGGERED", BrokerStatus.UNRECOGNISED),
        ("INACTIVE", BrokerStatus.UNRECOGNISED),
        ("MODIFIED", BrokerStatus.UNRECOGNISED),
        ("", BrokerStatus.UNRECOGNISED),
    ],
)
def test_a_status_that_is_not_known_is_no_end(broker, stub, word, status):
    stub.tell("GET orders", says([order_row(orderStatus=word, quantity=50, filledQty=50)]))
    stub.tell(f"GET orders/{NUMBER}", hangs_up)
    (report,) = broker.read_book([]).reports
    assert (report.status, report.has_ended) == (status, word in ENDED)


def test_a_stop_waits_for_its_trigger_until_it_is_filled():
    for kind in ("STOP_LOSS", "STOP_LOSS_MARKET"):
        assert status_in(order_row(orderType=kind)) is BrokerStatus.TRIGGER_PENDING
        assert status_in(order_row(orderType=kind, orderStatus="TRADED")) is BrokerStatus.COMPLETE
        assert status_in(order_row(orderType=kind, orderStatus="REJECTED")) is BrokerStatus.REJECTED


def test_a_row_is_read_with_its_decimals_and_its_time_in_india(broker, stub):
    row = order_row(
        orderStatus="PART_TRADED", filledQty=20, averageTradedPrice=112.35, exchangeTime="2026-11-20 09:31:07"
    )
    stub.tell("GET orders", says([row]))
    (report,) = broker.read_book([]).reports
    assert (report.filled_quantity, report.average_price) == (Decimal(20), Decimal("112.35"))
    assert (report.client_order_id, report.quantity, report.reason) == (TAG, 50, "")
    assert (report.exchange, report.symbol) == FIRST_WEEK.address
    assert report.reported_at == datetime(2026, 11, 20, 4, 1, 7, tzinfo=UTC)
    assert report.order_type is None and report.price is None  # a market order comes back as a limit order


def test_a_rejection_says_why(broker, stub):
    stub.tell(
        "GET orders", says([order_row(orderStatus="REJECTED", omsErrorDescription="RMS:Margin Exceeds")])
    )
    (report,) = broker.read_book([]).reports
    assert (report.reason, report.code) == ("RMS:Margin Exceeds", "RMS")


@pytest.mark.parametrize(
    "changes",
    [
        {"quantity": "5,0"},
        {"quantity": ...},
        {"filledQty": ...},  # nothing filled, or not told: an order that was cancelled after a fill has units
        {"filledQty": None},
        {"exchangeSegment": "IDX_I"},
        {"tradingSymbol": ""},
        {"transactionType": "B"},
        {"drvExpiryDate": "2026-12-01"},  # of another month than its name
    ],
)
def test_a_row_that_cannot_be_read_hides_its_own_order_alone(broker, stub, changes):
    stub.tell("GET orders", says([order_row(**changes), order_row(orderId="2", correlationId="other")]))
    book = broker.read_book([])
    assert book.complete and [report.broker_order_id for report in book.reports] == ["2"]
    assert book.hides(OrderRef(TAG, None), *FIRST_WEEK.address) is not None
    assert book.hides(OrderRef("never", None), "BFO", "X") is None


def test_the_older_name_of_what_is_filled_is_read(broker, stub):
    stub.tell("GET orders", says([order_row(orderStatus="CANCELLED", filledQty=..., filled_qty=20)]))
    (report,) = broker.read_book([]).reports
    assert (report.status, report.filled_quantity) == (BrokerStatus.CANCELLED, 20)


# names of contracts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("expiry", ["2026-11-24", "2026-11-24 14:30:00"])
def test_contracts_of_two_weeks_are_told_apart_by_their_day(broker, stub, expiry):
    later = {"tradingSymbol": "NIFTY-Dec2026-24500-CE", "drvExpiryDate": "2026-12-01", "netQty": 75}
    rows = [position_row(drvExpiryDate=expiry), position_row(**later, securityId=LATER_WEEK.token)]
    stub.tell("GET positions", says(rows))
    snapshot = broker.read_positions()
    assert [snapshot.net(*each.address, "MIS") for each in (FIRST_WEEK, LATER_WEEK)] == [-50, 75]


def test_a_row_without_its_day_is_named_by_its_number_in_the_list(broker, stub):
    stub.tell("GET positions", says([position_row(drvExpiryDate=None)]))
    assert broker.read_positions().net(*PLACE) == -50


@pytest.mark.parametrize("expiry", [None, ..., "0001-01-01", "soon"])
def test_without_day_and_list_a_position_is_unknown_instead_of_flat(clock, stub, tmp_path, expiry):
    broker = make(stub.url, clock, tmp_path, master=master_of(clock, (SHARE,)))
    stub.tell("GET positions", says([position_row(drvExpiryDate=expiry)]))
    snapshot = broker.read_positions()
    assert not snapshot.positions and not snapshot.is_readable(*PLACE)


def test_names_that_have_their_day_or_no_month_stay_as_they_are(broker, stub):
    gold = {
        "exchangeSegment": "MCX_COMM",
        "tradingSymbol": "CRUDEOIL-16Oct2026-5500-CE",
        "productType": "MARGIN",
    }
    share = {"exchangeSegment": "NSE_EQ", "tradingSymbol": "BAJAJ-AUTO", "drvExpiryDate": "0001-01-01"}
    stub.tell("GET positions", says([position_row(**gold, netQty=1), position_row(**share, netQty=2)]))
    found = {(p.exchange, p.symbol, p.product): p.net_quantity for p in broker.read_positions().positions}
    assert found == {("MCX", "CRUDEOIL-16OCT2026-5500-CE", "NRML"): 1, ("NSE", "BAJAJ-AUTO", "MIS"): 2}


# books ----------------------------------------------------------------------------------------------------------


def test_complete_without_its_fill_is_settled_by_the_trades(broker, stub):
    row = order_row(orderStatus="TRADED", filledQty=0)
    trade = {**order_row(), "exchangeTradeId": "1", "tradedQuantity": 50, "tradedPrice": 112.5}
    stub.tell("GET orders", says([row]))
    stub.tell(f"GET orders/{NUMBER}", says(row))
    stub.tell("GET trades", says([trade]))
    (report,) = broker.read_book([]).reports
    assert (report.filled_quantity, report.average_price, report.contradiction) == (50, Decimal("112.5"), "")


@pytest.mark.parametrize("form", [lambda row: row, lambda row: [row]])
def test_one_order_is_looked_up(broker, stub, form):
    stub.tell(f"GET orders/{NUMBER}", says(form(order_row())))
    assert [each.broker_order_id for each in broker.order_history(NUMBER)] == [NUMBER]
    stub.tell(f"GET orders/{NUMBER}", says(form(order_row(orderId="another"))))
    assert broker.order_history(NUMBER) == ()
    with pytest.raises(ReadFailed):
        broker.order_history("../1")


# the look-up by our id ------------------------------------------------------------------------------------------


def test_what_the_look_up_finds_is_reported_and_the_book_that_lacks_it_is_not_complete(broker, stub):
    stub.tell("GET orders", says([]))
    stub.tell(f"GET orders/external/{TAG}", says(order_row()))
    book = broker.read_book([OrderRef(TAG, None)])
    assert not book.complete and [each.broker_order_id for each in book.by_tag[TAG]] == [NUMBER]


@pytest.mark.parametrize(
    "answer",
    [
        fails(404, "DH-907", "No data present"),
        says(b"", 200),
        says([]),
        says(order_row(correlationId="of another order")),
        hangs_up,
    ],
)
def test_what_the_look_up_does_not_find_proves_nothing_more(broker, stub, answer):
    stub.tell("GET orders", says([]))
    stub.tell(f"GET orders/external/{TAG}", answer)
    book = broker.read_book([OrderRef(TAG, None)])
    assert book.complete and not book.reports


def test_nothing_is_looked_up_that_the_book_shows_or_has_its_number(broker, stub):
    stub.tell("GET orders", says([order_row()]))
    broker.read_book([OrderRef(TAG, None), OrderRef(client_order_id("x"), "112111182046")])
    assert not [call for call in stub.made("GET") if "external" in call.path]


def test_only_a_few_are_looked_up_in_one_read(broker, stub):
    stub.tell("GET orders", says([]))
    broker.read_book([OrderRef(client_order_id(str(n)), None) for n in range(20)])
    assert len([call for call in stub.made("GET") if "external" in call.path]) == 3


def test_a_slow_broker_is_not_asked_for_more(broker, stub, clock):
    def late():
        clock.advance(seconds=3)
        return says([])()

    stub.tell("GET orders", late)
    assert broker.read_book([OrderRef(TAG, None)]).complete
    assert not [call for call in stub.made("GET") if "external" in call.path]


# positions, Holdings, money -------------------------------------------------------------------------------------


def test_the_days_result_is_what_the_broker_calls_realised_and_unrealised(broker, stub):
    stub.tell("GET positions", says([position_row()]))
    (position,) = broker.read_positions().positions
    assert (position.realized_pnl, position.unrealized_pnl) == (10, Decimal("276.25"))
    assert (position.average_price, position.last_price) == (Decimal("112.5"), None)


@pytest.mark.parametrize(
    "rows",
    [
        [position_row(netQty="many")],
        [position_row(netQty=...)],
        [position_row(unrealizedProfit=...)],
        [position_row(realizedProfit=None)],
        [position_row(), position_row(netQty=50)],
    ],
)
def test_a_position_that_cannot_be_read_is_not_known_instead_of_flat(broker, stub, rows):
    stub.tell("GET positions", says(rows))
    snapshot = broker.read_positions()
    assert not snapshot.is_readable(*PLACE) and snapshot.day_pnl is None


@pytest.mark.parametrize(("sold", "left"), [(0, 16), (6, 10), (16, 0)])
@pytest.mark.parametrize("exchange", ["ALL", "NSE", "NSE_EQ"])
def test_delivered_shares_are_one_position_with_todays_sales(broker, stub, sold, left, exchange):
    held = {
        "exchange": exchange,
        "tradingSymbol": "SBIN",
        "securityId": "3045",
        "totalQty": 16,
        "availableQty": 3,
    }
    sale = {"exchangeSegment": "NSE_EQ", "tradingSymbol": "SBIN", "productType": "CNC", "drvExpiryDate": None}
    stub.tell("GET holdings", says([held]))
    stub.tell("GET positions", says([position_row(**sale, netQty=-sold)] if sold else []))
    snapshot = broker.read_positions()
    assert snapshot.net("NSE", "SBIN", "CNC") == snapshot.delivered("NSE", "SBIN", "CNC") == left


@pytest.mark.parametrize(
    "answer",
    [
        fails(500, "DH-908", "Internal Server Error"),
        fails(500, "DH-1111", "Holdings are not available"),
        says([{"exchange": "NSE", "tradingSymbol": "SBIN"}]),
        says(b"null"),
    ],
)
def test_holdings_that_cannot_be_read_make_delivery_unknown_instead_of_flat(broker, stub, answer):
    stub.tell("GET holdings", answer)
    stub.tell("GET positions", says([]))
    snapshot = broker.read_positions()
    assert not snapshot.is_readable("NSE", "SBIN", "CNC")
    assert snapshot.is_readable(*PLACE)


def test_that_there_are_no_holdings_is_an_error_there_and_no_units_here(broker, stub):
    stub.tell("GET holdings", NO_HOLDINGS)
    stub.tell("GET positions", says([]))
    snapshot = broker.read_positions()
    assert snapshot.is_readable("NSE", "SBIN", "CNC") and not snapshot.positions


def test_a_price_and_the_funds_are_read(broker, stub):
    prices = {"data": {"NSE_FNO": {"1001": {"last_price": 74.35}}}, "status": "success"}
    stub.tell("POST marketfeed/ltp", says(prices))
    assert broker.last_price("nfo", "1001") == broker.price_of(CE) == Decimal("74.35")
    with pytest.raises(ReadFailed, match="no price"):
        broker.last_price("NFO", "1002")
    with pytest.raises(ReadFailed, match="no security id"):
        broker.last_price("NFO", "NIFTY")
    stub.tell("GET fundlimit", says({"dhanClientId": "1", "availabelBalance": 98440.5, "sodLimit": 1}))
    assert broker.read_equity()[0] == Decimal("98440.5")
    stub.tell("GET fundlimit", says({"sodLimit": 1}))
    with pytest.raises(ReadFailed, match="funds"):
        broker.read_equity()


def test_with_the_data_plan_what_is_held_has_its_last_price(clock, stub, tmp_path):
    broker = make(stub.url, clock, tmp_path, has_prices=True)
    flat = {"tradingSymbol": "NIFTY-Dec2026-24500-CE", "drvExpiryDate": "2026-12-01", "securityId": "41002"}
    stub.tell("GET positions", says([position_row(), position_row(**flat, netQty=0)]))
    stub.tell("POST marketfeed/ltp", says({"data": {"NSE_FNO": {"41001": {"last_price": 107.05}}}}))
    snapshot = broker.read_positions()
    assert snapshot.last_price(*FIRST_WEEK.address) == Decimal("107.05")
    assert json.loads(stub.made("POST")[0].body) == {"NSE_FNO": [41001]}
    assert snapshot.last_price(*LATER_WEEK.address) is None
    assert broker.read_positions(urgent=True).last_price(*FIRST_WEEK.address) is None
    assert len(stub.made("POST")) == 1  # an exit waits for no price


@pytest.mark.parametrize(
    "answer",
    [
        fails(400, "DH-902", "Data APIs not subscribed"),
        hangs_up,
        says({"data": {"NSE_FNO": {"41001": {"last_price": 0}}}}),
    ],
)
def test_prices_that_cannot_be_read_take_no_position_away(clock, stub, tmp_path, answer):
    broker = make(stub.url, clock, tmp_path, has_prices=True)
    stub.tell("GET positions", says([position_row()]))
    stub.tell("POST marketfeed/ltp", answer)
    snapshot = broker.read_positions()
    assert snapshot.net(*PLACE) == -50 and snapshot.last_price(*FIRST_WEEK.address) is None
