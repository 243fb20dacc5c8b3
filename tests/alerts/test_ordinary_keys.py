"""Keys that many templates have and that ask for nothing change nothing; keys that may ask stay suspected."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerts.decoding import decode
from alerts.formats.keys import may_be_an_exit, traits_of
from alerts.formats.registry import DIALECTS
from alerts.reading import plain
from domain.enums import LegKind
from domain.errors import InvalidAlert, NothingAsked
from tests.alerts import corpus
from tests.alerts.test_foreign_rules import leg, read, refusal

CONTEXT: dict[str, Any] = {
    "candle_close": 101.5, "bar_close": True, "on_bar_close": "yes", "prev_close": 100.25, "previous_day_close": 99,
    "closing_price": 101, "liquidation_price": 55, "liquidity": "high",
    "daily_close": 100.5, "close_time": "2026-11-30T10:15:00Z", "candle": {"close": 101, "volume": 900, "size": 2.5},
    "recover": 1, "recovery": "yes", "discovery": "on", "net_profit": 1200.5, "gross_profit": 1500,
    "profit_factor": 1.8, "open_profit": -3.5, "net_profit_percent": 4.2, "tick_size": 0.05, "pip_size": "0.0001",
    "bar_size": 3, "body_size": 1.5,
    "volatility": 12.5, "volatility_pct": 2.1, "atr": 3.2, "atr_pct": 1.1, "atr_14": 3.1, "rsi": 55.2, "rsi14": 54.9,
    "ema_20": 100.1, "macd": {"line": 0.5, "hist": -0.1}, "volume_ma": 12000, "avg_volume": 11000,
    "relative_volume": 1.3,
    "rvol": 1.2, "volume_ratio": 0.9, "volume_spike": True, "change_pct": 0.4, "percent_change": "0.4%",
    "bb_percent": 0.8,
    "win_rate_percent": 61, "sharpe_ratio": 1.4, "confidence_pct": 80, "trend": "flat",
    "daily_trend": "flat", "slope": 0.2,
    "regime": "flat", "source": "close", "ema_source": "close", "timeframe": "15", "interval": "15", "bar_index": 100,
    "high": 102, "low": 99, "exit": "no", "close_all": "off", "reverse": "off", "cancel_orders": "no",
    "reduce_only": "no",
    "trailing_stop": "off", "risk": "no", "paper": "off", "is_live": True, "funding_rate": 0.01, "duration_bars": 12,
}  # fmt: skip


def camel(key: str) -> str:
    first, *rest = key.split("_")
    return first + "".join(map(str.capitalize, rest))


SPELLINGS = [
    str,
    camel,
    str.upper,
    lambda key: key.replace("_", ""),
    lambda key: key.replace("_", " ").title(),
]


def verdict(document: dict[str, Any]) -> object:
    """What an alert is read as, but the price at the signal, which context may name."""
    body = decode(corpus.json_of(document))
    dialect = DIALECTS.dialect_of(body)
    try:
        alert = dialect.parse(body, default_client="default", defaults=corpus.DEFAULTS)
    except NothingAsked:
        return "info"
    except InvalidAlert as error:
        return error.code, error.field
    return dialect.name, [
        (each.kind, each.side, each.quantity, each.symbol, each.price, each.protection) for each in alert.legs
    ]


def documents() -> list[dict[str, Any]]:
    """The published alerts of platforms that are JSON objects; ours refuses keys that it does not know."""
    bodies = (decode(corpus.body_of(line)) for line in corpus.FILE.read_text(encoding="utf-8").splitlines())
    return [
        body.document
        for body in bodies
        if body.document is not None and DIALECTS.dialect_of(body).name not in _OTHERS
    ]


_OTHERS = ("native", "alerts-processor")
"""Ours; and one that is known by having no further key: whatever stands beside its own makes another body of it."""

DOCUMENTS = [each for each in documents() if plain(str(each.get("action", ""))) != "cancel"]
"""A cancel refuses every key that may say which orders it means (`alerts/formats/cancels.py`): it is stricter."""


def with_context(document: dict[str, Any], context: dict[str, Any]) -> dict[str, Any]:
    taken = {plain(key) for key in document}
    return document | {key: value for key, value in context.items() if plain(key) not in taken}


@pytest.mark.parametrize("spelled", SPELLINGS)
def test_what_describes_the_market_changes_no_published_alert(spelled):
    context = {spelled(key): value for key, value in CONTEXT.items()}
    assert len(DOCUMENTS) > 100
    for document in DOCUMENTS:
        assert verdict(with_context(document, context)) == verdict(document), document


@settings(max_examples=300)
@given(st.sampled_from(DOCUMENTS), st.sampled_from(sorted(CONTEXT)), st.sampled_from(SPELLINGS))
def test_no_single_word_of_context_changes_an_alert(document, key, spelled):
    assert verdict(with_context(document, {spelled(key): CONTEXT[key]})) == verdict(document)


MAY_ASK = {
    "exits": "exit close_now closeLong CLOSELONG close_at_market candle.close_position flat flatten isReduceOnly cover "
    "coverAll square_off tp_hit stopHit entry_exit closeout flat_trend close_position_price cLose position_close",
    "sizes": "size lots lot_size autoLot size_pct risk risk_pct riskAtr order_size order_volume volume_usd usd_amount "
    "position_atr_pct sIze max_size min_size buy_volume strategy.size equity balance close_ratio profit_pct loss_pct "
    "long_ratio partial fraction trade_change_pct",
    "protects": "profit take_profit profit_pct profit_target max_profit profit_points target_percent trailing_stop sl "
    "tp1 stop_loss net_stop_loss gross_take_profit profit_ratio",
}


@pytest.mark.parametrize(("trait", "key"), [(t, key) for t, keys in MAY_ASK.items() for key in keys.split()])
def test_what_may_ask_for_something_stays_suspected(trait: str, key: str):
    assert getattr(traits_of(plain(key), key), trait)


ASKING = st.sampled_from(
    [
        "exit",
        "closeAll",
        "flatten",
        "lots",
        "qty",
        "size",
        "amount",
        "risk",
        "takeProfit",
        "stopLoss",
        "cover",
    ]
)
ORDERS = st.sampled_from(
    ["order", "trade", "position", "entry", "my", "buy", "sell", "long", "short", "auto", "base", "at_market"]
)
WORDS = st.sampled_from(["candle", "bar", "net", "tick", "volume", "atr", "change", "daily", "prev"])


@settings(max_examples=300)
@given(ASKING, ORDERS, WORDS, st.permutations([0, 1, 2]), st.sampled_from(["_", "-", " ", ""]))
def test_no_word_of_the_market_clears_a_word_of_an_order(asking, order, word, places, separator):
    parts = [asking, order, word]
    key = separator.join(parts[place] for place in places)
    traits = traits_of(plain(key), key)
    assert traits.exits or traits.sizes or traits.protects


@pytest.mark.parametrize(
    "event", ["bar_close", "once per bar close", "slope_up", "slow cross", "recovery", "output 1"]
)
def test_an_event_that_describes_the_market_is_no_exit(event: str):
    assert not may_be_an_exit(event)
    assert leg(event=event).kind is LegKind.ENTRY


@pytest.mark.parametrize("beside", [
    {"trend_action": "flat"}, {"bias": "flat"}, {"intent": "close"}, {"session_close": True}, {"prev_close": "yes"},
    {"trend": "exit"}, {"state": "flat"}, {"filter_state": "flat"}, {"close": "all"}, {"daily_close": "position"},
    {"closing": True}, {"opening": False}, {"open": False}, {"unwind": True}, {"liquidate": "yes"}, {"source": "flat"},
    {"reason": "stop loss hit"}, {"comment": "TP1 hit"}, {"note": "Target reached"}, {"msg": "SL was triggered"},
    {"is_entry": "off"}, {"position_trend": "flat"},
], ids=str)  # fmt: skip
def test_a_word_that_closes_is_passed_over_only_where_it_is_said_of_the_market(beside):
    assert refusal({"ticker": "INFY", "action": "sell", "quantity": 5, **beside})[0] == "AMBIGUOUS"


@pytest.mark.parametrize("key", ["alpaca_paper", "demo_account", "isTestnet", "use_sandbox", "simulated"])
def test_an_alert_that_is_for_no_real_account_is_not_traded(key: str):
    assert refusal({"ticker": "INFY", "action": "buy", key: True}) == ("NOT_BUILT", key.lower())
    assert read({"ticker": "INFY", "action": "buy", key: False}).legs[0].kind is LegKind.ENTRY


def test_a_type_that_is_of_the_message_is_no_type_of_the_order():
    assert leg(type="alert").kind is LegKind.ENTRY
    assert refusal({"ticker": "INFY", "action": "buy", "type": "iceberg"})[0] == "INVALID"


@pytest.mark.parametrize("beside", [{"active": False}, {"execute": "no"}, {"trading": "off"}], ids=str)
def test_an_alert_that_is_switched_off_is_not_traded(beside):
    assert refusal({"ticker": "INFY", "action": "buy", **beside})[0] == "NOT_BUILT"


BAR = {"open": 100, "high": 102, "low": 99, "close": 101, "volume": 150177}


def test_the_volume_of_the_bar_keeps_no_exit_back_and_fills_no_entry():
    only = leg(action="exit", **BAR)
    assert (only.kind, only.quantity) == (LegKind.FLAT, None)
    assert refusal({"ticker": "INFY", "action": "exit", "volume": 5}) == ("AMBIGUOUS", "volume")
    assert refusal({"ticker": "INFY", "action": "exit", **BAR, "lots": 5})[0] == "AMBIGUOUS"
    assert refusal({"ticker": "INFY", "action": "buy", **BAR}) == ("AMBIGUOUS", "volume")
    assert leg(**BAR, quantity=5).quantity == 5


def test_a_notice_may_name_the_price():
    with pytest.raises(NothingAsked):
        read(
            {"message": "INFY is above its average", "close": 1500.5, "trend": "flat", "candle_close": "yes"}
        )
    assert refusal({"message": "INFY is above its average", "close": "yes"})[0] != "NOTHING_ASKED"


def test_a_long_key_is_cleared_by_no_word_of_it():
    key = "candle_" * 12 + "size"
    assert refusal({"ticker": "INFY", "action": "buy", key: 5})[0] == "NOT_BUILT"
