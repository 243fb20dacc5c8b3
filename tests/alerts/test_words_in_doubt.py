"""What the fuzz found: words that something beside their letters takes back, and fields that are passed over."""

from typing import Any

import pytest

from domain.enums import LegKind, Side
from domain.errors import InvalidAlert
from tests.alerts.fakes import with_leg
from tests.alerts.test_foreign_rules import leg, read, refusal

_BUY = {"ticker": "INFY", "action": "buy", "quantity": 3}


@pytest.mark.parametrize(
    "word",
    ["buy?", "!buy", "~buy", "b;uy", "bu|y", "b\x00uy", "bu\u200by", "bu\t\ty", '["buy"]', "<buy>", "buy="],
)
def test_a_word_that_was_damaged_or_taken_back_is_no_side(word: str):
    assert refusal(_BUY | {"action": word}) == ("INVALID", "action")


@pytest.mark.parametrize(
    "word", ["🟢 BUY", "*buy*", " Buy ", "buy!", "enter-long", "enter_long", "Enter Long", "buy\n"]
)
def test_what_only_decorates_a_word_takes_nothing_back(word: str):
    assert leg(action=word).side is Side.BUY


@pytest.mark.parametrize("word", ["cancel?", "!exit", "se;ll"])
def test_a_word_in_doubt_beside_the_action_is_not_passed_over(word: str):
    assert refusal(_BUY | {"event": word})[0] == "INVALID"


@pytest.mark.parametrize("key", ["exchange", "product", "side", "symbol"])
@pytest.mark.parametrize("value", [{"v": 1}, ["NSE"]], ids=str)
def test_no_default_takes_the_place_of_an_object(key: str, value: Any):
    assert refusal(_BUY | {key: value}) == ("INVALID", key)


@pytest.mark.parametrize(
    "body",
    [
        {"secret": "x", "tv_instrument": "INFY", "action": "buy", "quantity": 3},
        {"tradingsymbol": "INFY", "symboltoken": "3045", "transactiontype": "BUY", "quantity": 3},
        {"alertType": "multi_leg_order", "order_legs": [{"symbol": "INFY", "transactionType": "B", "quantity": 3}]},
    ],
    ids=["3commas", "angel", "dhan"],
)  # fmt: skip
def test_a_second_symbol_contradicts_the_first_in_every_dialect(body: dict[str, Any]):
    assert read(body).legs[0].symbol == "INFY"
    assert read(body | {"pair": "infy"}).legs[0].symbol == "INFY"
    assert refusal(body | {"pair": "WIPRO"})[0] == "AMBIGUOUS"


def test_an_order_that_only_reduces_opens_nothing():
    reduce = _BUY | {"reduce_only": True}
    assert leg(**reduce).kind is LegKind.EXIT
    for before in ("flat", "long"):
        assert refusal(reduce | {"prev_market_position": before}) == ("CONTRADICTION", "prev_market_position")
    assert refusal(reduce | {"market_position": "long"}) == ("CONTRADICTION", "market_position")
    smart = {"apikey": "x", "symbol": "INFY", "action": "BUY", "position_size": 5, "quantity": 5}
    assert leg(**smart).kind is LegKind.TARGET
    assert refusal(smart | {"reduce_only": True})[0] == "CONTRADICTION"


def test_an_exit_beside_a_position_after_it_names_the_field():
    exit_ = {"ticker": "INFY", "action": "exit", "quantity": 3, "market_position": "long"}
    assert refusal(exit_) == ("CONTRADICTION", "market_position")


@pytest.mark.parametrize(
    ("wrong", "value", "meant"),
    [
        ("quanttiy", 5, "quantity"), ("quanity", 5, "quantity"), ("contrcts", "5", "contracts"),
        ("orderTyp", "limit", "ordertype"), ("limit_prcie", 95.5, "limitprice"),
        ("stop_pric", 90, "stopprice"),
    ],
)  # fmt: skip
def test_a_key_that_is_misspelt_is_not_left_out_of_an_entry(wrong: str, value: Any, meant: str):
    body = {"ticker": "INFY", "action": "buy", wrong: value}
    with pytest.raises(InvalidAlert, match=f"send it as {meant}") as caught:
        read(body)
    assert (caught.value.code, caught.value.field) == ("AMBIGUOUS", wrong.lower())
    assert leg(**{wrong: value}, action="exit").kind is LegKind.FLAT


@pytest.mark.parametrize(
    "beside",
    [
        {"order_time": "09:15"},
        {"contract": "INFY"},
        {"account": 12345},
        {"sharpe": 1.8},
        {"triggered_at": "2:34 pm"},
        {"orderTyp": None},
    ],
    ids=str,
)
def test_a_key_that_only_looks_like_another_is_left_alone(beside: dict[str, Any]):
    assert leg(**beside, quantity=3).quantity == 3


def test_a_fraction_is_no_symbol_and_a_pair_has_a_key():
    assert leg(ticker=500325).symbol == "500325"
    assert refusal(_BUY | {"ticker": 500.5}) == ("INVALID", "ticker")
    assert refusal("e=NSE s=INFY b=buy q=5 =x") == ("INVALID", "body")


def test_what_a_screeners_alert_was_read_from_is_not_called_unread():
    body = {"stocks": "INFY,SBIN", "trigger_prices": "1500,800", "scan_name": "Breakouts", "webhook_url": "x"}
    alert = read(body)
    assert [str(each.reference_price) for each in alert.legs] == ["1500", "800"]
    assert alert.unread == ("webhook_url",)


def test_a_word_of_an_exit_in_a_screeners_alert_enters_nothing():
    body = {"stocks": "INFY", "trigger_prices": "1500", "scan_name": "Breakouts"}
    assert read(body).legs[0].kind is LegKind.ENTRY
    assert refusal(body | {"signal": "take_profit"}) == ("AMBIGUOUS", "signal")


@pytest.mark.parametrize("nothing", ["NaN", "null", "None", "undefined"])
def test_what_stands_for_no_value_is_no_name_in_our_own_format(nothing: str):
    entry = with_leg()
    assert read(entry).legs[0].exchange == "NFO"
    assert refusal(entry | {"exchange": nothing}) == ("INVALID", "exchange")
    assert refusal(with_leg(tradingsymbol=nothing)) == ("INVALID", "legs[0].tradingsymbol")
    assert refusal(with_leg(exchange=nothing)) == ("INVALID", "legs[0].exchange")


def test_a_dialect_whose_quantity_is_a_position_passes_no_other_quantity_over():
    body = {"bread_key": "x", "ticker": "INFY", "stance": "long", "qty": 5}
    assert [(each.kind, each.quantity) for each in read(body).legs] == [(LegKind.TARGET, 5)]
    without = {key: value for key, value in body.items() if key != "qty"}
    assert refusal(without | {"contracts": "NaN"}) == ("INVALID", "contracts")
