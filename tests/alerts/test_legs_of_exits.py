"""What names a leg of an exit enters nothing, and what says all is closed is refused for nothing beside it."""

from typing import Any

import pytest

from domain.enums import LegKind, Side
from tests.alerts.test_foreign_rules import leg, read, refusal

_CRYPTOGNOME = {"key": "k", "symbol": "ETHUSD", "qty": "1", "type": "Market", "order_mode": "Both"}


@pytest.mark.parametrize("key", ["event", "signal", "order", "command", "data"])
@pytest.mark.parametrize(
    "word",
    [
        "take_profit",
        "Take Profit",
        "TP",
        "tp2",
        "SL",
        "stop",
        "LX",
        "SX",
        "lx 1",
        "XL",
        "book_profit",
        "trim",
    ],
)
def test_a_word_for_a_leg_of_an_exit_is_never_entered(key: str, word: str):
    assert refusal({"ticker": "INFY", "action": "sell", "quantity": 5, key: word}) == ("AMBIGUOUS", key)


@pytest.mark.parametrize("word", ["take_profit", "stop_loss", "SL hit", "LX"])
def test_such_a_word_beside_an_exit_of_all_only_says_why(word: str):
    assert leg(action="exit", event=word).kind is LegKind.FLAT
    assert refusal({"ticker": "INFY", "action": "exit", "event": "tp1"})[0] == "AMBIGUOUS"  # a part, maybe


def test_a_word_that_nobody_knows_is_listed_as_unread():
    alert = read({"ticker": "INFY", "action": "buy", "quantity": 1, "event": "golden cross", "signal": "buy"})
    assert alert.unread == ("event",)


@pytest.mark.parametrize(
    "beside", [{"order": "limit"}, {"mode": "limit"}, {"trade_type": "LMT"}, {"execution": "SL-M"}]
)
def test_the_kind_of_an_order_in_another_place_is_never_at_market(beside: dict[str, Any]):
    order = {"ticker": "INFY", "action": "buy", "quantity": 1, "price": 1490}
    assert refusal(order | beside)[0] == "AMBIGUOUS"
    assert leg(mode="limit", order_type="limit", price=1490).price == 1490
    assert leg(mode="market", order="market").kind is LegKind.ENTRY


@pytest.mark.parametrize(
    "beside",
    [{key: value} for key in ("target_position", "net_position", "pos_size", "netPos") for value in (0, "0", "flat", 3)]
    + [{"positionEffect": word} for word in ("CLOSE", "CLOSING", "to_close")]
    + [{"open_close": "closing"}, {"position_intent": "sell_to_close"}, {"offset": "CLOSE"}],
    ids=str,
)  # fmt: skip
def test_a_sell_that_leads_to_no_short_is_not_entered(beside: dict[str, Any]):
    assert refusal({"ticker": "INFY", "action": "sell", "quantity": 5, **beside})[0] in (
        "AMBIGUOUS",
        "NOT_BUILT",
    )


def test_a_position_in_the_order_s_own_side_is_no_exit():
    for beside in ({"net_position": -5}, {"pos_size": "short"}, {"positionEffect": "OPENING"}):
        only = leg(action="sell", quantity=5, **beside)
        assert (only.kind, only.side) == (LegKind.ENTRY, Side.SELL)


@pytest.mark.parametrize("word", ["exit", "close", "flat", "close_long"])
def test_an_exit_of_nothing_is_of_all(word: str):
    for zero in (0, "0", "0.0"):
        only = leg(action=word, quantity=zero)
        assert (only.kind, only.quantity) == (LegKind.FLAT, None)


@pytest.mark.parametrize(
    "fields",
    [
        {"action": "exit", "quantity": 0, "size_pct": 50},
        {"action": "exit", "quantity": 0, "lots": 1},
        {"action": "exit", "quantity": 0, "position_size": 3},
        {"action": "sell", "quantity": 0, "reduce_only": True},
        {"action": "sell", "quantity": 0, "market_position": "long"},
        {"action": "sell", "quantity": 0},
    ],
    ids=str,
)
def test_nothing_of_a_part_or_of_an_entry_is_not_all(fields: dict[str, Any]):
    assert refusal({"ticker": "INFY", **fields})[0] in (
        "INVALID",
        "MISSING",
        "NOT_BUILT",
        "AMBIGUOUS",
        "CONTRADICTION",
    )


@pytest.mark.parametrize(
    "protection",
    [
        {"stopLoss": {"type": "stop", "percent": 2}},
        {"takeProfit": {"percent": 2}},
        {"takeProfit": {"limitPrice": 9}, "stopLoss": {"type": "trailing_stop", "trailPercent": 1}},
        {"stop_loss": "2%", "tp_percent": 3},
    ],
    ids=str,
)
def test_what_protects_an_entry_is_unread_beside_an_exit(protection: dict[str, Any]):
    for said in (
        {"action": "exit"},
        {"action": "flat"},
        {"action": "sell", "sentiment": "flat", "quantity": 3},
    ):
        alert = read({"ticker": "INFY", **said, **protection})
        assert (alert.legs[0].kind, alert.legs[0].protection) == (LegKind.FLAT, None)
        assert alert.unread


def test_the_quantity_beside_cryptognomes_close_of_a_position_means_nothing():
    [only] = read(_CRYPTOGNOME | {"side": "Sell", "close_position": "True"}).legs
    assert (only.kind, only.side, only.quantity) == (LegKind.FLAT, Side.SELL, None)
    [other] = read(_CRYPTOGNOME | {"side": "Sell", "close_position": "False"}).legs
    assert (other.kind, other.quantity) == (LegKind.ENTRY, 1)


def test_an_ordinary_body_with_a_name_is_none_of_finandy():
    body = {"name": "MA cross", "secret": "s", "side": "buy", "symbol": "INFY"}
    assert refusal(body) == ("NOT_BUILT", "reverse")
    for beside in ({"quantity": 2}, {"strategy": "S"}, {"order_type": "market"}):
        assert read(body | beside).legs[0].kind is LegKind.ENTRY


@pytest.mark.parametrize(
    "beside",
    [{"reason": "take profit"}, {"signal_name": "LX"}, {"tag": "SX 1"}, {"id": "LX"}, {"status": "closed"},
     {"comment": "TP 1"}, {"tag": "position closed"}],
    ids=str,
)  # fmt: skip
def test_the_name_of_a_leg_of_an_exit_is_never_entered(beside: dict[str, Any]):
    assert refusal({"ticker": "INFY", "action": "sell", "quantity": 5, **beside})[0] == "AMBIGUOUS"
    assert leg(action="exit", **beside).kind is LegKind.FLAT


@pytest.mark.parametrize(
    "kind", [{"orderType": {"type": "limit"}}, {"limit": {"price": 9}}, {"trigger": [9]}], ids=str
)
def test_the_kind_of_an_entry_is_no_object(kind: dict[str, Any]):
    assert refusal({"ticker": "INFY", "action": "buy", "quantity": 1, **kind})[0] == "INVALID"
    assert leg(action="exit", **kind).kind is LegKind.FLAT
