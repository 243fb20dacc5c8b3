"""Stops, targets and trails of other platforms: read where their unit is certain, otherwise refused."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.decoding import decode
from alerts.formats.own import GUARDS
from alerts.formats.registry import dialects_with
from domain.enums import LegKind, Side
from domain.errors import InvalidAlert
from domain.protection_terms import Terms, TrailingType
from tests.alerts.dialect_samples import DEFAULTS
from tests.alerts.test_foreign_rules import leg, read, refusal


def terms(body: Any) -> Terms | None:
    [only] = read(body).legs
    assert only.kind is LegKind.ENTRY
    return only.protection


def traderspost(**fields: Any) -> dict[str, Any]:
    return {"ticker": "SPY", "action": "buy", "quantity": 1, **fields}


TRAILING = {"type": "trailing_stop"}
TRADERSPOST = [
    ({"takeProfit": {"percent": 10}, "stopLoss": {"type": "stop", "percent": 5}}, Terms("5%", "10%")),
    ({"takeProfit": {"amount": 100}}, Terms(None, "100pt")),
    ({"takeProfit": {"limitPrice": 19.99}, "stopLoss": {"stopPrice": "10.71"}}, Terms("10.71", "19.99")),
    ({"stopLoss": {"amount": 12.5}}, Terms("12.5pt")),
    ({"stopLoss": TRAILING | {"trailPercent": 1}}, Terms(None, None, TrailingType.PERCENT, Decimal(1))),
    ({"stopLoss": TRAILING | {"trailAmount": 2}}, Terms(None, None, TrailingType.POINTS, Decimal(2))),
    ({"takeProfit": {"percent": 0}, "stopLoss": {}}, None),
    ({"stopLoss": None, "sentiment": "bullish"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "meant"), TRADERSPOST, ids=str)
def test_traderspost_names_the_unit_of_each_level(fields: dict[str, Any], meant: Terms | None):
    assert terms(traderspost(**fields)) == meant


REFUSED = [
    ({"stopLoss": {"type": "stop_limit", "stopPrice": 90, "limitPrice": 89}}, ("NOT_BUILT", "stoploss.type")),
    ({"stopLoss": {"stopPrice": 90, "limitPrice": 89}}, ("NOT_BUILT", "stoploss.limitprice")),
    ({"stopLoss": {"stopPrice": 90, "pips": 4}}, ("NOT_BUILT", "stoploss.pips")),
    ({"stopLoss": {"type": "stop", "trailPercent": 1}}, ("CONTRADICTION", "stoploss.type")),
    ({"stopLoss": {"type": "trailing_stop", "percent": 1}}, ("CONTRADICTION", "stoploss.type")),
    ({"stopLoss": {"type": "stop"}}, ("CONTRADICTION", "stoploss.type")),
    ({"stopLoss": {"percent": 1, "trailPercent": 1}}, ("AMBIGUOUS", "stop_loss")),
    ({"stopLoss": {"percent": 5, "amount": 5}}, ("AMBIGUOUS", "stoploss.amount")),
    ({"stopLoss": {"percent": 100}}, ("INVALID", "stoploss.percent")),
    ({"stopLoss": {"percent": -5}}, ("INVALID", "stoploss.percent")),
    ({"stopLoss": {"stopPrice": "10%"}}, ("INVALID", "stoploss.stopprice")),
    ({"stopLoss": {"stopPrice": "NaN"}}, ("INVALID", "stoploss.stopprice")),
    ({"stopLoss": 90, "signalPrice": 100}, ("NOT_BUILT", "stoploss")),
    ({"takeProfit": [{"percent": 5}, {"percent": 10}]}, ("NOT_BUILT", "takeprofit")),
    ({"takeProfit": {"limitPrice": 90}, "stopLoss": {"stopPrice": 95}}, ("CONTRADICTION", "stop_loss")),
    ({"takeProfit": {"limitPrice": 90}, "stopLoss": {"stopPrice": 90}}, ("CONTRADICTION", "stop_loss")),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "told"), REFUSED, ids=str)
def test_a_stop_that_could_be_another_is_refused(fields: dict[str, Any], told: tuple[str, str]):
    assert refusal(traderspost(**fields)) == told


def test_a_short_has_its_stop_above_its_target():
    levels = {"takeProfit": {"limitPrice": 90}, "stopLoss": {"stopPrice": 95}}
    assert terms(traderspost(action="sell", **levels)) == Terms("95", "90")


USUAL = [
    ({"stop_loss_price": 95, "tp_price": "105.5"}, Terms("95", "105.5")),
    ({"stopLossPercent": 1.5, "takeProfitPct": "3"}, Terms("1.5%", "3%")),
    ({"stop_loss": "0.5%", "take_profit": " 2 % "}, Terms("0.5%", "2%")),
    ({"sl": "2%", "leverage": 1}, Terms("2%")),
    ({"stop_loss_price": 95, "sl_price": "95.0"}, Terms("95")),
    ({"stop_loss_price": 0, "take_profit_price": "off"}, None),
]


@pytest.mark.parametrize(("fields", "meant"), USUAL, ids=str)
def test_a_key_or_a_text_that_names_its_unit_is_certain(fields: dict[str, Any], meant: Terms | None):
    assert leg(**fields).protection == meant


UNCERTAIN = [
    {"sl_percent": 2, "use_stop_loss": False}, {"sl_percent": 2, "enable_sl": "no"},
    {"sl_percent": 2, "slEnabled": False},
    {"tp_price": 110, "tp_size": "50%"}, {"sl_price": 95, "sl_limit_price": 94}, {"sl_price": 95, "slType": "limit"},
    {"sl_price": 95, "stop_type": "mental"},
    {"sl": 95}, {"stop_loss": "150"}, {"tp": 3}, {"take_profit": "69000,70000"}, {"sl_points": 10}, {"sl_pips": 20},
    {"tp1": 5, "tp2": 6}, {"stop_loss_pct": 0.02}, {"sl_percent": "0.5"}, {"stop_loss_percent": 2, "leverage": 10},
    {"sl": "2%", "leverage": "5x"}, {"sl_price": 95, "stop_loss_price": 94}, {"sl_price": 95, "sl": "2%"},
    {"target_percent": 2}, {"target": "2%"}, {"trailing_stop": "1%"}, {"stop_loss": "-2%"},
    {"stop_loss_price": 95, "stop_loss_ticks": 4}, {"stop_loss_price": "95 or so"}, {"take_profit_price": [95]},
]  # fmt: skip


@pytest.mark.parametrize("fields", UNCERTAIN, ids=str)
def test_a_level_whose_unit_could_be_another_is_refused(fields: dict[str, Any]):
    code, field = refusal({"ticker": "INFY", "action": "buy", **fields})
    assert code in ("NOT_BUILT", "AMBIGUOUS", "INVALID")
    assert field


def test_an_exit_takes_no_protection_and_waits_for_none():
    only = leg(action="close_long", stop_loss_price=95, sl=3)
    assert (only.kind, only.protection) == (LegKind.FLAT, None)


GNOME = {"key": "k", "exchange": "bybit", "symbol": "ETHUSD", "type": "Market", "side": "Buy", "qty": "1",
         "close_position": "False", "cancel_orders": "False", "order_mode": "Both", "take_profit_percent": "1",
         "stop_loss_percent": "0.5"}  # fmt: skip


def test_a_platform_that_documents_percent_has_them_below_1_too():
    assert terms(GNOME) == Terms("0.5%", "1%")
    assert refusal(GNOME | {"order_mode": "Profit"}) == ("NOT_BUILT", "take_profit_percent")


OCTOBOT = (
    "EXCHANGE=binance\nSYMBOL=BTCUSDT\nSIGNAL={}\nORDER_TYPE={}\nVOLUME=0.5\nPRICE=30\nSTOP_PRICE={}\n{}"
)


def test_the_stop_price_of_octobot_protects_an_order_to_buy_and_triggers_a_stop_order():
    assert terms(OCTOBOT.format("BUY", "LIMIT", 29, "TAKE_PROFIT_PRICE=35")) == Terms("29", "35")
    [only] = read(OCTOBOT.format("BUY", "STOP", 31, "TAG=x").replace("PRICE=30\n", "")).legs
    assert (only.trigger_price, only.protection, only.quantity) == (31, None, Decimal("0.5"))
    assert refusal(OCTOBOT.format("SELL", "LIMIT", 29, ""))[0] == "NOT_BUILT"  # a sell may be an exit
    assert refusal(OCTOBOT.format("BUY", "LIMIT", "-3%", ""))[0] == "INVALID"
    assert (
        refusal(OCTOBOT.format("BUY", "LIMIT", 29, "TAKE_PROFIT_PRICE=35\nTAKE_PROFIT_PRICE_1=36"))[0]
        == "NOT_BUILT"
    )


def test_a_file_of_ones_own_says_what_protects():
    names = {"stop_loss_points": "floor", "target_percent": "gain", "trail_points": "follow"}
    table = {"needs": ["way"], "fields": {"side": "way", **names}}
    dialects = dialects_with([("own", table)])
    body = decode(b'{"way": "buy", "symbol": "A", "quantity": 1, "floor": 12, "gain": 0.5, "follow": 3}')
    alert = dialects.dialect_of(body).parse(body, default_client="c", defaults=DEFAULTS)
    assert alert.legs[0].protection == Terms("12pt", "0.5%", TrailingType.POINTS, Decimal(3))
    assert len(GUARDS) == 8


_LEVELS = ("stop_loss_price", "sl_price", "tp_price", "take_profit_price", "stop_loss_percent", "tp_pct", "sl", "tp",
           "stop_loss", "trailing_stop", "sl_points")  # fmt: skip
_VALUES = st.sampled_from(["2%", "0.5%", "95", 95, 1.5, 0.3, 0, "", None, "NaN", "off", -4, "150"])


@settings(max_examples=300)
@given(
    st.dictionaries(st.sampled_from(_LEVELS), _VALUES, min_size=1, max_size=4),
    st.sampled_from(["buy", "sell"]),
)
def test_no_level_of_an_entry_is_left_out(fields, action):
    """Each level that asks for something is in the protection, or the alert is refused."""
    try:
        [only] = read({"ticker": "INFY", "quantity": 1, "action": action, **fields}).legs
    except InvalidAlert:
        return
    asked = [value for value in fields.values() if value not in (0, "", None, "off")]
    got = only.protection or Terms()
    assert only.side is (Side.BUY if action == "buy" else Side.SELL)
    assert bool(asked) == (only.protection is not None)
    for value in asked:
        level = str(value).rstrip("%")
        assert level in ((got.stop_loss or "").rstrip("%"), (got.target or "").rstrip("%"))
