"""What Kite Connect's books say, and what is never guessed of them."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from broker.zerodha.parsing import order_in, status_in
from domain.broker_reports import BrokerStatus, OrderRef
from domain.errors import ReadFailed
from domain.instruments.instrument import Instrument, Kind
from tests.broker.zerodha.at_zerodha import fails, success
from tests.broker.zerodha.making import TAG, order_row, position_row

CE = ("NFO", "NIFTY26NOV24500CE", "MIS")
SHARE = {"exchange": "NSE", "tradingsymbol": "SBIN", "product": "CNC"}
ENDED = ("COMPLETE", "REJECTED", "CANCELLED")


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PUT ORDER REQ RECEIVED", BrokerStatus.PENDING),
        ("VALIDATION PENDING", BrokerStatus.PENDING),
        ("OPEN PENDING", BrokerStatus.PENDING),
        ("AMO REQ RECEIVED", BrokerStatus.PENDING),
        ("OPEN", BrokerStatus.OPEN),
        ("MODIFY VALIDATION PENDING", BrokerStatus.OPEN),
        ("MODIFY PENDING", BrokerStatus.OPEN),
        ("CANCEL PENDING", BrokerStatus.OPEN),
        ("TRIGGER PENDING", BrokerStatus.TRIGGER_PENDING),
        ("trigger  pending", BrokerStatus.TRIGGER_PENDING),
        ("COMPLETE", BrokerStatus.COMPLETE),
        ("REJECTED", BrokerStatus.REJECTED),
        ("CANCELLED", BrokerStatus.CANCELLED),
        ("UPDATE", BrokerStatus.UNRECOGNISED),
        ("COMPLETED", BrokerStatus.UNRECOGNISED),
        ("CANCELLED BY EXCHANGE", BrokerStatus.UNRECOGNISED),
        ("", BrokerStatus.UNRECOGNISED),
    ],
)
def test_a_status_that_is_not_known_is_no_end(word, status):
    assert status_in(word) is status
    assert order_in(order_row(status=word)).has_ended == (word in ENDED)


def test_a_row_is_read_with_its_decimals_and_its_time_in_india(broker, stub):
    row = order_row(
        status="OPEN",
        filled_quantity=20,
        average_price=112.35,
        exchange_update_timestamp="2026-11-20 09:31:07",
        exchange_timestamp=None,
    )
    stub.tell("GET orders", success([row]))
    (report,) = broker.read_book([]).reports
    assert (report.filled_quantity, report.average_price) == (Decimal(20), Decimal("112.35"))
    assert (report.client_order_id, report.quantity) == (TAG, 50)
    assert report.reported_at == datetime(2026, 11, 20, 4, 1, 7, tzinfo=UTC)
    assert report.order_type is None and report.price is None  # a market order comes back as a limit order


def test_a_row_that_cannot_be_read_hides_its_own_order_alone(broker, stub):
    stub.tell("GET orders", success([order_row(quantity="5,0"), order_row(order_id="2", tag="other")]))
    book = broker.read_book([])
    assert book.complete and [report.broker_order_id for report in book.reports] == ["2"]
    assert book.hides(OrderRef(TAG, None), *CE[:2]) is not None
    assert book.hides(OrderRef("never", None), *CE[:2]) is None


def test_complete_without_its_fill_is_settled_by_the_trades(broker, stub):
    row = order_row(status="COMPLETE", filled_quantity=...)
    trade = {**order_row(), "trade_id": "1", "average_price": 112.5}
    stub.tell("GET orders", success([row]))
    stub.tell("GET orders/261120000000001", success([row]))
    stub.tell("GET trades", success([trade]))
    (report,) = broker.read_book([]).reports
    assert (report.filled_quantity, report.average_price, report.contradiction) == (50, Decimal("112.5"), "")


def test_the_days_result_is_counted_from_the_last_close(broker, stub):
    flat = position_row(tradingsymbol="GOLDGUINEA", exchange="MCX", product="NRML", quantity=0, m2m=276)
    stub.tell("GET portfolio/positions", success({"net": [position_row(), flat], "day": [{"x": 1}]}))
    snapshot = broker.read_positions()
    assert snapshot.net(*CE) == -50 and snapshot.net("MCX", "GOLDGUINEA", "NRML") == 0
    assert [(p.realized_pnl, p.unrealized_pnl) for p in snapshot.positions] == [
        (0, Decimal("276.25")),
        (276, 0),
    ]
    assert snapshot.day_pnl == Decimal("552.25")


@pytest.mark.parametrize(
    "rows",
    [
        [position_row(quantity="many")],
        [position_row(quantity=...)],
        [position_row(m2m=...)],
        [position_row(), position_row(quantity=50)],
    ],
)
def test_a_position_that_cannot_be_read_is_not_known_instead_of_flat(broker, stub, rows):
    stub.tell("GET portfolio/positions", success({"net": rows}))
    snapshot = broker.read_positions()
    assert not snapshot.is_readable(*CE) and snapshot.day_pnl is None


@pytest.mark.parametrize(("sold", "left"), [(0, 16), (6, 10), (16, 0)])
def test_delivered_shares_are_one_position_with_todays_sales(broker, stub, sold, left):
    held = {**SHARE, "quantity": 16 - sold, "used_quantity": sold, "opening_quantity": 16}
    stub.tell("GET portfolio/holdings", success([held]))
    today = [position_row(**SHARE, quantity=-sold)] if sold else []
    stub.tell("GET portfolio/positions", success({"net": today}))
    snapshot = broker.read_positions()
    assert snapshot.net("NSE", "SBIN", "CNC") == snapshot.delivered("NSE", "SBIN", "CNC") == left


@pytest.mark.parametrize(
    "answer",
    [fails(503, "NetworkException", "down"), success([SHARE]), success([{**SHARE, "opening_quantity": "x"}])],
)
def test_holdings_that_cannot_be_read_make_delivery_unknown_instead_of_flat(broker, stub, answer):
    stub.tell("GET portfolio/holdings", answer)
    stub.tell("GET portfolio/positions", success({"net": []}))
    snapshot = broker.read_positions()
    assert not snapshot.is_readable("NSE", "SBIN", "CNC")
    assert snapshot.is_readable(*CE)


def test_a_price_and_the_funds_are_read(broker, stub):
    stub.tell("GET quote/ltp", success({"NSE:INFY": {"instrument_token": 1, "last_price": 1074.35}}))
    assert broker.last_price("nse", "INFY") == Decimal("1074.35")
    assert broker.price_of(Instrument("NSE", "INFY", "1", Kind.EQUITY, "INFY")) == Decimal("1074.35")
    with pytest.raises(ReadFailed, match="no price"):
        broker.last_price("NSE", "INFYX")
    stub.tell(
        "GET user/margins", success({"equity": {"enabled": True, "net": 99725.05}, "x": {"enabled": False}})
    )
    assert broker.funds() == {"equity": Decimal("99725.05")}
    assert broker.read_equity()[0] == Decimal("99725.05")
    stub.tell("GET user/margins", success({"equity": {"enabled": False, "net": 5}}))
    with pytest.raises(ReadFailed, match="no segment equity"):
        broker.read_equity()
