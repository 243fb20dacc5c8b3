"""What a broker sends about an order is never read as an order."""

from typing import Any

import pytest

from domain.enums import LegKind
from tests.alerts.test_foreign_rules import leg, read, refusal

_KITE = {
    "user_id": "AB1234", "unfilled_quantity": 0, "placed_by": "AB1234", "order_id": "220303000308932",
    "exchange_order_id": "1000000001482421", "status": "COMPLETE", "status_message": None, "variety": "regular",
    "order_timestamp": "2022-03-03 09:24:25", "exchange": "NSE", "tradingsymbol": "SBIN", "order_type": "MARKET",
    "transaction_type": "BUY", "validity": "DAY", "product": "CNC", "quantity": 1, "price": 0, "trigger_price": 0,
    "average_price": 470, "filled_quantity": 1, "pending_quantity": 0, "cancelled_quantity": 0, "guid": "XXXXXX",
}  # fmt: skip
_ORDER = {"symbol": "INFY", "side": "BUY", "qty": 5}
NOTICES: list[dict[str, Any]] = [
    _KITE,
    _KITE | {"status": "REJECTED", "order_id": "9", "exchange_order_id": None},
    {"variety": "NORMAL", "ordertype": "MARKET", "producttype": "INTRADAY", "tradingsymbol": "SBIN-EQ",
     "transactiontype": "BUY", "exchange": "NSE", "quantity": "1", "symboltoken": "3045", "orderstatus": "complete"},
    {"dhanClientId": "1", "orderId": "112", "orderStatus": "TRADED", "transactionType": "BUY", "quantity": 5,
     "exchangeSegment": "NSE_EQ", "productType": "INTRADAY", "orderType": "MARKET", "tradingSymbol": "INFY"},
    {"symbol": "NSE:SBIN-EQ", "side": "buy", "qty": 1, "filledQty": 1, "orderNumStatus": "23080444447604:2"},
    {"event": "fill", "order": {"symbol": "AAPL", "side": "buy", "qty": "10", "type": "market"}, "price": "190"},
    {"event": "new", "order": {"symbol": "AAPL", "side": "sell_to_close", "qty": "10", "filled_qty": "0"}},
    {"status": "success", "data": {"symbol": "INFY", "action": "BUY", "quantity": 5, "order_status": "open"}},
    {"apikey": "x", "symbol": "INFY", "action": "BUY", "quantity": 5, "order_status": "complete"},
    {"ticker": "INFY", "action": "buy", "quantity": 5, "sentiment": "long", "status": "filled"},
    {"orders": [{"tradingsymbol": "INFY", "transaction_type": "BUY", "quantity": 5, "filled_quantity": 5}]},
    *(_ORDER | {"status": state} for state in (
        "complete", "rejected", "cancelled", "canceled", "filled", "partially_filled", "traded", "transit", "pending",
        "open", "trigger pending", "EXECUTED")),
    *(_ORDER | {key: 1} for key in ("filled_quantity", "average_price", "exchange_order_id", "unfilled_quantity")),
    _ORDER | {"order_id": "61e69015-8549-4bfd-b9c3-01e75843f47d"},
    _ORDER | {"type": "order_update"},
    _ORDER | {"state": "filled"},
    _ORDER | {"executedQty": "5"},
]  # fmt: skip


@pytest.mark.parametrize("notice", NOTICES, ids=str)
def test_a_notice_about_an_order_is_no_order(notice: dict[str, Any]):
    assert refusal(notice)[0] == "NOT_AN_ALERT"


def test_an_alert_that_has_a_name_for_its_order_or_a_state_of_the_market_is_one():
    for beside in ({"order_id": "Long Entry"}, {"status": "ENTRY"}, {"position_avg_price": 99}, {"status": "ok"},
                   {"event": "buy"}, {"average_price": 0}, {"order_id": 7}):  # fmt: skip
        assert leg(quantity=5, **beside).kind is LegKind.ENTRY


def test_what_could_be_an_alert_s_own_keeps_no_exit_back():
    for beside in ({"status": "open"}, {"average_price": 99}):
        [only] = read({"ticker": "INFY", "action": "exit", **beside}).legs
        assert only.kind is LegKind.FLAT
