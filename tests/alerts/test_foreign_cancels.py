"""Alerts that take entries back: what they name is certain, and whatever else stands in one is refused."""

import json
from dataclasses import replace
from typing import Any

import pytest

from alerts.decoding import decode
from alerts.formats.native import NATIVE
from domain.alert import LegRequest, ParsedAlert
from domain.enums import ExecutionType, LegKind, Side
from domain.errors import InvalidAlert
from tests.alerts.dialect_samples import DEFAULTS
from tests.alerts.test_foreign_rules import read

FLEETING = {"action": "cancel", "ticker": "INFY"}


def cancel(body: Any) -> LegRequest:
    alert = read(body)
    assert alert.execution_type is ExecutionType.CANCEL
    [leg] = alert.legs
    assert (leg.kind, leg.quantity, leg.price, leg.protection) == (LegKind.CANCEL, None, None, None)
    return leg


def native(*legs: dict[str, Any], **changes: Any) -> ParsedAlert:
    body = {"execution_type": "CANCEL", "strategy_name": "S", "exchange": "NFO", "legs": legs, **changes}
    return NATIVE.parse(decode(json.dumps(body).encode()), default_client="default")


READ = [
    (FLEETING, "INFY", None),
    ({"action": "cancel_all", "ticker": "INFY"}, "INFY", None),
    ({"action": "CANCEL_ORDER", "symbol": "INFY", "price": "", "quantity": "0"}, "INFY", None),
    (
        {"action": "cancel pending", "ticker": "NSE:INFY", "time": "2026-11-30T05:00:00Z", "close": "1500.5"},
        "INFY",
        None,
    ),
    ({"ticker": "INFY", "cancel": True}, "INFY", None),
    ({"pair": "INFY", "cancelAllOrders": "true", "token": "x"}, "INFY", None),
    ({"action": "cancel_all"}, "", None),
    ({"cancelAll": True, "comment": "the day is over"}, "", None),
    ({"action": "cancel_long", "ticker": "INFY"}, "INFY", Side.BUY),
    ("60123456789,cancelshort,EURUSD", "EURUSD", Side.SELL),
    ("keys(XBTUSD) { cancel(which=all); }", "XBTUSD", None),
    ("EXCHANGE=binance;SYMBOL=ETHBTC;SIGNAL=CANCEL", "ETHBTC", None),
    ("EXCHANGE=binance;SYMBOL=ETHBTC;SIGNAL=CANCEL;PARAM_SIDE=SELL", "ETHBTC", Side.SELL),
    ("trade:mystub:cancelall symbol=RUNE-PERP", "RUNE-PERP", None),
    ("e=DERIBIT a=ACCOUNT s=BTC-PERPETUAL c=order", "BTC-PERPETUAL", None),
]


@pytest.mark.parametrize(("body", "symbol", "side"), READ)
def test_a_cancel_names_the_symbol_and_the_side_of_the_entries(body, symbol, side):
    leg = cancel(body)
    assert (leg.symbol, leg.side) == (symbol, side)


def test_without_a_symbol_only_all_is_all():
    for action in ("cancel", "cancel_order", "cancel_long"):
        with pytest.raises(InvalidAlert) as caught:
            read({"action": action})
        assert (caught.value.code, caught.value.field) == ("MISSING", "symbol")


BESIDE = [
    {"side": "buy"}, {"order_action": "sell"}, {"signal": "exit"}, {"quantity": 5}, {"qty": "0.1"}, {"size": 2},
    {"price": 100}, {"limitPrice": 99}, {"stopLoss": {"percent": 5}}, {"orderType": "stop"},
    {"cancelOrderType": "stop"},
    {"sentiment": "flat"}, {"market_position": "long"}, {"position_size": -5}, {"order_id": "46870472"}, {"id": "Long"},
    {"tag": "exit1"}, {"zone_id": "41821"}, {"close_position": True}, {"reverse": True}, {"orders": [{"side": "buy"}]},
    {"order": {"action": "buy"}}, {"more": {"within": "sell"}}, {"volume": 7}, {"strike": 24500}, {"only": "stop"},
    {"event": "entry-7"}, {"close": True}, {"open": "yes"}, {"a": {"b": {"c": {"d": {"e": {"side": "sell"}}}}}},
]  # fmt: skip


@pytest.mark.parametrize("beside", BESIDE)
def test_what_may_ask_for_an_order_or_mean_fewer_orders_is_refused(beside):
    for command in (FLEETING, {"ticker": "INFY", "cancel_all": True}):
        with pytest.raises(InvalidAlert) as caught:
            read({**command, **beside})
        assert caught.value.code in ("AMBIGUOUS", "NOT_BUILT", "INVALID") and caught.value.field


def test_an_order_with_a_cancel_beside_it_is_refused_and_says_what_to_do():
    for order, hint in (
        ({"action": "buy", "quantity": 1}, "before it"),
        ({"action": "exit"}, "an exit of all"),
    ):
        with pytest.raises(InvalidAlert, match=hint) as caught:
            read({"ticker": "INFY", **order, "cancel": True})
        assert caught.value.code == "AMBIGUOUS"
    assert (
        read({"ticker": "INFY", "action": "buy", "quantity": 1, "cancel": "false"}).legs[0].side is Side.BUY
    )


@pytest.mark.parametrize("switch", ["123", "ord-7", 46870472])
def test_a_switch_that_holds_the_number_of_one_order_is_refused(switch):
    with pytest.raises(InvalidAlert, match="one order alone"):
        read({"ticker": "INFY", "cancel_order": switch})


def test_a_cancel_that_is_switched_off_or_only_tried_out_takes_nothing_back():
    for more in ({"enabled": False}, {"dry_run": True}, {"mode": "paper"}):
        with pytest.raises(InvalidAlert):
            read({**FLEETING, **more})


def test_of_both_sides_or_of_commands_that_contradict_nothing_is_taken_back():
    with pytest.raises(InvalidAlert, match="one side"):
        read({"action": "cancel_long", "command": "cancel_short", "ticker": "INFY"})
    with pytest.raises(InvalidAlert, match="a cancel and an order"):
        read("|txn:cancel|sym:INFY||txn:buy|symbol:INFY|qty:1".replace("sym:", "symbol:"))


def test_a_cancel_of_our_own_format_names_symbols():
    alert = native(
        {"tradingsymbol": "A"}, {"tradingsymbol": "B", "exchange": "NSE", "direction": "SELL", "note": "old"}
    )
    found = [(leg.kind, leg.exchange, leg.symbol, leg.side, leg.product) for leg in alert.legs]
    assert found == [
        (LegKind.CANCEL, "NFO", "A", None, ""),
        (LegKind.CANCEL, "NSE", "B", Side.SELL, ""),
    ]
    for extra in ({"qty": 5}, {"price": 1}, {"order_type": "LIMIT"}, {"stop_loss": 2}, {"exit": True}):
        with pytest.raises(InvalidAlert) as caught:
            native({"tradingsymbol": "A", **extra})
        assert caught.value.field == f"legs[0].{next(iter(extra))}"


def test_a_cancel_needs_no_product_and_no_quantity_of_the_strategy():
    bare = replace(DEFAULTS, default=replace(DEFAULTS.default, product=None, quantity=None))
    assert read(FLEETING, bare).legs[0].product == ""
    assert read({**FLEETING, "product": "NRML"}, bare).legs[0].product == "NRML"


def test_an_alert_of_cancels_and_orders_cannot_be_made():
    [leg] = read(FLEETING).legs
    entry = read({"ticker": "INFY", "action": "buy", "quantity": 1})
    for type_ in (ExecutionType.ADJUST, ExecutionType.ENTRY, ExecutionType.EXIT):
        with pytest.raises(ValueError, match="a leg of INFY is CANCEL"):
            replace(entry, execution_type=type_, legs=(leg, *entry.legs))
